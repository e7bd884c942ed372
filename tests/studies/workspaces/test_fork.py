"""`visionstudy fork`: a study of its own that trains nothing twice."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

Office = Any  # of conftest.py, which cannot be imported


def test_a_fork_trains_only_what_was_not_measured_alike(
    office: Office, study: dict[str, Any]
) -> None:
    study["search"]["tree"][1]["vary"]["training.batch_size"] = [2, 4, 8]
    office.write(study)
    began = {trial["started_at"] for trial in _trials(office, "demo")}

    text = office.ask("fork", str(office.file), "--as", "wider")
    office.launch("study=wider")

    assert "study 'wider' begins with 7 cells of study 'demo'" in text
    assert f"next: visionstudy launch {office.file} --as wider" in text
    assert office.told("status", "wider")["is_finished"]
    fresh = [each for each in _trials(office, "wider") if each["started_at"] not in began]
    failed = [cell["id"] for cell in office.cells() if cell["outcome"] == "failed"]
    added = [cell["id"] for cell in office.cells("wider", batch_size=8)]
    assert sorted(each["cell"] for each in fresh) == sorted([*failed, *added])


def test_both_studies_keep_their_files_when_the_other_drops_its_own(
    office: Office, study: dict[str, Any]
) -> None:
    before = office.record()
    study["weights"] = "none"
    office.write(study)
    office.ask("fork", str(office.file), "--as", "lean")
    office.launch("study=lean")
    office.ask("gc", "--delete")

    winner = office.cells(learning_rate=1e-3, batch_size=4)[0]["id"]
    weights = [
        list((office.place.study(name) / "trials" / f"{winner}-1").glob("best-*"))
        for name in ("demo", "lean")
    ]
    assert [len(each) for each in weights] == [1, 0]
    assert office.record() == before


def test_a_fork_from_a_stage_takes_what_is_above_it(office: Office) -> None:
    office.ask("fork", str(office.file), "--as", "other", "--from", "batch size")

    ledger = office.ledger()
    taken = ledger.results("other")
    ledger.close()
    first = {cell["id"] for cell in office.cells(batch_size=2) if cell["outcome"] != "failed"}
    assert taken.keys() == first


def test_a_pruned_cell_is_taken_over_only_among_the_same_rivals(
    office: Office, study: dict[str, Any]
) -> None:
    pruned = office.cells(batch_size=4)[0]["id"]
    with closing(sqlite3.connect(office.place.ledger_file)) as database, database:
        database.execute("UPDATE cells SET outcome = 'pruned' WHERE id = ?", [pruned])
    office.ask("fork", str(office.file), "--as", "alike")
    study["search"]["tree"][1]["vary"]["training.batch_size"] = [2, 4, 8]
    office.write(study)
    office.ask("fork", str(office.file), "--as", "wider")

    ledger = office.ledger()
    taken = {name: ledger.results(name).keys() for name in ("alike", "wider")}
    ledger.close()
    assert taken["alike"] - taken["wider"] == {pruned}


def test_a_fork_after_one_that_was_killed_leaves_no_torn_file(office: Office) -> None:
    cell = office.cells(batch_size=4)[0]["id"]
    whole, torn = (
        office.place.study(name) / "trials" / f"{cell}-1" / "events.jsonl"
        for name in ("demo", "other")
    )
    torn.parent.mkdir(parents=True)
    torn.write_bytes(whole.read_bytes()[:20])

    office.ask("fork", str(office.file), "--as", "other")

    assert torn.read_bytes() == whole.read_bytes()


def test_a_fork_that_takes_nothing_says_why(office: Office) -> None:
    text = office.ask("fork", str(office.file), "--as", "other", "--from", "learning rate")

    assert "begins with 0 cells of study 'demo'" in text
    assert "no cell above stage 'learning rate' has ended with a result there" in text


def test_a_fork_says_what_is_left_to_do(office: Office) -> None:
    office.ask("fork", str(office.file), "--as", "other")

    assert "nobody runs the study: made from study 'demo'; launch it" in office.ask(
        "status", "other"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as", "demo"], "there is a study 'demo' already"),
        (["--as", "x", "--of", "demp"], "unknown study 'demp'; did you mean 'demo'?"),
        (["--as", "x", "--from", "batch"], "did you mean 'batch size'?"),
        (["--as", "../x"], "study: must be"),
        (
            ["--as", "x", "--set", "objective.metric=val/dice"],
            "got objective.metric: val/iou -> val/dice",
        ),
        (
            ["--as", "x", "--set", "budget.per_trial.time=1h"],
            "got budget.per_trial.time: None -> 1h",
        ),
    ],
)
def test_what_cannot_be_forked_is_told(office: Office, arguments: list[str], message: str) -> None:
    assert message in office.ask("fork", str(office.file), *arguments, exit_code=2)


def _trials(office: Office, study: str) -> list[Any]:
    ledger = office.ledger()
    found = list(ledger.trials(study))
    ledger.close()
    return found
