"""What kinds of errors cost a detector its AP50, in the manner of TIDE.

Bolya et al. 2020, section 2. A detection that is wrong by COCO's matching at IoU 0.5 is of the
first kind whose condition holds; "overlap" is its highest IoU with objects that count:

    localisation    overlap with its own class in [0.1, 0.5]
    classification  overlap with another class at least 0.5
    duplicate       overlap with its own class at least 0.5: that object was found already
    background      overlap with any class at most 0.1
    both            what is left: overlap with another class between 0.1 and 0.5

An object that was not found is `missed`, unless a detection with an error of classification or
localisation is of it.

Each kind has an oracle, and what AP50 gains when it mends all errors of that kind alone. Class or
box are set right where that is the error, which makes a detection right; of several that then
find one object the one with the highest score stays. Duplicates, background and both are taken
away. Missed objects are no longer asked for. Gains do not add up to what is lacking: errors hide
each other. Two more oracles: without any wrong detection, and without any object not found.

At most 100 detections of a class and image take part, as in COCO's rule. Detections in ignored
objects are no errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from models.metrics.matching import NONE, Matches, box_overlaps, coco_matches, falling
from models.metrics.precision_recall import Ranking, coco_points, count_truths, mean_defined
from models.metrics.scored_images import ScoredImage

Kind: TypeAlias = Literal[
    "classification", "localisation", "both", "duplicate", "background", "missed"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
FOREGROUND, BACKGROUND = 0.5, 0.1  # IoU
RIGHT = -1
MENDED = ("classification", "localisation")  # whose oracle makes detections right


@dataclass(frozen=True, slots=True)
class DetectionErrors:
    """The errors of a split."""

    ap50: float | None  # COCO's; None: there is no object
    right: int  # detections
    counts: dict[Kind, int]
    gains: dict[Kind, float | None]  # AP50 when mended, less AP50
    gain_without_wrong: float | None  # AP50 without any wrong detection, less AP50
    gain_without_missing: float | None  # AP50 when only what was found is asked for, less AP50

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "ap50": self.ap50,
            "foreground_iou": FOREGROUND,
            "background_iou": BACKGROUND,
            "right": self.right,
            "errors": [
                {"kind": kind, "count": self.counts[kind], "ap50_gain": self.gains[kind]}
                for kind in KINDS
            ],
            "ap50_gain_without_wrong": self.gain_without_wrong,
            "ap50_gain_without_missing": self.gain_without_missing,
        }


@dataclass(frozen=True, slots=True)
class _Findings:
    """The detections of a split that count, in the order of images and detections."""

    scores: NDArray[np.float64]  # (m,)
    labels: NDArray[np.int64]  # (m,)
    kinds: NDArray[np.int64]  # (m,) place in KINDS, or RIGHT
    things: NDArray[
        np.int64
    ]  # (m,) object of the split that each found or, mended, would; or NONE
    thing_labels: NDArray[np.int64]  # (m,) its class
    missed: NDArray[np.int64]  # (k,) label of each object that is missed


def detection_errors(images: Sequence[ScoredImage], classes: int) -> DetectionErrors:
    """Sort errors by kind, and mend each kind on its own.

    Args:
        images: Of a split; each once.
        classes: How many there are.
    """
    findings = _joined([_of_image(image) for image in images])
    truths = count_truths(images, classes)
    ap50 = _ap50(findings, truths)
    counts = {kind: int((findings.kinds == KINDS.index(kind)).sum()) for kind in KINDS}
    counts["missed"] = len(findings.missed)
    asked = truths - np.bincount(findings.missed, minlength=classes)
    gains = {kind: _gain(ap50, _mended(findings, kind), truths) for kind in KINDS}
    gains["missed"] = _gain(ap50, findings, asked)
    right = _chosen(findings, np.flatnonzero(findings.kinds == RIGHT))
    found_truths = np.bincount(right.labels, minlength=classes)
    return DetectionErrors(
        ap50=ap50,
        right=len(right.scores),
        counts=counts,
        gains=gains,
        gain_without_wrong=_gain(ap50, right, truths),
        gain_without_missing=_gain(ap50, findings, found_truths),
    )


def _of_image(image: ScoredImage) -> _Findings:
    """Say of each detection of an image what it is, and which objects were missed."""
    matches = coco_matches(image, FOREGROUND)
    kinds, things = _kinds(image, matches)
    counted = ~matches.is_ignored
    missing = ~image.is_ignored
    missing[things[counted & (things != NONE)]] = False
    padded = np.append(image.truth.labels, NONE)  # NONE is its last place
    return _Findings(
        scores=image.scores[counted],
        labels=image.found.labels[counted],
        kinds=kinds[counted],
        things=things[counted],
        thing_labels=padded[things[counted]],
        missed=image.truth.labels[missing],
    )


def _kinds(image: ScoredImage, matches: Matches) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the kind of each detection, and the object it found or would find when mended."""
    overlaps = box_overlaps(image, as_regions=np.zeros_like(image.is_ignored))
    overlaps = np.where(image.is_ignored, 0.0, overlaps)
    is_own = image.found.labels[:, np.newaxis] == image.truth.labels
    own, others = np.where(is_own, overlaps, 0.0), np.where(is_own, 0.0, overlaps)
    of_own, of_others = own.max(axis=1, initial=0.0), others.max(axis=1, initial=0.0)
    conditions: list[tuple[Kind, NDArray[np.bool_]]] = [
        ("localisation", (of_own >= BACKGROUND) & (of_own < FOREGROUND)),
        ("classification", of_others >= FOREGROUND),
        ("duplicate", of_own >= FOREGROUND),
        ("background", np.maximum(of_own, of_others) <= BACKGROUND),
    ]
    kinds = np.select(
        [matches.truth != NONE, *(holds for _, holds in conditions)],
        [RIGHT, *(KINDS.index(kind) for kind, _ in conditions)],
        default=KINDS.index("both"),
    )
    things = matches.truth.copy()
    for kind, rows in (("localisation", own), ("classification", others)):
        errors = np.flatnonzero(kinds == KINDS.index(kind))
        if errors.size:
            things[errors] = rows[errors].argmax(axis=1)
    return kinds, things


