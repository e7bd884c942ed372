"""What a check of the environment finds, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `visionstudy doctor`."""

    name: str
    state: State  # fail: a launch would not work; warn: it would, with less than there could be
    finding: str
    fix: str = ""  # what to do; "" where it is ok


def ok(name: str, finding: str) -> Check:
    """Return that something is as it should be."""
    return Check(name, "ok", finding)
