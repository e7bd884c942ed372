"""Why a training had no more epochs, in words; torch-free but for what it is told of."""

from models.epochs import ROUNDING
from models.progress import Progress
from models.settings import TrainingSettings

UNTRAINED = "training.epochs is 0: the weights that it starts from were scored"


def end_note(
    progress: Progress,
    training: TrainingSettings,
    *,
    limit: str,
    macs: float,
    steps: int,
    objective: str,
) -> str:
    """Say what ended a training, "" where all its epochs ran.

    Args:
        progress: At its end.
        training: With the epochs that `macs_limit` leaves.
        limit: That was reached, named; or "".
        macs: Multiply-accumulates spent.
        steps: Of a whole epoch.
        objective: That early stopping watches: "val/iou".
    """
    if progress.cut_at_step:
        return (
            f"{limit} reached in epoch {progress.epoch}, "
            f"which ended after step {progress.cut_at_step} of {steps}"
        )
    if not training.epochs:
        return UNTRAINED
    if progress.epoch >= training.epochs:
        asked = training.macs_limit
        if asked is None or macs < asked * (1 - ROUNDING):
            return ""
        return f"training.macs_limit of {asked:g} spent after epoch {progress.epoch}"
    if limit:
        return f"{limit} reached after epoch {progress.epoch}"
    return (
        f"stopped early after epoch {progress.epoch}: "
        f"no better {objective} since epoch {progress.best_epoch}"
    )
