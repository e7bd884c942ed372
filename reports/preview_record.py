"""What a page about a trial's input reads: samples on their way from the disk to the network."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IGNORED = -1  # label of pixels that are neither trained on nor scored


@dataclass(frozen=True, slots=True)
class PreviewObject:
    """An annotated object of a picture."""

    box_xyxy: tuple[float, float, float, float]  # pixels of the picture
    label: int  # index into the preview's class names
    note: str = ""  # "crowd", "difficult"
    mask: NDArray[np.bool_] | None = None  # (h, w)


@dataclass(frozen=True, slots=True)
class View:
    """A sample at one point of its way."""

    title: str  # "on disk", "input size", "epoch 1"
    frames: tuple[NDArray[np.uint8], ...]  # (h, w, 3) RGB each, of one size; a picture has one
    labels: NDArray[np.int16] | None = None  # (h, w) index into class names, or IGNORED
    objects: tuple[PreviewObject, ...] = ()
    note: str = ""  # which of its frames are shown
    is_exact: bool = True  # shown pixel by pixel; else it may be scaled down to be shown


@dataclass(frozen=True, slots=True)
class PreviewSample:
    """One sample and what becomes of it."""

    sample_id: str
    classes: tuple[str, ...]  # that it holds
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """The tensor that the network is given."""

    shape: str  # "16 x 3 x 128 x 128"
    meaning: str  # "batch, channels, height, width"
    dtype: str
    low: float  # least and largest value of the samples shown
    high: float


@dataclass(frozen=True, slots=True)
class PreviewRecord:
    """The training input of one configuration."""

    study: str
    task: str
    dataset: str
    configuration: str  # which of the study's: "base settings", "stage 'image size': ..."
    class_names: tuple[str, ...]  # in label order
    has_background: bool  # label 0 is no class
    settings: tuple[tuple[str, str], ...]  # name and value, in words
    batch: BatchFacts
    samples: tuple[PreviewSample, ...]
    of_samples: int  # of the training split
