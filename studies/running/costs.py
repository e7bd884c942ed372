"""What an attempt cost, as its events and the ledger keep it.

    seconds         wall time from the start of its process to its end
    devices         GPUs held, a shared one by its share; CPU workers
    device_s        seconds times devices
    epochs, steps, images    that it trained, those that it did again included
    energy_j        of the GPUs; null: nothing counts it
    peak_memory_mb  most memory used, MiB: of the GPU, or of the process on a CPU; null: unknown
    price_per_hour, provider, currency, money    null: nobody knows the device's price

Limits count training and validation alone; these are all that the device was held for.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping

from models.session import EpochReport
from models.spending import HOUR_S, HeldDevice, Meter, Spent
from studies.running.energy import EnergyCounter
from studies.running.trial_order import Slot, TrialOrder
from trackers.records import JsonValue


@dataclass(slots=True)
class AttemptCosts:
    """Counts an attempt's costs while it runs, in its own process."""

    order: TrialOrder
    slot: Slot
    meter: Meter = field(init=False)  # for the trainer
    _started_at: float = field(default_factory=time.monotonic)
    _peak_memory_mb: float | None = None

    def __post_init__(self) -> None:
        price = self.order.price
        self.meter = Meter(
            limits=self.order.limits,
            device=HeldDevice(
                count=devices_of(self.slot),
                price_per_hour=None if price is None else price.per_hour,
                energy_j=EnergyCounter(self.slot.gpus, self.slot.share),
            ),
        )

    def note_epoch(self, report: EpochReport) -> None:
        """Remember the most memory that an epoch says it took."""
        peak = report.metrics.get("peak_memory_mb")
        if peak is not None:
            self._peak_memory_mb = max(self._peak_memory_mb or 0.0, peak)

    def so_far(self) -> dict[str, JsonValue]:
        """Return what the attempt has cost until now."""
        device, spent = self.meter.device, self.meter.attempt
        costs: dict[str, JsonValue] = {
            **held_by(self.order, self.slot),
            "epochs": spent.epochs,
            "steps": spent.steps,
            "images": spent.images,
            "energy_j": device.energy_j(),
            "peak_memory_mb": self._peak_memory_mb,
        }
        return held_for(costs, time.monotonic() - self._started_at)


def held_by(order: TrialOrder, slot: Slot) -> dict[str, JsonValue]:
    """Return what an attempt holds, and at which price."""
    price = order.price
    return {
        "devices": devices_of(slot),
        "price_per_hour": None if price is None else price.per_hour,
        "provider": None if price is None else price.provider,
        "currency": None if price is None else price.currency,
    }


def held_for(costs: Mapping[str, Any], seconds: float) -> dict[str, JsonValue]:
    """Return costs with the time that the device was held, and what follows from it."""
    device_s = seconds * costs.get("devices", 1.0)
    price = costs.get("price_per_hour")
    money = None if price is None else device_s / HOUR_S * price
    return {**costs, "seconds": seconds, "device_s": device_s, "money": money}


def final_costs(costs: Mapping[str, Any], seconds: float) -> dict[str, JsonValue]:
    """Return what an attempt cost whose process may have ended without a word.

    Args:
        costs: The last that it said.
        seconds: From its start to its end, as its coordinator saw them.
    """
    return held_for(costs, max(seconds, costs.get("seconds", 0.0)))


def spent_by(trials: Iterable[RowMapping]) -> Spent:
    """Sum up what ended trials used; of those from before costs were kept, their time alone."""
    total = Spent()
    for trial in trials:
        if trial["ended_at"] is not None:
            costs = trial["costs"] or held_for({}, trial["ended_at"] - trial["started_at"])
            total.add(Spent.from_state(costs))
    return total


def devices_of(slot: Slot) -> float:
    """Return how many GPUs a slot holds, a shared one by its share; or 1 CPU worker."""
    return max(1, len(slot.gpus)) * slot.share
