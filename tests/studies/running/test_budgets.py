"""What a study may use, over all its launches."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from models.spending import Spent
from studies.running.bookkeeping import reap
from studies.running.budgets import BudgetMeter
from studies.running.costs import spent_by
from studies.spec.budget_schema import StudyBudget
from studies.spec.schema import StudySpec
from studies.tree.growth import grow
from studies.tree.ledger import Ledger, TrialStart
from trackers.event_log import EventLog


def meter(
    budget: dict[str, Any], ended: Spent | None = None, *, earlier_s: float = 0.0
) -> BudgetMeter:
    limits = StudyBudget.model_validate(budget)
    return BudgetMeter(limits, ended or Spent(), earlier_s, time.monotonic(), currency="USD")


def test_without_limits_nothing_is_exceeded() -> None:
    most = Spent(10**9, 10**9, 10**9, 1e9, 1e9, 1e12, 1e9)
    assert meter({}, most, earlier_s=1e9).exceeded([most]) == ""


@pytest.mark.parametrize(
    ("budget", "below", "reached", "says"),
    [
        ({"epochs": 10}, Spent(epochs=5), Spent(epochs=6), "epochs: 10 of 10 epochs used"),
        ({"steps": 10}, Spent(steps=5), Spent(steps=9), "steps: 13 of 10 steps used"),
        ({"images": 90}, Spent(images=85), Spent(images=86), "images: 90 of 90 images used"),
        (
            {"gpu_hours": 0.5},
            Spent(device_s=1795.0),
            Spent(device_s=1796.0),
            "gpu_hours: 0.5 hours used",
        ),
        ({"money": 3.5}, Spent(money=1.4), Spent(money=1.5), "money: 3.5 USD used"),
        (
            {"energy_kwh": 0.5},
            Spent(energy_j=1.79e6),
            Spent(energy_j=1.8e6),
            "energy_kwh: 0.5 kWh used",
        ),
    ],
)
def test_what_ended_and_running_trials_used_is_limited(
    budget: dict[str, Any], below: Spent, reached: Spent, says: str
) -> None:
    ended = Spent(4, 4, 4, 4.0, 4.0, 0.0, 2.0)
    known = Spent(money=0.0)
    assert meter(budget, ended).exceeded([with_money(below), known]) == ""
    assert meter(budget, ended).exceeded([with_money(reached), known]) == f"budget.study.{says}"


def with_money(spent: Spent) -> Spent:
    spent.money = spent.money or 0.0
    return spent


def test_a_limit_of_money_stops_at_a_trial_whose_price_nobody_knows() -> None:
    assert "has no price; see budget.prices" in meter({"money": 1.0}).exceeded([Spent()])


@pytest.mark.parametrize(
    ("earlier_s", "says"), [(3599.0 - 60, ""), (3600.0, "budget.study.time: 1h used")]
)
def test_wall_time_of_all_launches_is_limited(earlier_s: float, says: str) -> None:
    assert meter({"time": "1h"}, earlier_s=earlier_s).exceeded([]) == says


def test_wall_time_of_this_launch_counts() -> None:
    used = meter({"time": "1h"})
    assert used.exceeded([]) == ""
    used.started_at -= 3600.0
    assert used.exceeded([]) == "budget.study.time: 1h used"


@pytest.mark.parametrize("name", ["epochs", "steps", "images"])
def test_a_plan_that_takes_all_of_a_number_is_finished(name: str) -> None:
    used = meter({name: 4}, Spent(4, 4, 4))
    assert used.exceeded([], is_training_left=False) == ""
    assert used.exceeded([], is_training_left=True) == f"budget.study.{name}: 4 of 4 {name} used"


def test_wall_time_is_written_down_every_minute() -> None:
    used = meter({}, earlier_s=100.0)
    assert used.to_save() is None
    used.started_at -= 61.0
    assert used.to_save() == pytest.approx(161.0, abs=5.0)
    assert used.to_save() is None


def test_what_is_running_is_not_added_to_what_ended() -> None:
    used = meter({}, Spent(epochs=1))
    assert used.used([Spent(epochs=2)]).epochs == 3
    assert used.ended.epochs == 1


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
    log.append("started", pid=1, costs={"devices": 2.0, "price_per_hour": 120.0, "images": 7})
    log.close()
    assert spent_by(ledger.trials("demo")).device_s == 0.0, "none has ended"
    now += 7 * 86400.0
    assert reap(ledger, tmp_path, "demo") == 2
    spent = spent_by(ledger.trials("demo"))
    assert (spent.seconds, spent.device_s, spent.images, spent.money) == (30.0, 60.0, 7, 2.0)
    ledger.close()
