"""Segmentation metrics from saved counts: any threshold from one pass; torch-free.

A sigmoid model's predictions are kept as histograms of probability, per image and class, of the
pixels that belong to the class and of those that do not; a softmax model's as a confusion matrix
per image, and histograms of the whole split. Pixels labelled IGNORE are in none. What the
metrics mean is said in docs/metrics.md.

A ratio 0 / 0 (a class neither there nor predicted) is left out of means; a metric without any
term is left out of the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from models.checkpoints import write_atomically
from models.metrics import boundaries
from models.metrics.counts import PixelCounts, class_metrics, decision_accuracy
from models.metrics.names import BACKGROUND
from models.metrics.ranking import Histograms, average_precision, roc_auc
from models.metrics.ratios import FloatArray, IntArray, mean, ratio
from models.metrics.scores import PixelErrors, ShapeScores, error_metrics, shape_metrics
from models.settings import EvaluationSettings

PROBABILITY_BINS = 1001  # bin k holds floor(1000 p) == k, so thresholds k / 1000 are exact
FORMAT = 2


@dataclass(frozen=True, slots=True)
class SigmoidCounts:
    """What the metrics need of a model with a probability per class, at one threshold.

    A few numbers of each image and class, where `SigmoidPredictions` has 8 kB.
    """

    class_names: tuple[str, ...]  # (classes,) in channel order, no background
    losses: FloatArray | None  # (images,); None: not defined
    counts: PixelCounts  # (images, classes) at the threshold of the settings
    histograms: Histograms  # (classes, bins) of the split
    errors: PixelErrors | None = None  # None: not measured
    shapes: ShapeScores = field(default_factory=ShapeScores)

    @property
    def labelled(self) -> IntArray:
        """Labelled pixels of each image, (images,)."""
        counts = self.counts
        pixels: IntArray = (counts.tp + counts.fp + counts.fn + counts.tn)[:, 0]
        return pixels

    def pooled(self) -> Histograms:
        """Return the histograms of the whole split, (classes, bins)."""
        return self.histograms

    def metrics(self, evaluation: EvaluationSettings) -> dict[str, float]:
        """Score at the threshold of the settings; see docs/metrics.md for the names."""
        step = boundaries.threshold_index(evaluation.threshold)
        return {
            **_defined(
                {
                    **class_metrics(self.counts, self.class_names),
                    "pixel_accuracy": decision_accuracy(self.counts),
                    **_threshold_free_metrics(self),
                    **shape_metrics(self.shapes, self.class_names, evaluation.also, step=step),
                }
            ),
            **_loss(self.losses),
        }


@dataclass(frozen=True, slots=True)
class SigmoidPredictions:
    """Predictions of a model with a probability per class."""

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...]  # (classes,) in channel order, no background
    losses: FloatArray | None  # (images,); None: not defined
    positives: IntArray  # (images, classes, PROBABILITY_BINS) pixels of the class
    negatives: IntArray  # (images, classes, PROBABILITY_BINS) pixels not of the class
    errors: PixelErrors | None = None  # None: not measured
    shapes: ShapeScores = field(default_factory=ShapeScores)

    @property
    def scored_classes(self) -> tuple[str, ...]:
        """Names without the background."""
        return self.class_names

    @property
    def labelled(self) -> IntArray:
        """Labelled pixels of each image, (images,)."""
        pixels: IntArray = (self.positives[:, 0] + self.negatives[:, 0]).sum(axis=-1)
        return pixels

    def counts(self, threshold: float) -> PixelCounts:
        """Count decisions at a threshold, see `counts_at`; (images, classes)."""
        counts = self.counts_at([threshold])
        return PixelCounts(counts.tp[0], counts.fp[0], counts.fn[0], counts.tn[0])

    def counts_at(self, thresholds: Sequence[float]) -> PixelCounts:
        """Count decisions where a probability from the threshold on is a find.

        A threshold counts to the nearest 0.001. The histograms are added up once, however many
        thresholds there are.

        Returns:
            Counts of (thresholds, images, classes).
        """
        firsts = [first_bin(threshold) for threshold in thresholds]
        tp, own = _found(self.positives, firsts)
        fp, others = _found(self.negatives, firsts)
        return PixelCounts(tp=tp, fp=fp, fn=own - tp, tn=others - fp)

    def pooled(self) -> Histograms:
        """Return the histograms of the whole split, (classes, bins)."""
        return Histograms(
            self.positives.sum(axis=0, dtype=np.int64), self.negatives.sum(axis=0, dtype=np.int64)
        )

    def metrics(self, evaluation: EvaluationSettings) -> dict[str, float]:
        """Score at the threshold of the settings; see docs/metrics.md for the names."""
        return SigmoidCounts(
            self.class_names,
            self.losses,
            counts=self.counts(evaluation.threshold),
            histograms=self.pooled(),
            errors=self.errors,
            shapes=self.shapes,
        ).metrics(evaluation)

    def save(self, file: Path) -> None:
        """Write an npz file that `load_predictions` reads."""
        arrays = {"positives": _small(self.positives), "negatives": _small(self.negatives)}
        _save(file, self, arrays)


@dataclass(frozen=True, slots=True)
class SoftmaxPredictions:
    """Predictions of a model that gives each pixel one label."""

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...]  # (labels,) in label order, with the background if there is one
    losses: FloatArray | None  # (images,); None: not defined
    confusions: IntArray  # (images, labels, labels) pixels; rows truth, columns prediction
    histograms: Histograms | None = None  # (labels, bins) of the split; None: not measured
    errors: PixelErrors | None = None  # None: not measured
    shapes: ShapeScores = field(default_factory=ShapeScores)

    @property
    def scored_classes(self) -> tuple[str, ...]:
        """Names without the background."""
        return tuple(name for name in self.class_names if name != BACKGROUND)

    @property
    def labelled(self) -> IntArray:
        """Labelled pixels of each image, (images,)."""
        pixels: IntArray = self.confusions.sum(axis=(1, 2))
        return pixels

    def counts(self) -> PixelCounts:
        """Count each label against all others, (images, labels)."""
        matrix = self.confusions.astype(np.int64)
        tp = np.diagonal(matrix, axis1=1, axis2=2)
        fp, fn = matrix.sum(axis=1) - tp, matrix.sum(axis=2) - tp
        return PixelCounts(tp=tp, fp=fp, fn=fn, tn=matrix.sum(axis=(1, 2))[:, None] - tp - fp - fn)

    def class_counts(self) -> PixelCounts:
        """Count each class against all other labels, (images, classes) without the background."""
        counts, scored = self.counts(), self._is_scored()
        return PixelCounts(
            tp=counts.tp[:, scored],
            fp=counts.fp[:, scored],
            fn=counts.fn[:, scored],
            tn=counts.tn[:, scored],
        )

    def pooled(self) -> Histograms | None:
        """Return the histograms of the classes, (classes, bins) without the background."""
        if self.histograms is None:
            return None
        scored = self._is_scored()
        return Histograms(self.histograms.positives[scored], self.histograms.negatives[scored])

    def metrics(self, evaluation: EvaluationSettings) -> dict[str, float]:
        """Score the most probable labels; see docs/metrics.md for the names."""
        counts, scored = self.counts(), self._is_scored()
        metrics: dict[str, ArrayLike] = {**class_metrics(self.class_counts(), self.scored_classes)}
        if not all(scored):
            tp, fp, fn = (part.sum(axis=0) for part in (counts.tp, counts.fp, counts.fn))
            metrics["iou_with_background"] = mean(ratio(tp, tp + fp + fn))
        metrics["pixel_accuracy"] = ratio(counts.tp.sum(), self.confusions.sum())
        metrics |= _threshold_free_metrics(self)
        metrics |= shape_metrics(self.shapes, self.scored_classes, evaluation.also, step=0)
        return {**_defined(metrics), **_loss(self.losses)}

    def save(self, file: Path) -> None:
        """Write an npz file that `load_predictions` reads."""
        arrays = {"confusions": _small(self.confusions)}
        if self.histograms is not None:
            arrays["positives"] = self.histograms.positives.astype(np.uint64)
            arrays["negatives"] = self.histograms.negatives.astype(np.uint64)
        _save(file, self, arrays)

    def _is_scored(self) -> list[bool]:
        return [name != BACKGROUND for name in self.class_names]


Predictions: TypeAlias = SigmoidPredictions | SoftmaxPredictions


def load_predictions(file: Path) -> Predictions:
    """Read what `save` wrote.

    Raises:
        ValueError: the file is of another format.
    """
    with np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    found = int(arrays["format"]) if "format" in arrays else None
    if found != FORMAT:
        raise ValueError(
            f"{file} must hold segmentation predictions of format {FORMAT}, "
            f"got format {found}; train the cell again"
        )
    image_ids = tuple(str(name) for name in arrays["image_ids"])
    class_names = tuple(str(name) for name in arrays["class_names"])
    errors = PixelErrors(*arrays["errors"]) if "errors" in arrays else None
    shapes = ShapeScores(arrays.get("boundary_f1"), arrays.get("objects"))
    histograms = None
    if "positives" in arrays:
        histograms = Histograms(arrays["positives"], arrays["negatives"])
    if "confusions" not in arrays and histograms is not None:
        return SigmoidPredictions(
            image_ids,
            class_names,
            arrays.get("losses"),
            histograms.positives,
            histograms.negatives,
            errors,
            shapes,
        )
    losses, confusions = arrays.get("losses"), arrays["confusions"]
    return SoftmaxPredictions(
        image_ids, class_names, losses, confusions, histograms, errors, shapes
    )


def rescore(file: Path, evaluation: EvaluationSettings) -> dict[str, float]:
    """Score saved predictions under other evaluation settings, without a split's prefix.

    Raises:
        ValueError: the settings have no effect on these predictions, or ask for what was not
            measured when they were saved.
    """
    predictions = load_predictions(file)
    default = EvaluationSettings().threshold
    if isinstance(predictions, SoftmaxPredictions) and evaluation.threshold != default:
        raise ValueError(
            f"evaluation.threshold {evaluation.threshold:g} has no effect on {file.name}, which "
            "a softmax predicted; train with a loss of sigmoids, such as bce, to vary it"
        )
    measured = {
        "boundary_f1": predictions.shapes.boundary_f1,
        "rand_error": predictions.shapes.objects,
    }
    for name in evaluation.also:
        if measured[name] is None:
            raise ValueError(
                f"evaluation.also asks for {name}, which was not measured when {file.name} was "
                "saved and cannot be told from it; train the cell again, or remove it"
            )
    return predictions.metrics(evaluation)


def mean_iou(tp: IntArray, fp: IntArray, fn: IntArray) -> float | None:
    """Return the mean over classes of accumulated counts, each (classes,); None if undefined."""
    value = float(mean(ratio(tp, tp + fp + fn)))
    return None if np.isnan(value) else value


def _save(file: Path, predictions: Predictions, arrays: Mapping[str, IntArray]) -> None:
    content: dict[str, Any] = {
        "format": np.array(FORMAT),
        "image_ids": np.array(predictions.image_ids, dtype=np.str_),
        "class_names": np.array(predictions.class_names, dtype=np.str_),
        **arrays,
    }
    errors, shapes = predictions.errors, predictions.shapes
    if predictions.losses is not None:
        content["losses"] = predictions.losses
    if errors is not None:
        content["errors"] = np.stack([errors.log, errors.absolute, errors.squared])
    if shapes.boundary_f1 is not None:
        content["boundary_f1"] = shapes.boundary_f1
    if shapes.objects is not None:
        content["objects"] = shapes.objects
    write_atomically(file, lambda stream: np.savez_compressed(stream, **content))


def first_bin(threshold: float) -> int:
    """Return the first bin of PROBABILITY_BINS that is found at a threshold."""
    return round(threshold * (PROBABILITY_BINS - 1))


def _small(counts: IntArray) -> IntArray:
    """Return pixels of an image in 32 bits, without a copy where they are so already."""
    return counts.astype(np.int32, copy=False)


def _found(counts: IntArray, firsts: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Return pixels in (…, bins) from each first bin on, (thresholds, …), and all, (…).

    Sums of slices, for a sum over all bins at once would hold each of them in 64 bits.
    """
    edges = sorted({0, *firsts})
    slices = zip(edges, [*edges[1:], None], strict=True)
    parts = np.stack([counts[..., low:high].sum(axis=-1, dtype=np.int64) for low, high in slices])
    above = parts[::-1].cumsum(axis=0)[::-1]  # (edges, …) from each edge on
    return above[np.array([edges.index(first) for first in firsts], np.intp)], above[0]


def _loss(losses: FloatArray | None) -> dict[str, float]:
    """Return the mean; one image's that is not finite shows, for it says that all is lost."""
    return {} if losses is None else {"loss": float(losses.mean())}


def _threshold_free_metrics(predictions: Predictions | SigmoidCounts) -> dict[str, float]:
    metrics: dict[str, float] = {}
    if predictions.errors is not None:
        metrics |= error_metrics(predictions.errors, predictions.labelled)
    pooled = predictions.pooled()
    if pooled is not None:
        metrics["auc"] = float(mean(roc_auc(pooled)))
        metrics["average_precision"] = float(mean(average_precision(pooled)))
    return metrics


def _defined(metrics: Mapping[str, ArrayLike]) -> dict[str, float]:
    plain = {name: float(np.asarray(value)) for name, value in metrics.items()}
    return {name: value for name, value in plain.items() if not np.isnan(value)}
