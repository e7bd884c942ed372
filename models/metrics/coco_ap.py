"""Average precision by COCO's rule, of boxes and of masks, by pycocotools or faster-coco-eval.

pycocotools is COCO's own program and has the last word; faster-coco-eval does the same in C++, and
is for every epoch. They agree to 1e-12 (`tests/models/metrics/test_coco_programs.py`), and
`benchmarks/metrics.py` shows how much faster it is.

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
import gc
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from faster_coco_eval import COCO as FastCOCO  # type: ignore[import-untyped]  # noqa: N811
from faster_coco_eval import COCOeval_faster
from numpy.typing import NDArray
from pycocotools import mask as rle_masks  # type: ignore[import-untyped]
from pycocotools.coco import COCO  # type: ignore[import-untyped]
from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

from models.metrics.names import AP_NAMES
from models.metrics.scored_images import Objects, Rle, ScoredImage

RULE = "coco"
Kind: TypeAlias = Literal["bbox", "segm"]
_Content: TypeAlias = dict[str, Any]  # of a file in COCO's format
_Program: TypeAlias = Any  # COCO of either package, which have no types
_Evaluated: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]  # stats, precision


@dataclass(frozen=True, slots=True)
class CocoScores:
    """Average precision and recall of a split."""

    kind: Kind
    summary: dict[str, float | None]  # one of AP_NAMES -> in [0, 1]
    class_ap: tuple[float | None, ...]  # AP of each class
    class_ap50: tuple[float | None, ...]  # at IoU 0.5
    rule: str = RULE


def coco_scores(
    images: Sequence[ScoredImage], classes: int, kind: Kind, *, reference: bool = False
) -> CocoScores:
    """Score detections against the truth.

    Args:
        images: Of a split; each once.
        classes: How many there are.
        kind: "segm" compares masks, "bbox" boxes.
        reference: By pycocotools; else several times faster, with the same result.
    """
    evaluate = _by_pycocotools if reference else _by_faster_coco_eval
    with _collector_paused():
        truth = _dataset(images, truth_annotations(images), classes)
        found = _dataset(images, found_annotations(images, kind), classes)
        stats, precision = evaluate(truth, found, kind)
    values = [_defined(value) for value in stats[: len(AP_NAMES)]]
    return CocoScores(
        kind,
        dict(zip(AP_NAMES, values, strict=True)),
        class_ap=tuple(_mean_defined(precision[:, :, label, 0, -1]) for label in range(classes)),
        class_ap50=tuple(_mean_defined(precision[0, :, label, 0, -1]) for label in range(classes)),
    )


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking the heap again for every few thousand annotations.

    They are in no cycle, and walking took as long as the evaluation itself.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _by_pycocotools(truth: _Content, found: _Content, kind: Kind) -> _Evaluated:
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints what it does
        evaluation = COCOeval(_indexed(COCO(), truth), _indexed(COCO(), found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats, evaluation.eval["precision"]


def _by_faster_coco_eval(truth: _Content, found: _Content, kind: Kind) -> _Evaluated:
    evaluation = COCOeval_faster(
        _indexed(FastCOCO(), truth), _indexed(FastCOCO(), found), kind, extra_calc=False
    )
    evaluation.run()
    return evaluation.stats, np.asarray(evaluation.eval["precision"])


def truth_annotations(images: Sequence[ScoredImage]) -> list[dict[str, Any]]:
    """Return the true objects as COCO annotations; images are numbered from 1, in order."""
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        own = _annotations(number, image.truth, first_id=len(annotations) + 1)
        columns = (own, image.truth_areas.tolist(), image.is_ignored.tolist())
        for annotation, area, is_ignored in zip(*columns, strict=True):
            annotation["area"] = area
            annotation["iscrowd"] = int(is_ignored)
        annotations += own
    return annotations


def found_annotations(images: Sequence[ScoredImage], kind: Kind) -> list[dict[str, Any]]:
    """Return the detections as COCO results, with the areas by which `kind` is scored."""
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images, start=1):
        own = _annotations(number, image.found, first_id=len(annotations) + 1)
        areas = _areas(image.found, kind) * image.pixel_area
        columns = (own, image.scores.tolist(), areas.tolist())
        for annotation, score, area in zip(*columns, strict=True):
            annotation["score"] = score
            annotation["area"] = area
            annotation["iscrowd"] = 0
        annotations += own
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


def _annotations(number: int, objects: Objects, *, first_id: int) -> list[dict[str, Any]]:
    """Return what truth and detections have in common; lists at once, as there are many."""
    corners = objects.boxes_xyxy
    boxes_xywh = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).tolist()
    rows = zip(objects.labels.tolist(), boxes_xywh, strict=True)
    annotations = [
        {"id": own_id, "image_id": number, "category_id": label, "bbox": box}
        for own_id, (label, box) in enumerate(rows, start=first_id)
    ]
    for annotation, mask in zip(annotations, objects.masks or (), strict=False):
        annotation["segmentation"] = mask
    return annotations


def _areas(objects: Objects, kind: Kind) -> NDArray[np.float64]:
    if kind == "segm":
        masks = list(objects.masks or ())
        return np.asarray(rle_masks.area(masks) if masks else [], dtype=np.float64)
    sides = objects.boxes_xyxy[:, 2:] - objects.boxes_xyxy[:, :2]
    return sides[:, 0] * sides[:, 1]


def _dataset(
    images: Sequence[ScoredImage], annotations: list[dict[str, Any]], classes: int
) -> _Content:
    return {
        "images": [
            {"id": number, "height": image.size_hw[0], "width": image.size_hw[1]}
            for number, image in enumerate(images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": label, "name": str(label)} for label in range(classes)],
    }


def _indexed(program: _Program, content: _Content) -> _Program:
    """Hand a program the content of a file."""
    program.dataset = content
    program.createIndex()
    return program


def _defined(value: float) -> float | None:
    """Return None for pycocotools' -1."""
    return None if value < 0 else float(value)


def _mean_defined(precision: NDArray[np.float64]) -> float | None:
    counted = precision[precision > -1]
    return float(counted.mean()) if counted.size else None
