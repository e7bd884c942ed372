"""What detectors are given and what they return.

    training mode              images, targets ──► `Learned`: losses and measures of the batch
    evaluation mode            images          ──► detections
    evaluation mode, targets   images, targets ──► `Scored`: detections; losses, measures per image

The last one lets a validation loss cost no second pass through the backbone. It changes neither
the network nor the random state. In evaluation mode, neither what is found in an image nor its
losses depend on the images beside it.
"""

from collections.abc import Sequence
from typing import NamedTuple, NotRequired, TypeAlias, TypedDict

from torch import Tensor


class Target(TypedDict):
    """The objects of an image."""

    boxes: Tensor  # (n, 4) float32, xyxy, pixels of the image, both sides above 0
    labels: Tensor  # (n,) int64 from 1; 0 is the background
    masks: NotRequired[Tensor]  # (n, h, w) bool; where the task has masks


class Targets:
    """The objects of a batch; a class that says nothing of its insides to Fabric.

    In mixed precision Fabric casts every float that it finds in what a network is given, and a
    bfloat16 tells coordinates beyond 256 pixels apart only by twos and fours.
    """

    __slots__ = ("of_images",)

    def __init__(self, of_images: Sequence[Target]) -> None:
        self.of_images = list(of_images)


class Detection(TypedDict):
    """What was found in an image, the highest score first."""

    boxes: Tensor  # (n, 4) float32, xyxy, pixels of the image
    labels: Tensor  # (n,) int64 from 1
    scores: Tensor  # (n,) float32 in [0, 1]
    masks: NotRequired[Tensor]  # (n, 1, h, w) float32 probability; where the task has masks


Losses: TypeAlias = dict[str, Tensor]  # name -> () of a batch, or (b,) of its images
# Name -> (2,) of a batch, or (b, 2) of its images: a sum, and the number of what was summed. They
# are logged as their quotient and minimised by nobody.
Measures: TypeAlias = dict[str, Tensor]


class Learned(NamedTuple):
    """What a network returns in training mode."""

    losses: Losses  # each (), a mean over the batch; their sum is minimised
    measures: Measures  # each (2,)


class Scored(NamedTuple):
    """What a network returns in evaluation mode when it is given targets."""

    detections: list[Detection]  # one per image
    losses: Losses  # each (b,)
    measures: Measures  # each (b, 2)
