"""What a launch shows while it runs; views draw it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class RunningRow:
    """One running trial, as a person would name it."""

    cell: str
    label: str  # "learning_rate 0.001, seed 0"
    attempt: int
    device: str
    epochs: int  # planned
    epoch: int = 0  # finished
    step: int = 0  # of the epoch that runs
    steps: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)  # of the last epoch


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a launch."""

    study: str
    stage: str
    stage_number: int  # 1-based
    stages: int
    outcomes: Mapping[str, int]  # outcome -> cells, of the whole study
    settled: int  # cells
    planned: int  # cells, those of undecided stages included
    running: tuple[RunningRow, ...]
    metric: str
    elapsed_s: float
    remaining_s: float | None  # None: not known yet


class View(Protocol):
    """Shows a launch to a person."""

    def update(self, snapshot: Snapshot) -> None:
        """Take in the newest state."""

    def say(self, message: str) -> None:
        """Print a line that stays."""

    def close(self) -> None:
        """Leave the terminal as it was."""
