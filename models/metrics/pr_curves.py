"""Precision over recall of each class at one IoU, as drawn and as COCO averages it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.metrics.matching import coco_matches
from models.metrics.precision_recall import (
    RECALLS,
    Ranking,
    coco_curve,
    mean_defined,
    rankings,
)
from models.metrics.scored_images import ScoredImage

MOST_POINTS = 500  # of a class that are kept; a curve of more looks the same
DIGITS = 6  # decimals in JSON


@dataclass(frozen=True, slots=True)
class ClassCurve:
    """Precision and recall of a class as more and more detections count."""

    truths: int  # objects that count
    detections: int  # that count; the curve may have fewer points
    scores: NDArray[np.float64]  # (points,) falling: from which on detections count
    precision: NDArray[np.float64]  # (points,)
    recall: NDArray[np.float64]  # (points,) rising; NaN without an object
    at_recalls: NDArray[np.float64] | None  # (101,) at recall 0, 0.01 … 1; None without an object
    ap: float | None  # mean of at_recalls


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of a split, by COCO's matching."""

    iou: float
    classes: tuple[ClassCurve, ...]  # in label order
    mean_ap: float | None  # over classes with an object

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return what JSON can hold; classes are named, what is undefined is null."""
        return {
            "rule": "coco",
            "iou": self.iou,
            "mean_ap": self.mean_ap,
            "recalls": _plain(RECALLS),
            "classes": [
                {"name": name, **_class_json(curve)}
                for name, curve in zip(class_names, self.classes, strict=True)
            ],
        }


def pr_curves(images: Sequence[ScoredImage], classes: int, *, iou: float = 0.5) -> Curves:
    """Compute the curve of each class.

    The mean of `at_recalls` is COCO's AP at this IoU, and at 0.5 its AP50.

    Args:
        images: Of a split; each once.
        classes: How many there are.
        iou: From which an object is found, in (0, 1].
    """
    ranked = rankings(images, classes, matcher=coco_matches, iou=iou)
    curves = tuple(_curve(each) for each in ranked)
    return Curves(iou, curves, mean_defined([each.ap for each in curves]))


def _curve(ranking: Ranking) -> ClassCurve:
    kept = _kept(ranking)
    at_recalls = coco_curve(ranking)
    return ClassCurve(
        truths=ranking.truths,
        detections=len(ranking.scores),
        scores=ranking.scores[kept],
        precision=ranking.precision[kept],
        recall=ranking.recall[kept],
        at_recalls=at_recalls,
        ap=None if at_recalls is None else float(at_recalls.mean()),
    )


def _kept(ranking: Ranking) -> NDArray[np.intp]:
    """Choose points: where recall rises or stops to rise, evenly if these are too many."""
    count = len(ranking.scores)
    if count <= MOST_POINTS:
        return np.arange(count)
    rises = np.flatnonzero(ranking.is_right)
    places = np.unique(np.concatenate([[0], rises, rises[rises > 0] - 1, [count - 1]]))
    if len(places) <= MOST_POINTS:
        return places
    return places[np.unique(np.linspace(0, len(places) - 1, MOST_POINTS).round().astype(np.intp))]


def _class_json(curve: ClassCurve) -> dict[str, Any]:
    return {
        "truths": curve.truths,
        "detections": curve.detections,
        "ap": curve.ap,
        "scores": _plain(curve.scores),
        "precision": _plain(curve.precision),
        "recall": _plain(curve.recall) if curve.truths else None,
        "at_recalls": None if curve.at_recalls is None else _plain(curve.at_recalls),
    }


def _plain(values: NDArray[np.float64]) -> list[float]:
    rounded: list[float] = values.round(DIGITS).tolist()
    return rounded