def _joined(parts: Sequence[_Findings]) -> _Findings:
    """Join the findings of images; objects get numbers of their own in the split."""
    most = 1 + max((int(part.things.max(initial=0)) for part in parts), default=0)
    things = [
        np.where(part.things == NONE, NONE, part.things + number * most)
        for number, part in enumerate(parts)
    ]
    none = np.zeros(0, np.int64)
    return _Findings(
        scores=np.concatenate([np.zeros(0), *(part.scores for part in parts)]),
        labels=np.concatenate([none, *(part.labels for part in parts)]),
        kinds=np.concatenate([none, *(part.kinds for part in parts)]),
        things=np.concatenate([none, *things]),
        thing_labels=np.concatenate([none, *(part.thing_labels for part in parts)]),
        missed=np.concatenate([none, *(part.missed for part in parts)]),
    )


def _mended(findings: _Findings, kind: Kind) -> _Findings:
    """Return the detections when no error is of this kind."""
    is_error = findings.kinds == KINDS.index(kind)
    if kind not in MENDED:
        return _chosen(findings, np.flatnonzero(~is_error))
    of_things = np.flatnonzero(is_error | (findings.kinds == RIGHT))
    of_things = of_things[falling(findings.scores[of_things])]
    _, firsts = np.unique(findings.things[of_things], return_index=True)
    best = of_things[firsts]
    others = np.flatnonzero(~is_error & (findings.kinds != RIGHT))
    mended = replace(
        findings,
        kinds=np.where(is_error, RIGHT, findings.kinds),
        labels=np.where(is_error, findings.thing_labels, findings.labels),
    )
    return _chosen(mended, np.sort(np.concatenate([best, others])))


def _chosen(findings: _Findings, places: NDArray[np.intp]) -> _Findings:
    return replace(
        findings,
        scores=findings.scores[places],
        labels=findings.labels[places],
        kinds=findings.kinds[places],
        things=findings.things[places],
        thing_labels=findings.thing_labels[places],
    )


def _gain(ap50: float | None, findings: _Findings, truths: NDArray[np.int64]) -> float | None:
    mended = _ap50(findings, truths)
    return None if ap50 is None or mended is None else mended - ap50


def _ap50(findings: _Findings, truths: NDArray[np.int64]) -> float | None:
    """Average over classes, which are those that have an object to be found."""
    order = falling(findings.scores)
    scores, labels = findings.scores[order], findings.labels[order]
    is_right = findings.kinds[order] == RIGHT
    return mean_defined(
        [
            coco_points(Ranking(scores[labels == label], is_right[labels == label], int(count)))
            for label, count in enumerate(truths)
        ]
    )
