"""Average precision by COCO's rule, of boxes and of masks, by pycocotools.

COCO's rule, which is in every result (`CocoScores.rule`): AP is the mean over IoU 0.50, 0.55 …
0.95 and over classes of precision interpolated at 101 recalls; at most 100 detections of an image
count. AP50 and AP75 are of one IoU; AR1, AR10 and AR100 are recall, averaged the same way, with
at most so many detections. Small is below 32^2, large above 96^2 square pixels, of the picture as
it is stored: a study that shrinks pictures does not turn large objects into small ones.

IoU is taken at the network's input size, where boxes and masks are. Ignored objects (crowds, and
VOC's difficult ones) are regions in which a detection is neither right nor wrong.

A class without an object that counts has no AP and is left out of means; what has no term at all
is None.
"""

import contextlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle_masks  # type: ignore[import-untyped]
from pycocotools.coco import COCO  # type: ignore[import-untyped]
from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

from models.metrics.names import AP_NAMES

RULE = "coco"
Kind: TypeAlias = Literal["bbox", "segm"]
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
    is_ignored: NDArray[np.bool_]  # (n,) neither found nor missed
    found: Objects
    scores: NDArray[np.float64]  # (m,) of `found`


@dataclass(frozen=True, slots=True)
class CocoScores:
    """Average precision and recall of a split."""

    kind: Kind
    summary: dict[str, float | None]  # one of AP_NAMES -> in [0, 1]
    class_ap: tuple[float | None, ...]  # AP of each class
    rule: str = RULE


def coco_scores(images: Sequence[ScoredImage], classes: int, kind: Kind) -> CocoScores:
    """Score detections against the truth.

    Args:
        images: Of a split; each once.
        classes: How many there are.
        kind: "segm" compares masks, "bbox" boxes.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
        evaluation = COCOeval(
            _coco(images, truth_annotations(images), classes),
            _coco(images, found_annotations(images, kind), classes),
            kind,
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = [_defined(value) for value in evaluation.stats]
    precision = evaluation.eval["precision"]  # (IoU, recall, class, area, most detections)
    return CocoScores(
        kind,
        dict(zip(AP_NAMES, values, strict=True)),
        tuple(_mean_defined(precision[:, :, label, 0, -1]) for label in range(classes)),
    )


def truth_annotations(images: Sequence[ScoredImage]) -> list[dict[str, Any]]:
    """Return the true objects as COCO annotations; images are numbered from 1, in order."""
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        for index, fields in enumerate(_annotations(number, image.truth)):
            annotations.append(
                {
                    **fields,
                    "id": len(annotations) + 1,
                    "area": float(image.truth_areas[index]),
                    "iscrowd": int(image.is_ignored[index]),
                }
            )
    return annotations


def found_annotations(images: Sequence[ScoredImage], kind: Kind) -> list[dict[str, Any]]:
    """Return the detections as COCO results, with the areas by which `kind` is scored."""
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        areas = _areas(image.found, kind) * image.pixel_area
        for index, fields in enumerate(_annotations(number, image.found)):
            annotations.append(
                {
                    **fields,
                    "id": len(annotations) + 1,
                    "score": float(image.scores[index]),
                    "area": float(areas[index]),
                    "iscrowd": 0,
                }
            )
    return annotations


def encoded(masks: NDArray[np.bool_]) -> tuple[Rle, ...]:
    """Return (n, h, w) masks as run lengths."""
    if not len(masks):
        return ()
    columns_first = np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8))
    return tuple(rle_masks.encode(columns_first))


def decoded(masks: Sequence[Rle], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return run lengths as (n, h, w) masks."""
    if not masks:
        return np.zeros((0, *size_hw), np.bool_)
    with warnings.catch_warnings():
        # NumPy 2 of the arrays inside pycocotools 2.0.11; can go when `decode` is silent.
        warnings.simplefilter("ignore", DeprecationWarning)
        stacked: NDArray[np.uint8] = rle_masks.decode(list(masks))
    return stacked.transpose(2, 0, 1).astype(np.bool_)


def _annotations(number: int, objects: Objects) -> list[dict[str, Any]]:
    corners = objects.boxes_xyxy
    boxes_xywh = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist()
    masks = objects.masks or ()
    return [
        {
            "image_id": number,
            "category_id": int(label),
            "bbox": box,
            **({"segmentation": masks[index]} if masks else {}),
        }
        for index, (label, box) in enumerate(zip(objects.labels, boxes_xywh, strict=True))
    ]


def _areas(objects: Objects, kind: Kind) -> NDArray[np.float64]:
    if kind == "segm":
        masks = list(objects.masks or ())
        return np.asarray(rle_masks.area(masks) if masks else [], dtype=np.float64)
    sides = objects.boxes_xyxy[:, 2:] - objects.boxes_xyxy[:, :2]
    return sides[:, 0] * sides[:, 1]


def _coco(images: Sequence[ScoredImage], annotations: list[dict[str, Any]], classes: int) -> COCO:
    content = COCO()
    content.dataset = {
        "images": [
            {"id": number, "height": image.size_hw[0], "width": image.size_hw[1]}
            for number, image in enumerate(images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": label, "name": str(label)} for label in range(classes)],
    }
    content.createIndex()
    return content


def _defined(value: float) -> float | None:
    """Return None for pycocotools' -1."""
    return None if value < 0 else float(value)


def _mean_defined(precision: NDArray[np.float64]) -> float | None:
    counted = precision[precision > -1]
    return float(counted.mean()) if counted.size else None
