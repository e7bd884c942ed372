"""What a launch shows of itself."""

import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from data_pipeline.catalog import data_fingerprint
from models.spending import Spent
from studies.running.budgets import BudgetMeter
from studies.running.progress import RunningRow, Snapshot
from studies.running.snapshots import snapshot
from studies.running.tally import Tally
from studies.running.views import (
    PLAIN_INTERVAL_S,
    LiveView,
    PlainView,
    duration,
    open_view,
    summary,
)
from studies.spec.budget_schema import StudyBudget
from studies.spec.schema import StudySpec
from studies.tree.cells import PlannedCell
from studies.tree.growth import Proposals, grow
from studies.tree.ledger import CellEnd, Ledger
from trackers.records import Outcome

MakeSpec = Callable[..., StudySpec]
ROW = RunningRow(
    cell="abc",
    label="learning_rate 0.1 [seed 0]",
    attempt=2,
    device="cpu",
    epochs=5,
    epoch=3,
    metrics={"val/iou": 0.25, "train/loss": 0.5},
)


def state(running: tuple[RunningRow, ...] = (), **fields: object) -> Snapshot:
    values: dict[str, object] = {
        "study": "demo",
        "stage": "rate",
        "stage_number": 1,
        "stages": 3,
        "outcomes": {"complete": 4, "failed": 1, "lost": 0},
        "settled": 5,
        "planned": 12,
        "running": running,
        "metric": "val/iou",
        "elapsed_s": 65.0,
        "remaining_s": None,
        **fields,
    }
    return Snapshot(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (100 * 3600, "100 h 00 min"),
    ],
)
def test_a_duration_reads_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_summary_says_how_far_the_launch_is() -> None:
    assert summary(state((ROW,), remaining_s=130.0)) == (
        "demo: stage 1/3 'rate', 5/12 cells (4 complete, 1 failed), 1 running, "
        "1 min 05 s elapsed, about 2 min 10 s left"
    )


