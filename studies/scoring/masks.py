"""Score label maps against the true ones, with the metrics that studies are scored with."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.metrics.boundaries import boundary_scores
from models.metrics.objects import object_agreement
from models.metrics.ratios import ratio
from models.metrics.scores import ShapeScores, joined
from models.metrics.segmentation import SoftmaxPredictions
from models.settings import EvaluationSettings
from studies.scoring.label_pairs import (
    Meetings,
    Pair,
    Pairs,
    count_meetings,
    find_pairs,
    read_pair,
)
from studies.scoring.legend import Legend
from studies.scoring.meaning import NOT_SCORED, Meaning, meaning_of

Progress = Callable[[int, int], None]  # label maps read, of how many
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be scored, and how."""

    truth: Path
    prediction: Path
    legend: Legend | None = None
    ignored: tuple[str, ...] = ()
    background: str | None = None
    also: tuple[str, ...] = ()  # costly metrics


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class, counts added up over images; None where there is nothing to divide by."""

    index: int  # as stored in label maps
    name: str
    iou: float | None
    dice: float | None
    recall: float | None
    precision: float | None
    true_pixels: int
    predicted_pixels: int


@dataclass(frozen=True, slots=True)
class MaskScores:
    """What label maps scored."""

    predictions: SoftmaxPredictions
    evaluation: EvaluationSettings
    meaning: Meaning
    pairs: Pairs
    ignored_pixels: int
    unknown_pixels: int  # scored ones, predicted as a value that no class has

    def metrics(self) -> dict[str, float]:
        """Return the metrics that docs/metrics.md defines."""
        return self._named(self.predictions)

    def per_image(self) -> Iterator[tuple[str, dict[str, float]]]:
        """Yield each picture's name and metrics."""
        for index, name in enumerate(self.predictions.image_ids):
            yield name, self._named(_only(self.predictions, index))

    def classes(self) -> tuple[ClassScore, ...]:
        """Return the classes of the label maps, the background among them."""
        matrix = self.confusion()
        first = 0 if self.meaning.has_background else 1
        return tuple(
            _class_score(matrix, number, self.meaning)
            for number in range(first, len(self.meaning.names))
        )

    def confusion(self) -> NDArray[np.int64]:
        """Return (classes, classes) pixels; rows truth, columns prediction."""
        total: NDArray[np.int64] = self.predictions.confusions.sum(axis=0)
        return total

    def _named(self, predictions: SoftmaxPredictions) -> dict[str, float]:
        metrics = predictions.metrics(self.evaluation)
        if not self.meaning.has_background:  # then it is no label, but what was not found
            metrics.pop("iou_with_background", None)
        return metrics


def score_masks(question: Question, *, progress: Progress) -> MaskScores:
    """Compare all label maps of the same name.

    Raises:
        UnusableMasksError: They cannot be compared; the message names the file.
    """
    pairs = find_pairs(question.truth, question.prediction)
    rounds = 2 if question.also else 1
    total = rounds * len(pairs.pairs)
    meetings: list[Meetings] = []
    for pair in pairs.pairs:
        meetings.append(count_meetings(pair.name, *read_pair(pair, question.legend)))
        progress(len(meetings), total)
    meaning = meaning_of(
        meetings, question.legend, ignored=question.ignored, background=question.background
    )
    shapes: list[ShapeScores] = []
    for pair in pairs.pairs if question.also else ():
        shapes.append(_shapes(pair, question, meaning))
        progress(len(meetings) + len(shapes), total)
    return _scores(question, pairs, meetings, meaning=meaning, shapes=shapes)


def _scores(
    question: Question,
    pairs: Pairs,
    meetings: Sequence[Meetings],
    *,
    meaning: Meaning,
    shapes: Sequence[ShapeScores],
) -> MaskScores:
    is_scored = [meaning.truth[each.truth] != NOT_SCORED for each in meetings]
    both = list(zip(meetings, is_scored, strict=True))
    predictions = SoftmaxPredictions(
        image_ids=tuple(each.name for each in meetings),
        class_names=meaning.names,
        losses=None,  # of probabilities, which label maps have not
        confusions=np.stack([_confusion(each, meaning) for each in meetings]),
        shapes=joined(shapes),
    )
    unknown = list(meaning.unknown)
    return MaskScores(
        predictions,
        EvaluationSettings.model_validate({"also": question.also}),
        meaning,
        pairs,
        ignored_pixels=sum(int(each.pixels[~yes].sum()) for each, yes in both),
        unknown_pixels=sum(
            int(each.pixels[yes & np.isin(each.prediction, unknown)].sum()) for each, yes in both
        ),
    )


def _confusion(meetings: Meetings, meaning: Meaning) -> NDArray[np.int64]:
    size = len(meaning.names)
    truth, prediction = meaning.truth[meetings.truth], meaning.prediction[meetings.prediction]
    scored = truth != NOT_SCORED
    matrix = np.zeros((size, size), np.int64)
    np.add.at(matrix, (truth[scored], prediction[scored]), meetings.pixels[scored])
    return matrix


def _shapes(pair: Pair, question: Question, meaning: Meaning) -> ShapeScores:
    """Measure outlines and objects of one picture, whose last class is the object."""
    truth, prediction = read_pair(pair, question.legend)
    true, found = meaning.truth[truth], meaning.prediction[prediction]
    valid: BoolArray = true != NOT_SCORED
    outlines = objects = None
    if "boundary_f1" in question.also:
        classes = np.arange(1, len(meaning.names))[:, np.newaxis, np.newaxis]
        scores = boundary_scores((found == classes)[np.newaxis], true == classes, valid)
        outlines = scores[np.newaxis]
    if "rand_error" in question.also:
        last = len(meaning.names) - 1
        is_object = (found == last).astype(np.float32)
        objects = object_agreement(is_object, true == last, valid)[np.newaxis]
    return ShapeScores(outlines, objects)


def _only(predictions: SoftmaxPredictions, index: int) -> SoftmaxPredictions:
    """Return the predictions of one picture."""
    one, shapes = slice(index, index + 1), predictions.shapes
    return replace(
        predictions,
        image_ids=predictions.image_ids[one],
        confusions=predictions.confusions[one],
        shapes=ShapeScores(
            None if shapes.boundary_f1 is None else shapes.boundary_f1[one],
            None if shapes.objects is None else shapes.objects[one],
        ),
    )


def _class_score(matrix: NDArray[np.int64], number: int, meaning: Meaning) -> ClassScore:
    tp, true, found = matrix[number, number], matrix[number].sum(), matrix[:, number].sum()
    return ClassScore(
        index=meaning.values[number],
        name=meaning.names[number],
        iou=_defined(tp, true + found - tp),
        dice=_defined(2 * tp, true + found),
        recall=_defined(tp, true),
        precision=_defined(tp, found),
        true_pixels=int(true),
        predicted_pixels=int(found),
    )


def _defined(numerator: np.int64, denominator: np.int64) -> float | None:
    value = float(ratio(numerator, denominator))
    return None if np.isnan(value) else value
