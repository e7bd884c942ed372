"""From which epoch on does a configuration learn its training images by heart?

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

    def sentence(self, who: str) -> str:
        """Say it in a sentence that begins with whose losses they are."""
        return (
            f"{who} overfits after epoch {self.epoch}: until epoch {self.last_epoch} its "
            f"validation loss rises from {score(self.least)} to {score(self.last)} while its "
            "training loss goes on falling."
        )

    @property
    def brief(self) -> str:
        """Say it of one more configuration: "after epoch 3 (0.600 to 0.750)"."""
        return f"after epoch {self.epoch} ({score(self.least)} to {score(self.last)})"


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
