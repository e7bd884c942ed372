"""Which detection of an image finds which of its objects, at one IoU, as each protocol has it.

Detections take turns from the highest score down; of equal scores the one listed first is first.
A detection only ever finds an object of its own class.

    coco         of the objects that no one found yet, the one of the highest IoU. At most 100
                 detections of a class and image take part. Lin et al. 2014, pycocotools.
    voc          the object of the highest IoU, found already or not: a second detection of it is
                 wrong. Everingham et al. 2010, section 4.2, and the development kit.
    thesis       the first object listed that no one found yet and whose IoU suffices, as in the
                 program that the thesis used (keras-frcnn and its fork for Open Images).
    open_images  as voc; what is wrong then may lie in a group of objects, which is right once,
                 with its highest score. Kuznetsova et al. 2020, and the evaluation of
                 its challenges.

An ignored object (a crowd, a difficult one) makes a detection neither right nor wrong: by `coco`
if so much of the *detection* lies inside, by `voc` and `thesis` if their IoU suffices. With
`open_images` it is a group, and a detection lies in it as in COCO's crowds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_overlaps  # type: ignore[import-untyped]

from models.metrics.scored_images import ScoredImage

NONE = -1
MOST_DETECTIONS = 100  # of a class and image that COCO's rule looks at
FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matches:
    """What became of the detections of an image."""

    truth: NDArray[np.int64]  # (m,) index of the object that each found, or NONE
    is_ignored: BoolArray  # (m,) neither right nor wrong, and in no count


Matcher: TypeAlias = Callable[[ScoredImage, float], Matches]


def coco_matches(image: ScoredImage, iou: float) -> Matches:
    """Match as COCO does."""
    overlaps = class_overlaps(image, as_regions=image.is_ignored)
    matches, free = _unmatched(image), ~image.is_ignored
    matches.is_ignored[~_takes_part(image)] = True
    least = min(iou, 1 - 1e-10)  # as pycocotools has it: an IoU of 1 may be a little less
    for index in _candidates(image, overlaps >= least):
        if matches.is_ignored[index]:
            continue
        chosen = _highest(np.where(free, overlaps[index], NONE), least)
        if chosen != NONE:
            matches.truth[index] = chosen
            free[chosen] = False
        else:
            matches.is_ignored[index] = (overlaps[index, image.is_ignored] >= least).any()
    return matches


def voc_matches(image: ScoredImage, iou: float) -> Matches:
    """Match as the development kit of PASCAL VOC does; ignored objects are its difficult ones."""
    overlaps = class_overlaps(image, as_regions=np.zeros_like(image.is_ignored))
    matches = _unmatched(image)
    _match_best(image, overlaps, iou, matches=matches)
    return matches


def thesis_matches(image: ScoredImage, iou: float) -> Matches:
    """Match as the thesis's program does, but for ignored objects, which it does not know."""
    overlaps = class_overlaps(image, as_regions=np.zeros_like(image.is_ignored))
    suffices = overlaps >= iou
    matches, free = _unmatched(image), ~image.is_ignored
    for index in _candidates(image, suffices):
        places = np.flatnonzero(suffices[index] & free)
        if places.size:
            matches.truth[index] = places[0]
            free[places[0]] = False
        else:
            matches.is_ignored[index] = (suffices[index] & image.is_ignored).any()
    return matches


def open_images_matches(image: ScoredImage, iou: float) -> Matches:
    """Match as the challenges of Open Images do; ignored objects are its groups."""
    groups = np.flatnonzero(image.is_ignored)
    overlaps = class_overlaps(image, as_regions=image.is_ignored)
    matches = _unmatched(image)
    alone = np.where(image.is_ignored, NONE, overlaps)
    _match_best(image, alone, iou, matches=matches)
    if not groups.size:
        return matches
    inside = overlaps[:, groups]
    nearest = inside.argmax(axis=1)
    lies_inside = (inside.max(axis=1) >= iou) & (matches.truth == NONE)
    for index in falling(image.scores):
        if lies_inside[index]:
            group = groups[nearest[index]]
            is_first = not (matches.truth == group).any()
            matches.truth[index] = group if is_first else NONE
            matches.is_ignored[index] = not is_first
    return matches


def class_overlaps(image: ScoredImage, *, as_regions: BoolArray) -> FloatArray:
    """Compare the boxes of each detection and each object.

    Args:
        image: With m detections and n objects.
        as_regions: (n,) objects of which is asked how much of a detection is inside.

    Returns:
        (m, n) IoU, or the share of the detection that is inside; NONE where classes differ.
    """
    overlaps = box_overlaps(image, as_regions=as_regions)
    is_same = image.found.labels[:, np.newaxis] == image.truth.labels
    return np.where(is_same, overlaps, NONE)


def box_overlaps(image: ScoredImage, *, as_regions: BoolArray) -> FloatArray:
    """Compare boxes as `class_overlaps` does, whatever their classes; boxes without area are 0."""
    found, truth = image.found.boxes_xyxy, image.truth.boxes_xyxy
    if not len(found) or not len(truth):
        return np.zeros((len(found), len(truth)))
    overlaps: FloatArray = coco_overlaps.iou(
        _xywh(found), _xywh(truth), as_regions.astype(np.uint8).tolist()
    )
    return np.nan_to_num(overlaps)


def falling(scores: FloatArray) -> NDArray[np.intp]:
    """Return the order from the highest score down; equal ones stay in their order."""
    return np.argsort(-scores, kind="stable")


def _match_best(image: ScoredImage, overlaps: FloatArray, iou: float, *, matches: Matches) -> None:
    """Give each object to the first detection whose best one it is; NONE is no overlap."""
    if not overlaps.size:
        return
    best = overlaps.argmax(axis=1)  # the first of equal ones
    suffices = overlaps.max(axis=1) >= iou
    matches.is_ignored[:] = suffices & image.is_ignored[best]
    order = falling(image.scores)
    order = order[(suffices & ~matches.is_ignored)[order]]
    _, firsts = np.unique(best[order], return_index=True)
    winners = order[firsts]
    matches.truth[winners] = best[winners]


def _unmatched(image: ScoredImage) -> Matches:
    count = len(image.found.labels)
    return Matches(np.full(count, NONE, np.int64), np.zeros(count, np.bool_))


def _candidates(image: ScoredImage, suffices: BoolArray) -> Sequence[int]:
    """Return the detections that may find something, the highest score first."""
    order = falling(image.scores)
    may_find: BoolArray = np.any(suffices, axis=1, keepdims=True)[:, 0]
    chosen: list[int] = order[may_find[order]].tolist()
    return chosen


def _takes_part(image: ScoredImage) -> BoolArray:
    """Return (m,) whether a detection is among the best of its class."""
    count = len(image.scores)
    taking = np.ones(count, np.bool_)
    if count <= MOST_DETECTIONS:
        return taking
    order = falling(image.scores)
    for label in np.unique(image.found.labels):
        own = order[image.found.labels[order] == label]
        taking[own[MOST_DETECTIONS:]] = False
    return taking


def _highest(overlaps: FloatArray, least: float) -> int:
    """Return the last of the highest values, as pycocotools does; NONE if all are below."""
    place = len(overlaps) - 1 - int(overlaps[::-1].argmax()) if len(overlaps) else NONE
    return place if place != NONE and overlaps[place] >= least else NONE


def _xywh(boxes_xyxy: FloatArray) -> FloatArray:
    return np.hstack([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]])