def test_the_summary_of_a_start_names_no_outcome_and_no_end() -> None:
    assert summary(state(outcomes={}, settled=0)) == (
        "demo: stage 1/3 'rate', 0/12 cells (none ended), 0 running, 1 min 05 s elapsed"
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the monotonic clock, which starts at 5 s."""
    now = [5.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def set_clock(seconds: float) -> None:
        now[0] = seconds

    return set_clock


def lines_of(console: Console) -> list[str]:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_plain_lines_come_at_most_once_per_interval(clock: Callable[[float], None]) -> None:
    console = Console(file=StringIO(), width=40)
    view = PlainView(console)
    for seconds in (5.0, 6.0, 5.0 + PLAIN_INTERVAL_S - 0.1, 5.0 + PLAIN_INTERVAL_S):
        clock(seconds)
        view.update(state())
    assert lines_of(console) == [summary(state())] * 2


def test_plain_lines_name_what_runs_with_its_last_values(clock: Callable[[float], None]) -> None:
    clock(0.0)
    console = Console(file=StringIO(), width=40)
    PlainView(console).update(state((ROW,)))
    assert lines_of(console)[1:] == [
        "  learning_rate 0.1 [seed 0]: epoch 3/5 val/iou 0.2500 train/loss 0.5000"
    ]


def test_every_message_is_printed_whole_and_as_it_is(clock: Callable[[float], None]) -> None:
    clock(0.0)
    console = Console(file=StringIO(), width=20)
    view = PlainView(console)
    messages = ["a message [bold] that is longer than the console is wide", "another", "another"]
    for message in messages:
        view.say(message)
    assert lines_of(console) == messages


def test_a_terminal_gets_the_live_view_and_a_log_plain_lines() -> None:
    log = open_view(Console(file=StringIO()))
    assert isinstance(log, PlainView)
    log.close()
    live = open_view(Console(file=StringIO(), force_terminal=True))
    assert isinstance(live, LiveView)
    live.close()


@pytest.mark.parametrize("metric", ["val/iou", "val/loss"])
def test_the_live_view_shows_each_running_trial_with_each_metric_once(metric: str) -> None:
    console = Console(file=StringIO(), force_terminal=True, width=160, color_system=None)
    view = LiveView(console)
    view.update(state((ROW,), metric=metric))
    view.say("kept [as it is]")
    view.close()
    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    for text in ("learning_rate 0.1 [seed 0] (attempt 2)", "3/5", "0.5000", "kept [as it is]"):
        assert text in shown
    header = next(line for line in shown.splitlines() if "device" in line)
    assert header.count("val/loss") == 1
    assert header.count(metric) == 1


RATE = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}
BATCH = {"stage": "batch", "vary": {"training.batch_size": [2, 4]}}
THRESHOLD = {
    "stage": "threshold",
    "after_training": True,
    "vary": {"evaluation.threshold": [0.3, 0.5]},
}


def take_snapshot(
    folder: Path,
    spec: StudySpec,
    *,
    ends: Callable[[list[PlannedCell]], list[PlannedCell]],
    proposals: Proposals | None = None,
) -> Snapshot:
    """Return the snapshot of a study of which some cells ended after 10 s each."""
    ledger = Ledger(folder / "workspace.db")
    ledger.save_study("demo", text="", resolved={}, environment={})
    tree = grow(spec, {}, data_fingerprint=data_fingerprint, proposals=proposals)
    ledger.plan("demo", tree.cells().values(), [])
    for cell in ends(list(tree.cells().values())):
        end = CellEnd(cell.id, Outcome.COMPLETE, "", {"val/iou": 0.5}, 1, 1.0, 10.0)
        ledger.settle("demo", end)
    tree = grow(
        spec, ledger.results("demo"), data_fingerprint=data_fingerprint, proposals=proposals
    )
    tally = Tally(spec)
    tally.count(tree, tree.cells(), ledger.results("demo"))
    meter = BudgetMeter(StudyBudget(), Spent(), 7.0, time.monotonic())
    found = snapshot(tree, tally, running=(ROW, ROW), meter=meter)
    ledger.close()
    return found


def test_a_snapshot_counts_the_cells_of_undecided_stages_too(
    tmp_path: Path, make_spec: MakeSpec
) -> None:
    spec = make_spec(RATE, BATCH, THRESHOLD, search={"replicates": 2})
    found = take_snapshot(tmp_path, spec, ends=lambda cells: cells[:1])
    assert (found.settled, found.planned) == (1, 4 + 4 + 4)
    assert found.outcomes == {"complete": 1}
    assert (found.stage, found.stage_number, found.stages) == ("rate", 1, 3)
    assert 7.0 <= found.elapsed_s < 60.0


def test_a_snapshot_expects_what_is_left_to_train_at_the_pace_so_far(
    tmp_path: Path, make_spec: MakeSpec
) -> None:
    spec = make_spec(RATE, BATCH, THRESHOLD, search={"replicates": 2})
    found = take_snapshot(tmp_path, spec, ends=lambda cells: cells[:1])
    assert found.remaining_s == pytest.approx((3 + 4) * 10.0 / 2), "thresholds need no training"


def test_a_snapshot_counts_what_a_sampler_has_yet_to_propose(
    tmp_path: Path, make_spec: MakeSpec
) -> None:
    sampled = {
        "stage": "rate",
        "vary": {"training.learning_rate": {"low": 0.01, "high": 0.1}},
        "sampler": "tpe",
        "trials": 5,
    }
    proposed = [{"training.learning_rate": rate} for rate in (0.02, 0.03)]
    spec = make_spec(sampled)
    found = take_snapshot(
        tmp_path, spec, ends=lambda cells: cells[:1], proposals={"rate": proposed}
    )
    assert (found.settled, found.planned) == (1, 5)
    assert found.remaining_s == pytest.approx(4 * 10.0 / 2)


def test_before_a_training_ended_nobody_knows_how_long_it_takes(
    tmp_path: Path, make_spec: MakeSpec
) -> None:
    found = take_snapshot(tmp_path, make_spec(RATE), ends=lambda _: [])
    assert found.remaining_s is None


def test_a_finished_study_is_in_its_last_stage(tmp_path: Path, make_spec: MakeSpec) -> None:
    found = take_snapshot(tmp_path, make_spec(RATE), ends=lambda cells: cells)
    assert (found.stage, found.stage_number, found.settled) == ("rate", 1, 2)
