"""The ledger keeps what was measured, whatever is planned and whoever is killed."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.exc import IntegrityError, StatementError

from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.ledger import CellEnd, Ledger, TrialEnd, TrialStart
from studies.tree.ledger_errors import LedgerError
from trackers.records import Outcome, StageRecord

PlanIn = Callable[..., Tree]
Measure = Callable[..., list[PlannedCell]]
CHECKOUT = Path(__file__).parents[3]
WRITER = """
import sys
from pathlib import Path
from sqlalchemy import make_url
from studies.tree.ledger import CellEnd, Ledger, TrialEnd, TrialStart
from trackers.records import Outcome

place = make_url(sys.argv[1]) if "://" in sys.argv[1] else Path(sys.argv[1])
ledger, cell, attempt = Ledger(place), sys.argv[2], int(sys.argv[3])
while True:
    attempt += 1
    ledger.start_trial("demo", TrialStart(cell, attempt, "cpu", "here", f"{cell}-{attempt}", 1))
    trial = TrialEnd(cell, attempt, Outcome.COMPLETE, "", False, 0, 1, {"attempt": attempt})
    end = CellEnd(cell, Outcome.COMPLETE, "", {"attempt": attempt}, attempt, 1.0, 1.0)
    ledger.end_trial("demo", trial, end)
    print(attempt, flush=True)
