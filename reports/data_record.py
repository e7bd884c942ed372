"""What a page about a dataset reads: the findings of a check, already in words and pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Loss = Literal["sample", "box", "unused", "nothing"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was found."""

    split: str
    where: str  # image or video id, or file:line
    message: str  # what must hold, what is there


@dataclass(frozen=True, slots=True)
class FaultRow:
    """Every fault of one kind."""

    kind: str  # "zero_area_box"
    meaning: str
    count: int
    loss: Loss  # what is not used because of it
    places: tuple[Place, ...]  # one per fault, all of them


@dataclass(frozen=True, slots=True)
class SplitRow:
    """How much of a split can be used."""

    name: str
    samples: int
    left_out: tuple[str, ...]  # ids


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How often a class occurs."""

    name: str
    images: Mapping[str, int]  # split -> images or videos with it
    objects: Mapping[str, int]  # split -> objects; empty where a task knows none


@dataclass(frozen=True, slots=True)
class Picture:
    """A sample with its annotation drawn over it."""

    caption: str
    note: str  # what is wrong with it; "" when nothing is
    source: str | None  # data URI; None: it cannot be drawn


@dataclass(frozen=True, slots=True)
class LeakRow:
    """Two samples of different splits that should not be apart."""

    message: str
    pictures: tuple[Picture, ...]  # the two, side by side; () beyond the first few


@dataclass(frozen=True, slots=True)
class DataRecord:
    """A dataset, as one task reads it."""

    dataset: str
    task: str
    folder: str  # where it lies; "" for one that is drawn
    noun: str  # "image" or "video"
    splits: tuple[SplitRow, ...]
    faults: tuple[FaultRow, ...]  # what leaves out most first
    classes: tuple[ClassRow, ...]  # in label order
    sizes_hw: Mapping[str, tuple[tuple[int, int], ...]]  # split -> pixels, per decoded sample
    frames: Mapping[str, tuple[int, ...]]  # split -> per decoded video
    boxes_wh: Mapping[str, tuple[tuple[float, float], ...]]  # split -> pixels, per box
    pictures: tuple[Picture, ...]  # faulty ones first
    leaks: tuple[LeakRow, ...] | None  # None: not looked for
    warnings: tuple[str, ...]  # what may mislead although no file is at fault
