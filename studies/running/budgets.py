"""What a study may use, and what it has used, over all its launches.

Time is watched as it passes; epochs, steps, images and energy are known when an epoch ends. When
a limit is reached, the trials that run write checkpoints and end; a launch with a larger budget
goes on from there. No trial is given less than its settings ask for because little is left: it
would be scored beside others that were trained longer.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from models.spending import HOUR_S, KWH_J, Spent
from studies.spec.budget_schema import StudyBudget, duration_s


@dataclass(slots=True)
class BudgetMeter:
    """Compares what all trials of a study used with its budget."""

    budget: StudyBudget
    ended: Spent  # by trials that ended, of all launches
    earlier_wall_s: float  # of earlier launches
    started_at: float  # monotonic seconds
    currency: str = ""

    def exceeded(self, running: Sequence[Spent]) -> str:
        """Name the limit that is used up, or return "".

        Args:
            running: What each running trial has used so far.
        """
        used = self.used(running)
        budget = self.budget
        counted = {"epochs": budget.epochs, "steps": budget.steps, "images": budget.images}
        for name, most in counted.items():
            if most is not None and getattr(used, name) >= most:
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

    def wall_s(self) -> float:
        """Return the seconds of all launches so far."""
        return self.earlier_wall_s + time.monotonic() - self.started_at
