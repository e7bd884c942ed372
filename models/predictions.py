"""What a network says of a picture that nobody labelled; on the CPU, at the network's size.

Each task's predictor (`TaskEntry.predictor`) returns one of these per picture. Whoever asked
brings it back to the picture's own size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class PixelProbabilities:
    """How probable each label is, pixel by pixel."""

    values: Tensor  # (channels, h, w) float32 in [0, 1]; of the input's centre where smaller
    labels: tuple[int, ...]  # (channels,) label index, in the order of the network's class names
    is_exclusive: bool  # a softmax over all labels; else a sigmoid each


@dataclass(frozen=True, slots=True)
class FoundMask:
    """Where an object's mask may be, and how probable it is there; elsewhere it is not."""

    top: int  # pixels of the network's input
    left: int
    values: Tensor  # (h, w) float32 in [0, 1]


@dataclass(frozen=True, slots=True)
class FoundObjects:
    """The objects of a picture, the highest score first."""

    input_hw: tuple[int, int]  # of the network's input, pixels
    boxes_xyxy: Tensor  # (n, 4) float32 pixels of the network's input
    labels: Tensor  # (n,) int64 index of the network's class names
    scores: Tensor  # (n,) float32 in [0, 1]
    masks: tuple[FoundMask, ...] | None  # n; None: boxes alone


@dataclass(frozen=True, slots=True)
class ClassProbabilities:
    """How probable each class is, of a whole clip."""

    values: Tensor  # (classes,) float32 in [0, 1], of sum 1; in the order of the class names


Prediction: TypeAlias = PixelProbabilities | FoundObjects | ClassProbabilities


class Predictor(Protocol):
    """Turns pictures into predictions by way of a network."""

    def __call__(self, network: nn.Module, images: Sequence[Tensor]) -> list[Prediction]:
        """Predict a batch; the network is in evaluation mode, and no gradients are wanted.

        Args:
            network: On the device of the images.
            images: (3, h, w) each, uint8 RGB, or float32 where the study normalises; clips
                (3, t, h, w), or (5, t, h, w) with optical flow.

        Returns:
            One per image, in order.
        """
