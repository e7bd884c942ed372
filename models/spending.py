"""What a training uses, counted as it runs, and what it may use at most; torch-free.

A trainer adds to its session's `Meter` what every step took, and asks it whether to go on. The
meter counts twice: for the cell, over all its attempts, whose sums a checkpoint keeps; and for
this attempt alone, which is what the attempt cost, work that is done again included.

What is counted by number (epochs, steps, images) ends a training exactly there. What is measured
(time, money, energy) ends it with the epoch under way, unless that takes it `OVERTIME` times as
far. Either way the weights are scored.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

OVERTIME = 1.5  # an epoch is cut short when a measured limit is exceeded this many times
HOUR_S = 3600.0
KWH_J = 3.6e6


def _nothing() -> None:
    """Measure no energy."""


@dataclass(slots=True)
class Spent:
    """Amounts used."""

    epochs: int = 0
    steps: int = 0  # of the optimizer
    images: int = 0  # trained on
    seconds: float = 0.0  # wall time of training and validation
    device_s: float = 0.0  # seconds times devices held; a shared GPU counts by its share
    energy_j: float | None = None  # of the devices; None: nothing measures it
    money: float | None = None  # None: nobody knows the device's price

    def add(self, other: "Spent") -> None:
        """Add another's amounts; what neither knows stays unknown."""
        for part in fields(Spent):
            mine, more = getattr(self, part.name), getattr(other, part.name)
            if more is not None:
                setattr(self, part.name, more if mine is None else mine + more)

    def to_state(self) -> dict[str, Any]:
        """Return plain types."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Spent":
        """Rebuild from what `to_state` returns; leave out what is of something else."""
        known = {part.name for part in fields(cls)}
        return cls(**{name: value for name, value in state.items() if name in known})


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """Most that a cell may use over all its attempts; None: without a limit."""

    epochs: int | None = None
    steps: int | None = None
    images: int | None = None
    seconds: float | None = None
    device_s: float | None = None
    energy_j: float | None = None
    money: float | None = None
    currency: str = ""

    def reached(self, spent: Spent) -> str:
        """Name the first limit that is used up, or return ""."""
        return self._counted(spent) or self._measured(spent, 1.0)

    def cuts(self, spent: Spent) -> str:
        """Name the limit for which an epoch is not even finished, or return ""."""
        is_epoch = self.epochs is not None and spent.epochs >= self.epochs
        return "" if is_epoch else self._counted(spent) or self._measured(spent, OVERTIME)

    def _counted(self, spent: Spent) -> str:
        for name in ("epochs", "steps", "images"):
            limit = getattr(self, name)
            if limit is not None and getattr(spent, name) >= limit:
                return f"limit of {limit} {name}"
        return ""

    def _measured(self, spent: Spent, times: float) -> str:
        words = {
            "seconds": f"time limit of {self.seconds or 0:g} s",
            "device_s": f"limit of {(self.device_s or 0) / HOUR_S:g} GPU-hours",
            "energy_j": f"limit of {(self.energy_j or 0) / KWH_J:g} kWh",
            "money": f"limit of {self.money or 0:g} {self.currency}",
        }
        for name, text in words.items():
            limit, used = getattr(self, name), getattr(spent, name)
            if limit is not None and used is not None and used >= times * limit:
                return text
        return ""


@dataclass(frozen=True, slots=True)
class HeldDevice:
    """What an attempt holds while it runs."""

    count: float = 1.0  # devices; a fraction of a shared one
    price_per_hour: float | None = None  # of a whole device; None: unknown
    energy_j: Callable[[], float | None] = _nothing  # used since the attempt began, its share


@dataclass(slots=True)
class Meter:
    """Counts what an attempt uses, and compares it with the limits of its cell."""

    limits: TrainingLimits = field(default_factory=TrainingLimits)
    device: HeldDevice = field(default_factory=HeldDevice)
    cell: Spent = field(default_factory=Spent)  # over all attempts
    attempt: Spent = field(default_factory=Spent)
    _known_energy_j: float = 0.0  # that was added already

    def restore(self, cell: Spent) -> None:
        """Go on from what the earlier attempts used, as a checkpoint says."""
        self.cell = cell

    def add(
        self, *, seconds: float = 0.0, epochs: int = 0, steps: int = 0, images: int = 0
    ) -> None:
        """Count what was just done; energy is read when an epoch ends, or where it is limited."""
        device_s = seconds * self.device.count
        price = self.device.price_per_hour
        money = None if price is None else device_s / HOUR_S * price
        is_read = bool(epochs) or self.limits.energy_j is not None
        energy_j = self._new_energy_j() if is_read else None
        more = Spent(epochs, steps, images, seconds, device_s, energy_j, money)
        self.cell.add(more)
        self.attempt.add(more)

    def reached(self) -> str:
        """Name the limit that ends the training once the epoch under way is over, or ""."""
        return self.limits.reached(self.cell)

    def cuts(self) -> str:
        """Name the limit that ends the epoch under way, or ""."""
        return self.limits.cuts(self.cell)

    def _new_energy_j(self) -> float | None:
        total = self.device.energy_j()
        if total is None:
            return None
        more, self._known_energy_j = total - self._known_energy_j, total
        return more
