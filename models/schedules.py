"""The learning rate of an epoch and of a step, as functions of what came before; torch-free.

Stateless on purpose: an epoch's rate follows from the settings and the validation losses of the
epochs before it, and a step's from how many came before it, so a resumed run cannot differ from an
uninterrupted one.
"""

import math
from collections.abc import Sequence

from models.schedule_settings import (
    ConstantSchedule,
    CosineSchedule,
    PlateauSchedule,
    StepSchedule,
    Warmup,
)
from models.settings import TrainingSettings

PLATEAU_THRESHOLD = 1e-4  # a loss must fall by this share of the best to count as better


def learning_rate(training: TrainingSettings, val_losses: Sequence[float]) -> float:
    """Return the learning rate of the epoch that follows those with `val_losses`."""
    first, schedule, finished = training.learning_rate, training.schedule, len(val_losses)
    match schedule:
        case ConstantSchedule():
            return first
        case StepSchedule():
            return first * schedule.factor ** (finished // schedule.every_epochs)
        case PlateauSchedule():
            return first * schedule.factor ** _plateaus(val_losses, schedule.patience_epochs)
        case CosineSchedule():
            last = schedule.final_learning_rate
            share = (1 + math.cos(math.pi * finished / training.epochs)) / 2
            return last + (first - last) * share


def warmup_factor(warmup: Warmup | None, epochs: float) -> float:
    """Return what the schedule's learning rate is multiplied by in an optimizer step.

    Args:
        warmup: Of the study; None: the rate is never less than the schedule's.
        epochs: That are over before the step, the one under way by its share of steps.
    """
    if warmup is None or epochs >= warmup.epochs:
        return 1.0
    return warmup.start_factor + (1 - warmup.start_factor) * epochs / warmup.epochs


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
