"""What a study may use, and what it has used, over all its launches.

Time is watched as it passes; epochs, steps, images and energy are known when an epoch ends. When
a limit is reached, the trials that run write checkpoints and end; a launch with a larger budget
goes on from there. A plan that takes exactly what a number allows fits: what was trained is
decided and scored, and only further training is not begun. No trial is given less than its
settings ask for because little is left: it would be scored beside others that were trained longer.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from models.spending import HOUR_S, KWH_J, Spent
from studies.spec.budget_schema import StudyBudget, duration_s

SAVE_EVERY_S = 60.0  # so much wall time is given back by a coordinator that is killed


@dataclass(slots=True)
class BudgetMeter:
    """Compares what all trials of a study used with its budget."""

    budget: StudyBudget
    ended: Spent  # by trials that ended, of all launches
    earlier_wall_s: float  # of earlier launches
    started_at: float  # monotonic seconds
    currency: str = ""
    _saved_s: float = field(init=False)  # wall time that was written down

    def __post_init__(self) -> None:
        self._saved_s = self.earlier_wall_s

    def exceeded(self, running: Sequence[Spent], *, is_training_left: bool = True) -> str:
        """Name the limit that is used up, or return "".

        Args:
            running: What each running trial has used so far.
            is_training_left: Whether any of them trains on, or a cell waits to be trained; else
                epochs, steps and images that are used up keep nothing from being finished.
        """
        used = self.used(running)
        budget = self.budget
        counted = {"epochs": budget.epochs, "steps": budget.steps, "images": budget.images}
        for name, most in counted.items():
            if is_training_left and most is not None and getattr(used, name) >= most:
                return f"budget.study.{name}: {getattr(used, name)} of {most} {name} used"
        if budget.time is not None and self.wall_s() >= duration_s(budget.time):
            return f"budget.study.time: {budget.time} used"
        if budget.gpu_hours is not None and used.device_s / HOUR_S >= budget.gpu_hours:
            return f"budget.study.gpu_hours: {budget.gpu_hours:g} hours used"
        if budget.money is not None and any(each.money is None for each in running):
            return "budget.study.money: a trial's device has no price; see budget.prices"
        if budget.money is not None and (used.money or 0.0) >= budget.money:
            return f"budget.study.money: {budget.money:g} {self.currency} used"
        if budget.energy_kwh is not None and (used.energy_j or 0.0) / KWH_J >= budget.energy_kwh:
            return f"budget.study.energy_kwh: {budget.energy_kwh:g} kWh used"
        return ""

    def used(self, running: Sequence[Spent]) -> Spent:
        """Sum up what ended and running trials used."""
        total = Spent()
        total.add(self.ended)
        for each in running:
            total.add(each)
        return total

    def to_save(self) -> float | None:
        """Return the wall time to write down now; None: that was done not long ago."""
        now_s = self.wall_s()
        if now_s - self._saved_s < SAVE_EVERY_S:
            return None
        self._saved_s = now_s
        return now_s

    def wall_s(self) -> float:
        """Return the seconds of all launches so far."""
        return self.earlier_wall_s + time.monotonic() - self.started_at
