"""What a training uses and may use, over all its attempts."""

from collections.abc import Callable
from typing import Any

import pytest

from models.noop import train as train_noop
from models.noop_settings import NoopSettings
from models.progress import Progress
from models.session import EpochReport, Interrupted
from models.spending import HeldDevice, Meter, Spent, TrainingLimits
from models.training import train


def meter(**limits: Any) -> Meter:
    return Meter(TrainingLimits(**limits))


@pytest.mark.parametrize(
    ("limits", "epochs", "note"),
    [
        ({"steps": 3}, 1, "limit of 3 steps reached after epoch 1"),
        (
            {"steps": 4},
            2,
            "limit of 4 steps reached in epoch 2, which ended after step 1 of 3",
        ),
        (
            {"images": 9},
            2,
            "limit of 9 images reached in epoch 2, which ended after step 2 of 3",
        ),
        ({"epochs": 2}, 2, "limit of 2 epochs reached after epoch 2"),
        ({"steps": 100}, 3, ""),
    ],
)
def test_counted_limit_ends_the_training_exactly_there(
    limits: dict[str, int], epochs: int, note: str, attempts: Callable[..., Any]
) -> None:
    used = meter(**limits)
    result = train(attempts().session(meter=used))
    assert (result.epochs, result.note) == (epochs, note)
    for name, limit in limits.items():
        assert getattr(used.cell, name) == min(limit, 9)


def test_counted_limit_holds_over_attempts(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"epochs": 9})
    first, second = meter(steps=7), meter(steps=7)
    with pytest.raises(Interrupted):
        train(cell.session(meter=first, stop_at_poll=5))
    result = train(cell.session(meter=second))
    assert result.note == "limit of 7 steps reached in epoch 3, which ended after step 1 of 3"
    assert (second.cell.steps, second.cell.epochs) == (7, 3)
    assert 0 < second.attempt.steps < 7
    assert first.attempt.steps + second.attempt.steps == 7
    undisturbed = attempts(training={"epochs": 9})
    expected = train(undisturbed.session(meter=meter(steps=7)))
    assert result.metrics == expected.metrics


@pytest.mark.parametrize(
    ("limits", "note"),
    [
        ({"money": 0.6, "currency": "EUR"}, "limit of 0.6 EUR reached after epoch 2"),
        ({"device_s": 500.0}, "limit of 0.138889 GPU-hours reached after epoch 2"),
        ({"energy_j": 18e3}, "limit of 0.005 kWh reached after epoch 2"),
    ],
)
def test_measured_limit_ends_with_the_epoch(
    limits: dict[str, Any], note: str, attempts: Callable[..., Any], monkeypatch: Any
) -> None:
    now = [0.0]

    def passing() -> float:
        now[0] += 100.0
        return now[0]

    monkeypatch.setattr("models.noop.time.monotonic", passing)
    joules = iter(range(9_000, 900_000, 9_000))
    device = HeldDevice(count=2.0, price_per_hour=4.5, energy_j=lambda: float(next(joules)))
    used = Meter(TrainingLimits(**limits), device)
    cell = attempts(NoopSettings(), {"epochs": 50})
    assert train_noop(cell.session(meter=used)).note == note
    assert used.cell.device_s == 2 * used.cell.seconds
    assert used.cell.money == pytest.approx(used.cell.device_s / 3600 * 4.5)
    assert used.cell.energy_j == 18_000.0


def test_what_nobody_measures_reaches_no_limit() -> None:
    limits = TrainingLimits(energy_j=1.0, money=1.0)
    assert limits.reached(Spent(epochs=9, seconds=1e9)) == ""


def test_measured_limit_cuts_an_epoch_at_half_as_much_again() -> None:
    limits = TrainingLimits(seconds=10.0)
    assert limits.reached(Spent(seconds=10.0)) == "time limit of 10 s"
    assert limits.cuts(Spent(seconds=14.9)) == ""
    assert limits.cuts(Spent(seconds=15.0)) == "time limit of 10 s"


def test_noop_keeps_what_it_used_over_attempts(attempts: Callable[..., Any]) -> None:
    cell = attempts(NoopSettings(images=10, epoch_seconds=0.01), {"epochs": 4, "batch_size": 4})
    used = meter()
    with pytest.raises(Interrupted):
        train_noop(cell.session(stop_at_poll=2))
    train_noop(cell.session(meter=used))
    assert (used.cell.epochs, used.cell.steps, used.cell.images) == (4, 12, 40)
    assert used.attempt.epochs <= 4


def test_sums_leave_unknown_what_neither_knows() -> None:
    total = Spent(epochs=1, energy_j=2.0)
    total.add(Spent(epochs=2, money=0.5))
    assert total == Spent(epochs=3, energy_j=2.0, money=0.5)


def test_checkpoint_of_before_budgets_is_read() -> None:
    report = EpochReport(1, {"val/loss": 1.0}, 2.5, 8, 0.0)
    state = Progress(epoch=1, history=[report]).to_state()
    del state["spent"]
    read = Progress.from_state({**state, "wall_s": 2.5, "images_seen": 8}, "cpu")  # type: ignore[arg-type]
    assert (read.spent.seconds, read.spent.images, read.spent.epochs) == (2.5, 8, 1)
