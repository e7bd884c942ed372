"""Telling that a training diverged, by the first number that is not finite."""

import torch
from torch import Tensor

from models.session import Diverged


def require_finite(values: Tensor, what: str) -> None:
    """Let no NaN or infinity through, on which counting would fail with an error of its own.

    Args:
        values: Of any shape; on a GPU this waits for them.
        what: Their name in the message: "val/loss".

    Raises:
        Diverged: one is not finite.
    """
    is_finite = torch.isfinite(values)
    if not is_finite.all():
        value = float(values[~is_finite].flatten()[0])
        raise Diverged(f"{what} must be finite, got {value}; try a smaller training.learning_rate")
