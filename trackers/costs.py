"""What trials cost, added up: of a cell, a stage or a study.

An attempt's costs are written by `studies.running.costs`, which says what each name means. Of a
trial from before costs were kept, or whose process never said a word, the time is known alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from trackers.records import TrialRecord

SUMMED = ("device_s", "epochs", "steps", "images", "energy_j", "money")


@dataclass(frozen=True, slots=True)
class Costs:
    """Sums over trials; None: of none of them it is known."""

    trials: int = 0
    seconds: float = 0.0  # wall time of processes
    device_s: float = 0.0  # seconds times GPUs held, or CPU workers
    epochs: float = 0.0
    steps: float = 0.0
    images: float = 0.0
    energy_j: float | None = None
    money: float | None = None
    currency: str = ""  # "USD"; with two of them there is no sum: money is None
    peak_memory_mb: float | None = None  # the largest, MiB
    is_partial: bool = False  # energy or money of some trials is known, of others not


def costs_of(trials: Iterable[TrialRecord]) -> Costs:
    """Add up what ended trials cost."""
    ended = [trial for trial in trials if trial.ended_at is not None]
    known = [_known(trial) for trial in ended]
    sums = {
        name: [costs[name] for costs in known if costs.get(name) is not None] for name in SUMMED
    }
    currencies = {str(c["currency"]) for trial in ended if (c := trial.costs).get("currency")}
    money = sum(sums["money"]) if sums["money"] and len(currencies) <= 1 else None
    peaks = [costs["peak_memory_mb"] for costs in known if costs.get("peak_memory_mb") is not None]
    return Costs(
        trials=len(ended),
        seconds=sum(costs["seconds"] for costs in known),
        device_s=sum(sums["device_s"]),
        epochs=sum(sums["epochs"]),
        steps=sum(sums["steps"]),
        images=sum(sums["images"]),
        energy_j=sum(sums["energy_j"]) if sums["energy_j"] else None,
        money=money,
        currency=currencies.pop() if len(currencies) == 1 else "",
        peak_memory_mb=max(peaks, default=None),
        is_partial=any(0 < len(sums[name]) < len(ended) for name in ("energy_j", "money")),
    )


def _known(trial: TrialRecord) -> dict[str, float]:
    """Return the numbers among a trial's costs; at least its time."""
    seconds = (trial.ended_at or trial.started_at) - trial.started_at
    numbers = {
        name: float(value)
        for name, value in trial.costs.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return {"seconds": seconds, "device_s": seconds, **numbers}
