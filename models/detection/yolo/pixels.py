"""The pixels that Darknet's weights know."""

from torch import Tensor


def zero_to_one(images: Tensor) -> Tensor:
    """Bring pixels from [-1, 1] to [0, 1], which Darknet's weights expect.

    What a batch is padded with becomes the grey that Darknet pads with.
    """
    return (images + 1) / 2
