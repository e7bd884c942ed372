"""What a study may use, and what it has used, over all its launches."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import RowMapping

from studies.spec.budget_schema import StudyBudget, duration_s

HOUR_S = 3600.0


@dataclass(slots=True)
class BudgetMeter:
    """Counts epochs, wall time and device time against a study's budget."""

    budget: StudyBudget
    epochs: int  # of all cells
    earlier_wall_s: float  # of earlier launches
    device_s: float  # of ended trials
    started_at: float  # monotonic seconds

    def exceeded(self, running_device_s: float) -> str:
        """Name the limit that is used up, or return ""."""
        budget = self.budget
        if budget.epochs is not None and self.epochs >= budget.epochs:
            return f"budget.study.epochs: {self.epochs} of {budget.epochs} epochs used"
        if budget.time is not None and self.wall_s() >= duration_s(budget.time):
            return f"budget.study.time: {budget.time} used"
        hours = (self.device_s + running_device_s) / HOUR_S
        if budget.gpu_hours is not None and hours >= budget.gpu_hours:
            return f"budget.study.gpu_hours: {budget.gpu_hours:g} hours used"
        return ""

    def wall_s(self) -> float:
        """Return the seconds of all launches so far."""
        return self.earlier_wall_s + time.monotonic() - self.started_at


def device_seconds(trials: Iterable[RowMapping]) -> float:
    """Return the seconds that ended trials held a device."""
    ended = [trial for trial in trials if trial["ended_at"] is not None]
    return float(sum(trial["ended_at"] - trial["started_at"] for trial in ended))
