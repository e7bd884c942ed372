"""The learning rate of an epoch and of a step, as functions of what came before; torch-free.

Stateless on purpose: an epoch's rate follows from the settings and the validation losses of the
epochs before it, and a step's from how many came before it, so a resumed run cannot differ from an
uninterrupted one.

    rate of a step = learning_rate(settings, losses) x step_factor(settings, place)

A schedule moves by epochs, in the first, or by steps, in the second.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from models.schedule_settings import (
    ConstantSchedule,
    CosineSchedule,
    CyclicalSchedule,
    FinalDropSchedule,
    MultiStepSchedule,
    OneCycleSchedule,
    PlateauSchedule,
    PolynomialSchedule,
    StepSchedule,
    Warmup,
)
from models.settings import TrainingSettings

PLATEAU_THRESHOLD = 1e-4  # a loss must fall by this share of the best to count as better
USUAL_DECAY = 0.97  # of a cycle's height in an epoch: Smith's 0.99994 in each of 500 steps


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a training an optimizer step lies."""

    epoch: int  # epochs that are over
    step: int  # steps that are over of the epoch under way
    steps: int  # of a whole epoch

    @property
    def epochs(self) -> float:
        """Epochs that are over, the one under way by its share of steps."""
        return self.epoch + self.step / self.steps

    @property
    def steps_over(self) -> int:
        """Steps before this one."""
        return self.epoch * self.steps + self.step


def learning_rate(training: TrainingSettings, val_losses: Sequence[float]) -> float:
    """Return the learning rate of the epoch that follows those with `val_losses`."""
    first, schedule, finished = training.learning_rate, training.schedule, len(val_losses)
    match schedule:
        case ConstantSchedule() | PolynomialSchedule() | CyclicalSchedule() | OneCycleSchedule():
            return first
        case StepSchedule():
            return first * schedule.factor ** (finished // schedule.every_epochs)
        case MultiStepSchedule():
            return first * schedule.factor ** sum(e <= finished for e in schedule.after_epochs)
        case FinalDropSchedule():
            is_last = finished >= training.epochs - schedule.last_epochs
            return first * (schedule.factor if is_last else 1.0)
        case PlateauSchedule():
            return first * schedule.factor ** _plateaus(val_losses, schedule.patience_epochs)
        case CosineSchedule():
            last = schedule.final_learning_rate
            share = (1 + math.cos(math.pi * finished / training.epochs)) / 2
            return last + (first - last) * share


def step_factor(training: TrainingSettings, place: Place) -> float:
    """Return what the learning rate of an epoch is multiplied by in one of its steps."""
    factor = warmup_factor(training.warmup, place.epochs)
    match training.schedule:
        case PolynomialSchedule(power=power):
            factor *= (1 - place.steps_over / (training.epochs * place.steps)) ** power
        case CyclicalSchedule():
            factor *= _cyclical(training.schedule, place)
        case OneCycleSchedule():
            schedule = training.schedule
            is_rising, share = _one_cycle(schedule, place, epochs=training.epochs)
            ends = (schedule.start_factor, 1.0) if is_rising else (1.0, schedule.final_factor)
            factor *= _cosine(*ends, share)
    return factor


def step_momentum(training: TrainingSettings, place: Place) -> float | None:
    """Return the momentum of a step; None where it is the optimizer's own in all of them."""
    schedule = training.schedule
    if not isinstance(schedule, OneCycleSchedule) or schedule.lowest_momentum is None:
        return None
    is_rising, share = _one_cycle(schedule, place, epochs=training.epochs)
    lowest, usual = schedule.lowest_momentum, training.usual_momentum()
    return _cosine(usual, lowest, share) if is_rising else _cosine(lowest, usual, share)


def warmup_factor(warmup: Warmup | None, epochs: float) -> float:
    """Return what the schedule's learning rate is multiplied by in an optimizer step.

    Args:
        warmup: Of the study; None: the rate is never less than the schedule's.
        epochs: That are over before the step, the one under way by its share of steps.
    """
    if warmup is None or epochs >= warmup.epochs:
        return 1.0
    return warmup.start_factor + (1 - warmup.start_factor) * epochs / warmup.epochs


def _cyclical(schedule: CyclicalSchedule, place: Place) -> float:
    """Return the share of the highest rate (Smith 2017, section 3.2)."""
    halves = place.steps_over / (schedule.half_cycle_epochs * place.steps)
    cycle, within = divmod(halves, 2)
    height = 1 - abs(within - 1)
    if schedule.shape == "triangular2":
        height *= 0.5**cycle
    elif schedule.shape == "exp_range":
        height *= (schedule.decay or USUAL_DECAY) ** place.epochs
    return schedule.low_factor + (1 - schedule.low_factor) * height


def _one_cycle(schedule: OneCycleSchedule, place: Place, *, epochs: int) -> tuple[bool, float]:
    """Return whether the rate rises, and how much of its rise or fall is over, 0 to 1.

    The first step is at the start, the last one at the end, and the step before `rising_share` of
    all of them is over, at the top; as torch's OneCycleLR has it.
    """
    total = epochs * place.steps
    top = max(0.0, schedule.rising_share * total - 1)
    if place.steps_over <= top:
        return True, place.steps_over / top if top else 1.0
    return False, (place.steps_over - top) / (total - 1 - top)


def _cosine(start: float, end: float, share: float) -> float:
    """Go from start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _plateaus(losses: Sequence[float], patience_epochs: int) -> int:
    """Count how often more than `patience_epochs` in a row brought no better loss."""
    best, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        if loss < best * (1 - PLATEAU_THRESHOLD):
            best, waited = loss, 0
        else:
            waited += 1
        if waited > patience_epochs:
            plateaus, waited = plateaus + 1, 0
    return plateaus
