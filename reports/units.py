"""Which unit makes the numbers of an axis easy to read?"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, by its name before "per cell" and its size in the smallest one."""

    name: str
    size: float


DEVICE_TIME = (
    Unit("device seconds", 1.0),
    Unit("device minutes", 60.0),
    Unit("device hours", 3600.0),
)
COMPUTE = tuple(
    Unit(f"training {prefix}MAC", 1e3**power) for power, prefix in enumerate(("", "k", *"MGTPE"))
)


def readable(values: Iterable[float], units: tuple[Unit, ...]) -> Unit:
    """Return the largest unit of which the largest value has at least two, else the smallest."""
    largest = max(values, default=0.0)
    return next((unit for unit in reversed(units) if largest >= 2 * unit.size), units[0])
