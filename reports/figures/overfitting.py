"""From which epoch on does the winner learn its training images by heart?

The epoch where the mean validation loss is least, if from there on training loss goes on falling
and validation loss ends clearly above: by more than `CLEAR_RISE` of its least value. Of a smaller
rise nobody can say whether it is one.
"""

from dataclasses import dataclass

from reports.figures.curve_lines import CurveLine
from reports.notation import score

TRAINING, VALIDATION = "train/loss", "val/loss"
CLEAR_RISE = 0.1  # of the least validation loss


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Where validation turned, of one configuration's mean over seeds."""

    epoch: int  # of the least validation loss
    last_epoch: int
    least: float  # validation loss in `epoch`
    last: float  # validation loss in `last_epoch`

    @property
    def sentence(self) -> str:
        """Say it in a sentence."""
        return (
            f"The winner overfits after epoch {self.epoch}: until epoch {self.last_epoch} its "
            f"validation loss rises from {score(self.least)} to {score(self.last)} while its "
            "training loss goes on falling."
        )


def overfitting(training: CurveLine, validation: CurveLine) -> Overfitting | None:
    """Find where a configuration begins to overfit; None where it does not.

    Args:
        training: Mean training loss over seeds.
        validation: Mean validation loss over seeds.
    """
    fitted = {
        epoch: value
        for epoch, value in zip(training.epochs, training.values, strict=True)
        if value is not None
    }
    known = [
        (epoch, value)
        for epoch, value in zip(validation.epochs, validation.values, strict=True)
        if value is not None and epoch in fitted
    ]
    if not known:
        return None
    turn, least = min(known, key=lambda point: point[1])
    last_epoch, last = known[-1]
    is_clear = last - least > CLEAR_RISE * abs(least)
    if not is_clear or fitted[last_epoch] >= fitted[turn]:
        return None
    return Overfitting(turn, last_epoch, least, last)
