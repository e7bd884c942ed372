"""What a study may use, over all its launches."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from studies.running.bookkeeping import reap
from studies.running.budgets import BudgetMeter, device_seconds
from studies.spec.budget_schema import StudyBudget
from studies.spec.schema import StudySpec
from studies.tree.growth import grow
from studies.tree.ledger import Ledger, TrialStart
from trackers.event_log import EventLog


def meter(
    budget: dict[str, Any], *, epochs: int = 0, earlier_s: float = 0.0, device_s: float = 0.0
) -> BudgetMeter:
    return BudgetMeter(
        StudyBudget.model_validate(budget), epochs, earlier_s, device_s, time.monotonic()
    )


def test_without_limits_nothing_is_exceeded() -> None:
    used = meter({}, epochs=10**9, earlier_s=1e9, device_s=1e9)
    assert used.exceeded(running_device_s=1e9) == ""


@pytest.mark.parametrize(
    ("epochs", "says"), [(9, ""), (10, "budget.study.epochs: 10 of 10 epochs used")]
)
def test_epochs_are_limited(epochs: int, says: str) -> None:
    assert meter({"epochs": 10}, epochs=epochs).exceeded(0.0) == says


@pytest.mark.parametrize(
    ("earlier_s", "says"), [(3599.0 - 60, ""), (3600.0, "budget.study.time: 1h used")]
)
def test_wall_time_of_all_launches_is_limited(earlier_s: float, says: str) -> None:
    assert meter({"time": "1h"}, earlier_s=earlier_s).exceeded(0.0) == says


def test_wall_time_of_this_launch_counts() -> None:
    used = meter({"time": "1h"})
    assert used.exceeded(0.0) == ""
    used.started_at -= 3600.0
    assert used.exceeded(0.0) == "budget.study.time: 1h used"


@pytest.mark.parametrize(
    ("ended_s", "running_s", "says"),
    [(1000.0, 799.0, ""), (1000.0, 800.0, "budget.study.gpu_hours: 0.5 hours used")],
)
def test_device_time_of_ended_and_running_trials_is_limited(
    ended_s: float, running_s: float, says: str
) -> None:
    assert meter({"gpu_hours": 0.5}, device_s=ended_s).exceeded(running_s) == says


def test_device_time_ends_with_the_trial_and_not_with_the_next_launch(
    tmp_path: Path, make_spec: Callable[..., StudySpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coordinator that was killed may be missed for days."""
    spec = make_spec({"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.2]}})
    ledger = Ledger(tmp_path / "workspace.db")
    ledger.save_study("demo", text="", resolved={}, environment={})
    cells = list(grow(spec, {}, data_fingerprint=data_fingerprint).cells().values())
    ledger.plan("demo", cells, [])
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    for cell in cells:
        ledger.start_trial("demo", TrialStart(cell.id, 1, "cpu", "here", cell.id, 1))
    log = EventLog(tmp_path / cells[0].id / "events.jsonl")  # the other wrote nothing
    now = 1030.0
    log.append("started", pid=1)
    log.close()
    assert device_seconds(ledger.trials("demo")) == 0.0, "none has ended"
    now += 7 * 86400.0
    assert reap(ledger, tmp_path, "demo") == 2
    assert device_seconds(ledger.trials("demo")) == 30.0
    ledger.close()
