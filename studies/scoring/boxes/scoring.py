"""Score detections of any tool against the truth, as studies are scored."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from data_pipeline.datasets.text_lines import numbered_lines
from data_pipeline.errors import DataError
from models.metrics.coco_ap import coco_scores
from models.metrics.detection_confusion import DetectionConfusion, detection_confusion
from models.metrics.detection_decisions import DetectionDecisions, detection_decisions
from models.metrics.detection_errors import DetectionErrors, detection_errors
from models.metrics.pr_curves import pr_curves
from models.metrics.precision_recall import count_truths
from models.metrics.scored_images import ScoredImage
from models.metrics.voc_ap import IOU, Rule, voc_scores
from studies.scoring.boxes.class_lists import numbers_of_found, read_class_list
from studies.scoring.boxes.found_files import FoundFiles, FoundFormat, found_format, read_found
from studies.scoring.boxes.naming import NamedBy
from studies.scoring.boxes.pairing import Paired, pair
from studies.scoring.boxes.picture_sizes import PictureSizes, pictures_beside
from studies.scoring.boxes.records import Corners, Found, Truth, UnusableBoxesError
from studies.scoring.boxes.truth_files import TruthFiles, TruthFormat, read_truth, truth_format

AnyRule: TypeAlias = Literal["coco"] | Rule
RULES: tuple[AnyRule, ...] = ("coco", *get_args(Rule))
NO_CORNERS = ("coco", "open_images", "saved", "coco_results", "visionstudy", "yolo")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be scored, and how."""

    truth: Path
    found: Path
    rule: AnyRule = "coco"
    iou: float | None = None  # None: as the rule has it
    threshold: float | None = None  # least score for precision, recall and confusion; None: none
    with_errors: bool = False  # kinds of errors too
    class_list: Path | None = None  # of GT's numbers, and of PREDICTIONS' if they are the same
    found_class_list: Path | None = None  # of PREDICTIONS' numbers, where they are others
    pictures: Path | None = None
    only: Path | None = None  # list of pictures
    truth_format: TruthFormat | None = None  # None: by what is in the files
    found_format: FoundFormat | None = None
    truth_corners: Corners | None = None
    found_corners: Corners | None = None
    found_names: NamedBy | None = None  # by what detections name pictures


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class; None where there is no object of it."""

    name: str
    ap: float | None
    ap50: float | None  # by COCO's rule alone
    truths: int  # that are to be found
    ignored: int
    detections: int


@dataclass(frozen=True, slots=True)
class BoxScores:
    """What detections scored."""

    question: Question
    truth: Truth
    found: Found
    paired: Paired
    metrics: dict[str, float | None]
    classes: tuple[ClassScore, ...]  # those with a true box or a detection
    decisions: DetectionDecisions | None
    confusion: DetectionConfusion | None
    errors: DetectionErrors | None

    @property
    def is_whole(self) -> bool:
        """Whether every picture and class of the detections is known, and none is missing."""
        return not (self.paired.missing or self.paired.extra or self.paired.unknown)

    def meant(self) -> Iterator[tuple[str, int, str | None]]:
        """Yield each unknown class, its detections, and the class that may be meant."""
        plain = {name.lower(): name for name in self.paired.class_names}
        for name, count in self.paired.unknown.most_common():
            close = difflib.get_close_matches(name.lower(), plain, n=1)
            yield name, count, plain[close[0]] if close else None


def score_boxes(question: Question) -> BoxScores:
    """Read both sides, bring them together and score them.

    Raises:
        UnusableBoxesError: They cannot be; the message says where and why.
    """
    truth_form = question.truth_format or truth_format(question.truth)
    found_form = question.found_format or found_format(question.found)
    _check_corners("--gt-corners", question.truth_corners, truth_form)
    _check_corners("--found-corners", question.found_corners, found_form)
    listed, found_listed = (
        {} if file is None else read_class_list(file, option)
        for option, file in (
            ("--classes", question.class_list),
            ("--found-classes", question.found_class_list),
        )
    )
    sizes = PictureSizes(
        question.pictures or pictures_beside(question.truth), is_turned=truth_form == "yolo"
    )
    truth = read_truth(
        TruthFiles(question.truth, listed, tuple(sizes.files()), question.truth_corners),
        truth_form,
    )
    numbers = numbers_of_found(truth, (truth_form, found_form), listed, found_listed)
    found = read_found(FoundFiles(question.found, numbers, question.found_corners), found_form)
    paired = pair(
        truth,
        found,
        sizes,
        only=_only(question.only),
        named_by=question.found_names,
        needs_pixels=question.rule == "coco" and question.iou is None,  # by sizes of objects
    )
    return _scores(question, truth, found, paired)


def _scores(question: Question, truth: Truth, found: Found, paired: Paired) -> BoxScores:
    images, count = paired.images, len(paired.class_names)
    metrics, class_ap, class_ap50 = _averages(images, count, question)
    decisions = confusion = None
    iou = question.iou or IOU
    if question.threshold is not None:
        decisions = detection_decisions(images, count, threshold=question.threshold, iou=iou)
        confusion = detection_confusion(images, count, threshold=question.threshold, iou=iou)
        metrics |= {
            "precision": decisions.all.precision,
            "recall": decisions.all.recall,
            "f1": decisions.all.f1,
            "mean_iou": decisions.mean_iou,
        }
    truths, everything = (
        count_truths(images, count, ignored_count=ignored) for ignored in (False, True)
    )
    labels = np.concatenate([np.zeros(0, np.int64), *(image.found.labels for image in images)])
    detections = np.bincount(labels, minlength=count)
    classes = tuple(
        ClassScore(
            name=name,
            ap=class_ap[label],
            ap50=class_ap50[label],
            truths=int(truths[label]),
            ignored=int(everything[label] - truths[label]),
            detections=int(detections[label]),
        )
        for label, name in enumerate(paired.class_names)
        if everything[label] or detections[label]
    )
    errors = detection_errors(images, count) if question.with_errors else None
    return BoxScores(
        question, truth, found, paired, metrics, classes, decisions, confusion, errors
    )


def _averages(
    images: Sequence[ScoredImage], classes: int, question: Question
) -> tuple[dict[str, float | None], Sequence[float | None], Sequence[float | None]]:
    """Return metrics, AP of each class, and AP50 of each class where the rule is COCO's."""
    none = [None] * classes
    if question.rule != "coco":
        scores = voc_scores(images, classes, rule=question.rule, iou=question.iou or IOU)
        return {f"{question.rule}_map": scores.mean}, scores.class_ap, none
    if question.iou is not None:
        curves = pr_curves(images, classes, iou=question.iou)
        return {"ap_at_iou": curves.mean_ap}, [each.ap for each in curves.classes], none
    coco = coco_scores(images, classes, "bbox", reference=True)
    return dict(coco.summary), coco.class_ap, coco.class_ap50


def _check_corners(option: str, corners: Corners | None, form: str) -> None:
    if corners is not None and form in NO_CORNERS:
        raise UnusableBoxesError(
            f"{option} says what corners in VOC's files and in text lines are, and has no effect "
            f"on format '{form}', which says it itself; remove it"
        )
    if corners in ("pixels", "shares") and form == "voc":
        raise UnusableBoxesError(
            f"{option} must be edges or pixels_from_1 for VOC's XML, got {corners}; correct it"
        )
    if corners == "shares" and form == "voc_results":
        raise UnusableBoxesError(
            f"{option} must be edges, pixels or pixels_from_1 for VOC's results, got shares; "
            "correct it"
        )


def _only(file: Path | None) -> list[str]:
    """Return the lines of a list of pictures."""
    if file is None:
        return []
    try:
        return [line for _, line in numbered_lines(file)]
    except DataError as error:
        raise UnusableBoxesError(f"--only: {error}") from error
