"""A picture of classified images: some that are right, and the surest mistakes.

Right ones are each of another class as far as there are; mistakes are those of the highest
probability. Below each image is its Grad-CAM: what spoke for the first guess, from dark to bright.
What is kept of a split does not grow with its images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.tasks.segmentation_evaluator import shown
from models.tasks.strips import (
    FALSE_FIND,
    GAP,
    HEADING,
    RIGHT,
    TILE,
    ByteArray,
    resized,
    save_rows,
    side_by_side,
    write,
)

COLUMNS = 4  # images of each kind, side by side
GUESSES = 3
LINE = 24  # pixels of a line of words


@dataclass(frozen=True, slots=True)
class ImageProbe:
    """One image, what it shows and what was predicted."""

    image: ByteArray  # (h, w, 3) RGB
    label: int
    probabilities: NDArray[np.float32]  # (classes,)
    grad_cam: ByteArray | None = None  # (h, w, 3) over the image; None: the network has no map

    @property
    def is_right(self) -> bool:
        """Whether the most probable class, the first of equals, is the true one."""
        return int(self.probabilities.argmax()) == self.label

    @property
    def confidence(self) -> float:
        """Probability of the most probable class."""
        return float(self.probabilities.max())


def probe_of(image: Tensor, label: int, probabilities: NDArray[np.float32]) -> ImageProbe:
    """Keep an image (3, h, w), uint8 or normalised, at the size at which it is drawn."""
    pixels = shown(image).permute(1, 2, 0).cpu().numpy()
    # A tiny image shows its pixels as squares, for that is what the network is given.
    is_tiny = max(pixels.shape[:2]) < TILE
    tile = resized(pixels, cv2.INTER_NEAREST if is_tiny else cv2.INTER_AREA)
    return ImageProbe(tile, label, probabilities)


def chosen(probes: Sequence[ImageProbe]) -> list[ImageProbe]:
    """Return those to draw, right ones first; of equals those that came first."""
    right = [probe for probe in probes if probe.is_right]
    first = {probe.label: probe for probe in reversed(right)}  # of each class
    rest = [probe for probe in right if first[probe.label] is not probe]
    kept = [*(probe for probe in right if first[probe.label] is probe), *rest][:COLUMNS]
    wrong = sorted((p for p in probes if not p.is_right), key=lambda probe: -probe.confidence)
    return [*kept, *wrong[:COLUMNS]]


def save_classification_strip(
    file: Path, probes: Sequence[ImageProbe], class_names: Sequence[str]
) -> None:
    """Write a row of right images and a row of mistakes under their guesses, as PNG."""
    rows = []
    for title, is_right in (("right", True), ("surest mistakes", False)):
        tiles = [_tile(each, class_names) for each in probes if each.is_right is is_right]
        rows += [_heading(title, tiles), *_row(tiles)]
    save_rows(file, rows)


def guesses(probabilities: NDArray[np.float32], class_names: Sequence[str]) -> list[str]:
    """Return the most probable classes, the first of equals first: ["bee 0.72", "ant 0.28"]."""
    order = np.argsort(-probabilities, kind="stable")[:GUESSES]
    return [f"{class_names[each]} {probabilities[each]:.2f}" for each in order]


def _heading(title: str, tiles: Sequence[ByteArray]) -> ByteArray:
    heading = np.zeros((HEADING, COLUMNS * (TILE + GAP), 3), np.uint8)
    write(heading, title if tiles else f"{title}: none", GAP)
    return heading


def _row(tiles: Sequence[ByteArray]) -> list[ByteArray]:
    if not tiles:
        return []
    row = side_by_side(tiles)
    missing = COLUMNS * (TILE + GAP) - row.shape[1]
    return [np.pad(row, ((0, 0), (0, missing), (0, 0)))]


def _tile(probe: ImageProbe, class_names: Sequence[str]) -> ByteArray:
    """Put an image under the truth and its guesses; what is wider is cut off."""
    first, *others = guesses(probe.probabilities, class_names)
    lines = [
        _line(f"true: {class_names[probe.label]}"),
        _line(first, RIGHT if probe.is_right else FALSE_FIND),
        *(_line(each) for each in others),
    ]
    looked = [] if probe.grad_cam is None else [probe.grad_cam]
    return np.concatenate([*lines, probe.image, *looked])


def _line(text: str, colour: tuple[int, int, int] = (255, 255, 255)) -> ByteArray:
    line = np.zeros((LINE, TILE, 3), np.uint8)
    write(line, text, GAP, colour)
    return line
