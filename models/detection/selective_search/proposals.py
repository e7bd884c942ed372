"""Selective search for the images of a batch, as the network sees them.

A picture is searched once: its boxes are kept under its content, in memory and in the workspace
(`kept_boxes`), so that other trials and later attempts find them too. Augmentation that flips
pictures makes each of them two, or four; with one that changes colours every epoch searches anew.
"""

import hashlib
import random

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models import NUMERICS
from models.detection.pixel_scales import IMAGENET
from models.detection.search_settings import SearchSettings
from models.detection.selective_search.kept_boxes import (
    is_searched_anew,
    keep_boxes,
    kept_boxes,
)
from models.detection.selective_search.search import selective_search

FULL = 255  # brightest pixel
MOST_KEPT = 10_000  # pictures whose boxes are in memory; at 2000 boxes they take 320 MB
_KEPT: dict[bytes, NDArray[np.float32]] = {}  # a memory of a pure function, the same for all
_DRAWN = random.Random(0)  # not the program's: what is forgotten must not touch training


class SearchedRegions:
    """Images to regions.

    Args:
        settings: Of the search.
        is_normalized: Whether images have ImageNet's statistics taken out; else they are in
            [-1, 1], or normalised by others that nobody told.
    """

    def __init__(self, settings: SearchSettings, *, is_normalized: bool) -> None:
        self.settings = settings
        self.is_normalized = is_normalized

    def __call__(self, batch: ImageList) -> list[Tensor]:
        """Return b times (n, 4) float32 xyxy, pixels, the same every time; n is at least 1."""
        found = []
        for image, (height, width) in zip(batch.tensors, batch.image_sizes, strict=True):
            rgb = pixels_of(image[:, :height, :width], is_normalized=self.is_normalized)
            found.append(torch.tensor(remembered(rgb, self.settings), device=image.device))
        return found


def remembered(rgb: NDArray[np.uint8], settings: SearchSettings) -> NDArray[np.float32]:
    """Return the first boxes of a picture, (n, 4) xyxy, searching it only where it is new."""
    if is_searched_anew():
        return _first(rgb, settings)
    # What another version found is another's: `NUMERICS` changes with the search, OpenCV's colours
    # and sizes with OpenCV.
    what = (NUMERICS, cv2.__version__, rgb.shape, settings.search, settings.search_side)
    digest = hashlib.blake2b(repr((*what, settings.proposals)).encode(), digest_size=16)
    digest.update(rgb.tobytes())
    key = digest.digest()
    if key not in _KEPT:
        boxes = kept_boxes(key)
        if boxes is None:
            boxes = _first(rgb, settings)
            keep_boxes(key, boxes)
        if len(_KEPT) >= MOST_KEPT:
            # Not the oldest, which an epoch would ask for next.
            del _KEPT[_DRAWN.choice(list(_KEPT))]
        _KEPT[key] = boxes
    return _KEPT[key]


def _first(rgb: NDArray[np.uint8], settings: SearchSettings) -> NDArray[np.float32]:
    return np.ascontiguousarray(searched(rgb, settings)[: settings.proposals])


def searched(rgb: NDArray[np.uint8], settings: SearchSettings) -> NDArray[np.float32]:
    """Search an (h, w, 3) picture at the size that the settings ask for.

    Returns:
        (n, 4) xyxy, pixels of the picture as it is.
    """
    if settings.search_side is None:
        return selective_search(rgb, settings.search)
    height, width = rgb.shape[:2]
    factor = settings.search_side / max(height, width)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    sides = max(1, round(width * factor)), max(1, round(height * factor))
    resized = np.asarray(cv2.resize(rgb, sides, interpolation=way), np.uint8)
    boxes = selective_search(resized, settings.search)
    back = np.array([width / sides[0], height / sides[1]] * 2, np.float32)
    scaled: NDArray[np.float32] = boxes * back
    return scaled


def pixels_of(image: Tensor, *, is_normalized: bool) -> NDArray[np.uint8]:
    """Return (h, w, 3) pixels of a network's (3, h, w) input.

    Of what lies outside the range of pixels, as where a study's own statistics were taken out,
    darkest and brightest become 0 and 255.
    """
    values = image.detach().float().cpu()
    if is_normalized:
        mean, std = (torch.tensor(each).view(3, 1, 1) for each in (IMAGENET.mean, IMAGENET.std))
        values = 2 * (values * std + mean) - 1
    low, high = min(-1.0, float(values.min())), max(1.0, float(values.max()))
    rounded = ((values - low) * (FULL / (high - low))).round().byte()
    return np.ascontiguousarray(rounded.permute(1, 2, 0).numpy())
