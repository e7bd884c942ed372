"""A picture of predicted actions: frames of a clip in a row, the truth and the first guesses."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.tasks.clips import COLOURS
from models.tasks.segmentation_evaluator import shown
from models.tasks.strips import FALSE_FIND, HEADING, RIGHT, ByteArray, save_rows, write

FRAMES = 8  # of a clip in a row
TILE = 112  # pixels of a frame's sides
GAP = 4
GUESSES = 3


@dataclass(frozen=True, slots=True)
class ActionProbe:
    """One video, what it shows and what was predicted."""

    video_id: str
    frames: ByteArray  # (frames, h, w, 3) RGB, of its first clip
    label: int
    probabilities: NDArray[np.float32]  # (classes,) of the whole video


def frames_of(clip: Tensor) -> Tensor:
    """Return evenly spaced frames of a clip, (FRAMES, h, w, 3) uint8 on the CPU.

    Args:
        clip: (3 | 5, t, h, w) uint8, or float32 where it was normalised. A frame is there more
            than once where the clip has fewer.
    """
    chosen = np.linspace(0, clip.shape[1] - 1, FRAMES).round().astype(int).tolist()
    frames = shown(clip[:COLOURS, chosen])
    return frames.permute(1, 2, 3, 0).cpu().contiguous().to(torch.uint8)


def save_action_strip(
    file: Path, probes: Sequence[ActionProbe], class_names: Sequence[str]
) -> None:
    """Write a line of words and a row of frames per probe, as PNG."""
    rows = [row for probe in probes for row in (_words(probe, class_names), _tiles(probe))]
    save_rows(file, rows)


def guesses(probe: ActionProbe, class_names: Sequence[str]) -> str:
    """Return the most probable classes, the first of equals first: "run 0.72, walk 0.20"."""
    order = np.argsort(-probe.probabilities, kind="stable")[:GUESSES]
    return ", ".join(f"{class_names[each]} {probe.probabilities[each]:.2f}" for each in order)


def _words(probe: ActionProbe, class_names: Sequence[str]) -> ByteArray:
    line = np.zeros((HEADING, FRAMES * (TILE + GAP), 3), np.uint8)
    is_right = int(probe.probabilities.argmax()) == probe.label
    write(line, f"true: {class_names[probe.label]}", GAP)
    colour = RIGHT if is_right else FALSE_FIND
    write(line, f"predicted: {guesses(probe, class_names)}", 3 * (TILE + GAP), colour)
    return line


def _tiles(probe: ActionProbe) -> ByteArray:
    tiles = [
        np.pad(
            cv2.resize(frame, (TILE, TILE), interpolation=cv2.INTER_AREA),
            ((0, 0), (0, GAP), (0, 0)),
        )
        for frame in probe.frames
    ]
    return np.concatenate(tiles, axis=1).astype(np.uint8)
