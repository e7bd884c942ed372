"""What is in an image, and what was found in it: what every metric of objects is computed from."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rle: TypeAlias = dict[str, Any]  # "size" (height, width) and "counts", as pycocotools has them


@dataclass(frozen=True, slots=True)
class Objects:
    """The true objects, or the detections, of an image, in pixels of the network's input."""

    labels: NDArray[np.int64]  # (n,) class index from 0
    boxes_xyxy: NDArray[np.float64]  # (n, 4)
    masks: tuple[Rle, ...] | None  # n of them; None: boxes alone


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """What is in an image, and what was found in it."""

    image_id: str
    size_hw: tuple[int, int]  # of the network's input, pixels
    pixel_area: float  # stored square pixels per square pixel of the input
    truth: Objects
    truth_areas: NDArray[np.float64]  # (n,) stored square pixels: the mask's where there is one
    is_ignored: NDArray[np.bool_]  # (n,) crowds, groups and difficult ones: see each rule
    found: Objects
    scores: NDArray[np.float64]  # (m,) of `found`