"""


def first_cell(tree: Tree) -> str:
    return next(iter(tree.cells()))


def start(ledger: Ledger, cell: str, attempt: int = 1) -> None:
    ledger.start_trial("demo", TrialStart(cell, attempt, "cpu", "here", f"{cell}-{attempt}", 1))


def trial_end(cell: str, attempt: int, outcome: Outcome, *, is_fault: bool = False) -> TrialEnd:
    return TrialEnd(cell, attempt, outcome, "why", is_fault, 3, 2, {"lr": 0.1})


def cell_end(cell: str, outcome: Outcome = Outcome.COMPLETE, value: float = 0.5) -> CellEnd:
    metrics = {"val/iou": value} if outcome is Outcome.COMPLETE else {}
    return CellEnd(cell, outcome, "", metrics, 2, 100.0, 1.5)


def test_a_study_is_found_again_after_reopening(
    ledger_place: Path | URL, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    tree = plan_in(ledger, spec)
    cell = first_cell(tree)
    start(ledger, cell)
    ledger.end_trial("demo", trial_end(cell, 1, Outcome.COMPLETE), cell_end(cell))
    ledger.close()
    again = Ledger(ledger_place)
    assert [row["id"] for row in again.cells("demo")] == list(tree.cells())
    assert again.results("demo") == {
        cell: CellResult(Outcome.COMPLETE, {"val/iou": 0.5}, 100.0, 1.5, None)
    }
    (trial,) = again.trials("demo")
    assert (trial["outcome"], trial["effective"], trial["resumed_from_epoch"]) == (
        "complete", {"lr": 0.1}, 3,
    )  # fmt: skip
    again.close()


def test_stages_are_read_back_as_they_were_written(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn, measure: Measure
) -> None:
    from studies.search.living_tree import stage_record

    results: dict[str, CellResult] = {}
    while measure(spec, results, lambda cell: 0.5 + 0.1 * cell.seed):
        tree = plan_in(ledger, spec, results)
        written = [stage_record(stage) for stage in tree.stages]
        assert list(ledger.stage_records("demo")) == written
    assert all(isinstance(each, StageRecord) for each in ledger.stage_records("demo"))


def test_settings_of_a_cell_are_read_back_as_they_were_planned(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    for cell in plan_in(ledger, spec).cells().values():
        row = ledger.cell("demo", cell.id)
        assert type(cell.settings).model_validate(row["settings"]) == cell.settings
        assert (row["seed"], row["grp"], row["source"]) == (cell.seed, cell.group, cell.source)


def test_unknown_cell_is_named(ledger: Ledger) -> None:
    with pytest.raises(LookupError, match="study 'demo' has no cell 'abc' in the ledger"):
        ledger.cell("demo", "abc")


def test_a_new_plan_keeps_results(ledger: Ledger, spec: StudySpec, plan_in: PlanIn) -> None:
    cell = first_cell(plan_in(ledger, spec))
    ledger.settle("demo", cell_end(cell))
    plan_in(ledger, spec)
    assert ledger.results("demo")[cell].metrics == {"val/iou": 0.5}


def test_a_cell_planned_no_longer_keeps_its_result_and_leaves_the_plan(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn, make_spec: Callable[..., StudySpec]
) -> None:
    cells = list(plan_in(ledger, spec).cells())
    ledger.settle("demo", cell_end(cells[0]))
    other = make_spec({"stage": "rate", "vary": {"training.learning_rate": [0.5]}})
    (fresh,) = plan_in(ledger, other).cells()
    assert [row["id"] for row in ledger.cells("demo")] == [fresh]
    assert ledger.cell("demo", cells[0])["position"] == -1
    assert list(ledger.results("demo")) == [cells[0]]
    plan_in(ledger, spec)
    assert [row["id"] for row in ledger.cells("demo")] == cells


def test_a_cell_that_did_not_run_may_get_another_source(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    first, second, *_ = plan_in(ledger, spec).cells().values()
    ledger.settle("demo", cell_end(first.id))
    for cell in (first, second):
        moved = PlannedCell(cell.id, cell.settings, cell.seed, cell.group, source="elsewhere")
        ledger.plan("demo", [moved], [])
    assert ledger.cell("demo", first.id)["source"] is None, "it is what it was measured as"
    assert ledger.cell("demo", second.id)["source"] == "elsewhere"


def test_a_result_says_which_cell_was_scored_again(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = next(iter(plan_in(ledger, spec).cells().values()))
    scored = PlannedCell("scored", cell.settings, cell.seed, cell.group, source=cell.id)
    ledger.plan("demo", [cell, scored], [])
    ledger.settle("demo", cell_end("scored"))
    assert ledger.results("demo")["scored"].source == cell.id


def test_a_trial_and_its_cell_end_together_or_not_at_all(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = first_cell(plan_in(ledger, spec))
    start(ledger, cell)
    unwritable = CellEnd(cell, Outcome.COMPLETE, "", {"val/iou": object()}, 1, 1.0, 1.0)  # type: ignore[dict-item]
    with pytest.raises(StatementError):
        ledger.end_trial("demo", trial_end(cell, 1, Outcome.COMPLETE), unwritable)
    assert ledger.trials("demo", cell)[0]["outcome"] is None
    assert ledger.results("demo") == {}


def test_a_trial_that_does_not_settle_its_cell_leaves_it_open(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = first_cell(plan_in(ledger, spec))
    start(ledger, cell)
    ledger.end_trial("demo", trial_end(cell, 1, Outcome.LOST, is_fault=True))
    start(ledger, cell, attempt=2)
    assert ledger.results("demo") == {}
    lost, running = ledger.trials("demo", cell)
    assert (lost["outcome"], lost["is_fault"], running["outcome"]) == ("lost", True, None)
    assert lost["next_micro_batch_divisor"] == 2


def test_a_trial_ends_when_it_is_said_to(ledger: Ledger, spec: StudySpec, plan_in: PlanIn) -> None:
    cell = first_cell(plan_in(ledger, spec))
    start(ledger, cell)
    end = TrialEnd(cell, 1, Outcome.LOST, "", False, 0, 1, {}, ended_at=12.5)
    ledger.end_trial("demo", end)
    assert ledger.trials("demo", cell)[0]["ended_at"] == 12.5


def test_attempts_are_in_order_though_the_clock_went_back(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = first_cell(plan_in(ledger, spec))
    for attempt, now in ((1, 2000.0), (2, 1000.0)):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        start(ledger, cell, attempt)
    assert [trial["attempt"] for trial in ledger.trials("demo", cell)] == [1, 2]


def test_an_attempt_cannot_be_started_twice(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = first_cell(plan_in(ledger, spec))
    start(ledger, cell)
    with pytest.raises(LedgerError, match="another process runs study 'demo' too"):
        start(ledger, cell)


@pytest.mark.parametrize(
    ("outcome", "is_reopened"),
    [
        (Outcome.COMPLETE, False),
        (Outcome.PRUNED, False),
        (Outcome.INFEASIBLE, False),
        (Outcome.FAILED, True),
        (Outcome.LOST, True),
        (Outcome.STOPPED, True),
    ],
)
def test_a_launch_tries_again_what_did_not_end_for_good(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn, outcome: Outcome, is_reopened: bool
) -> None:
    cell = first_cell(plan_in(ledger, spec))
    start(ledger, cell)
    ledger.end_trial("demo", trial_end(cell, 1, outcome, is_fault=True), cell_end(cell, outcome))
    assert ledger.reopen_unfinished("demo") == is_reopened
    assert (cell in ledger.results("demo")) is not is_reopened
    (trial,) = ledger.trials("demo", cell)
    assert trial["outcome"] == outcome, "what happened stays written"
    assert not trial["is_fault"], "and counts no more"


def test_studies_are_named_oldest_first_and_kept_apart(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    assert ledger.study_names() == ()
    assert ledger.study("zebra") is None
    for name in ("zebra", "ant"):
        plan_in(ledger, spec.model_copy(update={"study": name}))
    cell = ledger.cells("ant")[0]["id"]
    ledger.settle("ant", cell_end(cell))
    assert ledger.study_names() == ("zebra", "ant")
    assert ledger.results("zebra") == {}
    assert list(ledger.results("ant")) == [cell]


def test_a_relaunch_keeps_what_earlier_launches_used_up(ledger: Ledger) -> None:
    for number in (1, 2):
        ledger.save_study("demo", text=str(number), resolved={"n": number}, environment={})
        ledger.save_wall_time("demo", 10.0 * number)
        ledger.end_launch("demo", is_finished=number == 2, note="")
    row = ledger.study("demo")
    assert row is not None
    assert (row["wall_s"], row["text"], row["resolved"]) == (20.0, "2", {"n": 2})
    assert row["is_finished"]
    ledger.save_study("demo", text="3", resolved={}, environment={})
    row = ledger.study("demo")
    assert row is not None
    assert (row["is_finished"], row["note"]) == (False, "running")


def test_proposals_come_back_per_search_in_their_order(ledger: Ledger) -> None:
    ledger.save_study("demo", text="", resolved={}, environment={})
    for number in (1, 0, 11, 2):
        ledger.save_proposal("demo", "rate", number=number, varied={"n": number})
    ledger.save_proposal("demo", "rate #2", number=0, varied={"n": "other"})
    assert ledger.proposals("demo") == {
        "rate": [{"n": 0}, {"n": 1}, {"n": 2}, {"n": 11}],
        "rate #2": [{"n": "other"}],
    }


def test_a_proposal_written_twice_stays_as_it_was_first(ledger: Ledger) -> None:
    ledger.save_study("demo", text="", resolved={}, environment={})
    for value in (0.1, 0.2):
        ledger.save_proposal("demo", "rate", number=0, varied={"lr": value})
    assert ledger.proposals("demo") == {"rate": [{"lr": 0.1}]}


def test_a_proposed_number_comes_back_to_the_last_bit(ledger: Ledger) -> None:
    ledger.save_study("demo", text="", resolved={}, environment={})
    value = 0.1 + 0.2
    ledger.save_proposal("demo", "rate", number=0, varied={"lr": value, "n": 3})
    (proposal,) = ledger.proposals("demo")["rate"]
    assert proposal == {"lr": value, "n": 3}
    assert type(proposal["n"]) is int


def test_a_test_score_is_replaced_by_a_later_one(
    ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = first_cell(plan_in(ledger, spec))
    for outcome in (Outcome.FAILED, Outcome.COMPLETE):
        ledger.save_test_score("demo", cell, outcome=outcome, reason="", folder="f")
    assert ledger.test_scores("demo")[cell]["outcome"] == "complete"


def test_facts_of_an_unknown_cell_are_refused(ledger: Ledger) -> None:
    ledger.save_study("demo", text="", resolved={}, environment={})
    with pytest.raises(IntegrityError):
        start(ledger, "nowhere")


def test_processes_that_create_it_at_once_all_can_write(
    ledger_place: Path | URL, at_once: Callable[..., str]
) -> None:
    prepare = (
        "from pathlib import Path, PosixPath\nfrom sqlalchemy import make_url\n"
        "from studies.tree.ledger import Ledger"
    )
    is_file = isinstance(ledger_place, Path)
    place = repr(ledger_place) if is_file else f"make_url({str(ledger_place)!r})"
    save = "save_study(f'demo {number}', text='', resolved={}, environment={})"
    assert at_once(prepare, f"Ledger({place}).{save}") == ""
    ledger = Ledger(ledger_place)
    assert len(ledger.study_names()) == 6
    ledger.close()


def test_a_writer_killed_at_any_moment_leaves_whole_facts_and_readers_undisturbed(
    ledger_place: Path | URL, ledger: Ledger, spec: StudySpec, plan_in: PlanIn
) -> None:
    cell = first_cell(plan_in(ledger, spec))
    written = 0
    for pause_s in (0.0, 0.011, 0.137):
        command = [sys.executable, "-c", WRITER, str(ledger_place), cell, str(written)]
        with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            until = time.monotonic() + pause_s
            while time.monotonic() < until:
                seen = ledger.results("demo")[cell].metrics["attempt"]
                assert ledger.trials("demo", cell)[-1]["attempt"] >= seen
            writer.send_signal(signal.SIGKILL)
            said = [written, *map(int, writer.stdout.read().split())][-1]
        ended = [t["attempt"] for t in ledger.trials("demo", cell) if t["outcome"] is not None]
        settled = ledger.results("demo")[cell].metrics["attempt"]
        assert settled == ended[-1], "the trial and its cell were written together"
        assert settled >= said, "what was said to be written is there"
        written = ledger.trials("demo", cell)[-1]["attempt"]
        if isinstance(ledger_place, Path):
            with closing(sqlite3.connect(ledger_place)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
