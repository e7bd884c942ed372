"""How many epochs fit into a compute limit; torch-free.

The number is fixed before the first step, from what an epoch costs: it depends on no clock, so a
resumed training has as many as one that was not interrupted, and the schedule knows its end.
"""

import math

from models.schedule_settings import spans
from models.settings import TrainingSettings

FORWARD_PASSES = 3  # a training step costs three: forward, and backward twice as much
ROUNDING = 1e-9  # share of an epoch that a sum of products may be off


def training_macs(macs_per_image: float, images: int) -> float:
    """Return the multiply-accumulates of training on so many images."""
    return FORWARD_PASSES * macs_per_image * images


def with_last_epoch(training: TrainingSettings, epoch_macs: float) -> TrainingSettings:
    """Return the settings with the epochs that `macs_limit` leaves, if it is set.

    Args:
        training: Of a cell.
        epoch_macs: Multiply-accumulates of one epoch; 0 where nothing is computed.

    Raises:
        ValueError: the warm-up would not be over, or the schedule have no time for what it does.
    """
    if training.macs_limit is None or not epoch_macs:
        return training
    fitting = max(1, math.ceil(training.macs_limit / epoch_macs - ROUNDING))
    epochs = min(training.epochs, fitting)
    # With 0 epochs nothing is trained, and settings without a limit are checked by themselves.
    for span in spans(training.schedule, training.warmup) if epochs < training.epochs else ():
        if span.epochs >= epochs:
            raise ValueError(
                f"training.{span.name} must be below the {epochs} of {training.epochs} epochs "
                f"that training.macs_limit {training.macs_limit:g} leaves at {epoch_macs:g} each, "
                f"or {span.lost}; got {span.epochs:g}; {span.mend}, or raise macs_limit"
            )
    return training.model_copy(update={"epochs": epochs})
