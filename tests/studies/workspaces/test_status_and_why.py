"""What `status` and `why` say of a study in which something went wrong."""

from dataclasses import replace
from typing import Any

import pytest

from studies.explaining.waiting import study_waits
from studies.running.file_lock import FileLock

Office = Any  # of conftest.py, which cannot be imported


def test_status_names_every_cell_so_that_why_can_be_asked(office: Office) -> None:
    text = office.ask("status", "demo")

    for cell in office.cells():
        assert cell["id"] in text
    assert "study 'demo' is finished" in text


def test_status_says_that_nobody_runs_an_interrupted_study(office: Office) -> None:
    office.interrupt(batch_size=4)

    text = office.ask("status", "demo")

    assert "nobody runs the study: interrupted; launch it again to go on" in text


def test_status_says_who_runs_a_study_and_what_each_cell_waits_for(office: Office) -> None:
    office.interrupt(batch_size=4)

    with FileLock(office.place.study("demo") / "lease"):
        told = office.told("status", "demo")
        text = office.ask("status", "demo")

    assert told["runner"].startswith("process ")
    assert f"runs in {told['runner']}" in text
    assert [cell["waits"] for cell in told["cells"] if cell["outcome"] is None] == [
        "attempt 2 waits for a free worker: 0 cells run",
        "attempt 2 waits for a free worker: 0 cells run, 1 wait before it",
    ]


def test_an_undecided_stage_says_what_it_lacks(office: Office) -> None:
    record = office.record()
    first, second = (replace(stage, decisions=()) for stage in record.stages)
    open_cells = {
        cell.id: replace(cell, outcome=None) if cell.seed == 1 else cell
        for cell in record.cells.values()
    }
    stages = (first, replace(second, configurations=()))

    waits = list(
        study_waits(replace(record, stages=stages, cells=open_cells, is_finished=False), "process")
    )

    assert waits == [
        "stage 'learning rate' is decided when 3 more cells have ended",
        "stage 'batch size' (4 cells) waits for the winner of stage 'learning rate'",
    ]


def test_a_stage_without_a_winner_names_the_way_out(office: Office) -> None:
    record = office.record()
    blocked = (replace(record.stages[0], decisions=()),)

    (sentence,) = study_waits(replace(record, stages=blocked, is_finished=False), "process")

    assert "no complete cell to choose a winner from" in sentence
    assert "visionstudy retry demo --failed" in sentence


def test_status_of_a_blocked_study_says_once_what_blocks_it(
    empty_office: Any, study: dict[str, Any]
) -> None:
    study["search"]["tree"] = study["search"]["tree"][:1]
    study["search"]["tree"][0]["vary"]["training.learning_rate"] = [1.0]  # all diverge
    office = empty_office(study)
    office.launch()

    text = office.ask("status", "demo")

    assert text.count("no complete cell to choose a winner from") == 1
    assert "visionstudy retry demo --failed" in text
    assert "nobody runs the study\n" in text
    assert "study 'demo' is not finished; cells: 2 infeasible" in text


def test_status_refuses_to_watch_in_json(office: Office) -> None:
    text = office.ask("status", "demo", "--watch", "--json", exit_code=2)

    assert "leave one of them out" in text


def test_why_tells_of_a_failed_cell_with_its_traceback(office: Office) -> None:
    cell = _one(office, outcome="failed")

    text = office.ask("why", cell["id"])

    assert "failed (RuntimeError: " in text
    assert "| Traceback (most recent call last):" in text
    assert "training.learning_rate" not in text  # it is that of the base
    assert "stage 'learning rate': learning rate 1e-2" in text
    assert "another won: " in text


def test_why_shows_what_a_cell_inherits_and_changes(office: Office) -> None:
    (cell, *_) = office.cells(learning_rate=1e-3, batch_size=4)

    text = office.ask("why", f"demo/{cell['id'][:6]}")

    assert "training.learning_rate: 0.01 -> 0.001" in text
    assert "training.batch_size: 2 -> 4" in text
    assert "inherits learning rate 1e-3 of stage 'learning rate'" in text
    assert "its configuration won: " in text


def test_why_tells_programs_the_same(office: Office) -> None:
    cell = _one(office, outcome="failed")

    told = office.told("why", cell["id"])

    assert told["reason"].startswith("RuntimeError: ")
    assert [each["outcome"] for each in told["attempts"]] == ["failed"]
    assert told["attempts"][0]["traceback"].startswith("Traceback")
    assert [use["is_winner"] for use in told["uses"]] == [False]
    assert told["changed"] == {}


def test_an_unknown_cell_is_told_with_what_may_be_meant(office: Office) -> None:
    known = office.cells()[0]["id"]

    text = office.ask("why", known[:-1] + ("0" if known[-1] != "0" else "1"), exit_code=2)

    assert f"did you mean '{known}'?" in text


@pytest.mark.parametrize("wanted", ["", "a", "demo/"])
def test_too_little_of_an_id_is_no_cell(office: Office, wanted: str) -> None:
    assert "unknown cell" in office.ask("why", wanted, exit_code=2)


def test_why_outside_a_workspace_says_so(empty_office: Any, study: dict[str, Any]) -> None:
    text = empty_office(study).ask("why", "abcd", exit_code=2)

    assert "is no workspace" in text


def _one(office: Office, *, outcome: str) -> dict[str, Any]:
    (cell,) = [cell for cell in office.cells() if cell["outcome"] == outcome]
    return dict(cell)
