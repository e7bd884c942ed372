"""How far a training is: what a checkpoint holds beside weights and random states."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from models.ranks import Ranks
from models.session import EpochReport
from models.spending import Spent


@dataclass(slots=True)
class Progress:
    """Counted from the first attempt on; `step` and what follows are of the epoch under way."""

    epoch: int = 0  # finished
    spent: Spent = field(default_factory=Spent)
    best_epoch: int = 0  # 0: none yet
    best_value: float = 0.0  # objective of `best_epoch`
    history: list[EpochReport] = field(default_factory=list)
    cut_at_step: int = 0  # where a limit ended the last epoch early; 0: nowhere
    step: int = 0  # optimizer steps
    epoch_images: int = 0
    epoch_train_s: float = 0.0  # without validation
    sums: dict[str, Tensor] = field(default_factory=dict)  # of `StepResult`, added up

    @property
    def val_losses(self) -> list[float]:
        """Validation loss of every finished epoch."""
        return [report.metrics["val/loss"] for report in self.history]

    def add(self, sums: Mapping[str, Tensor]) -> None:
        """Add a forward pass to the epoch's sums."""
        for name, value in sums.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value.clone()

    def join_sums(self, ranks: Ranks, device: torch.device) -> None:
        """Give the first rank the sums of all, and leave the others none."""
        if ranks.count == 1:
            return
        parts = ranks.gathered({name: value.cpu() for name, value in self.sums.items()})
        self.sums = {}
        for part in parts:
            self.add({name: value.to(device) for name, value in part.items()})

    def finish_epoch(self, report: EpochReport) -> None:
        """Start the next epoch."""
        self.history.append(report)
        self.epoch = report.epoch
        self.step, self.epoch_images, self.epoch_train_s = 0, 0, 0.0
        self.sums = {}

    def to_state(self) -> dict[str, Any]:
        """Return plain types and CPU tensors."""
        state = {part.name: getattr(self, part.name) for part in fields(self)}
        state["history"] = [asdict(report) for report in self.history]
        state["spent"] = self.spent.to_state()
        state["sums"] = {name: value.cpu() for name, value in self.sums.items()}
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any], device: torch.device) -> "Progress":
        """Rebuild from `to_state`, with the sums on the device.

        Checkpoints of before budgets counted no steps; a training goes on from them all the same.
        """
        known = {part.name for part in fields(cls)}
        progress = cls(**{name: value for name, value in state.items() if name in known})
        progress.spent = (
            Spent.from_state(state["spent"])
            if "spent" in state
            else Spent(state["epoch"], 0, state["images_seen"], state["wall_s"], state["wall_s"])
        )
        progress.history = [EpochReport(**report) for report in state["history"]]
        progress.sums = {name: value.to(device) for name, value in state["sums"].items()}
        return progress


class Lap:
    """Seconds since the last look."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def __call__(self) -> float:
        """Return the seconds and start again."""
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        return seconds
