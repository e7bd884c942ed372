"""Segmentation metrics from saved counts: any threshold from one pass; torch-free.

A sigmoid model's predictions are kept as histograms of probability, per image and class, of the
pixels that belong to the class and of those that do not; a softmax model's as a confusion matrix
per image. Pixels labelled IGNORE are in neither.

What the names mean, over the classes without the background, for both kinds alike:

    iou                  mean over classes of TP / (TP + FP + FN), counts added up over images
    iou_<class>          the same of one class
    iou_image_mean       mean over classes of the mean over images, of those that hold the class
                         or a prediction of it
    iou_with_background  softmax only: `iou` over all labels, the "mIoU" of benchmarks such as
                         VOC that count their background as a class
    dice                 mean over classes of 2 TP / (2 TP + FP + FN), counts added up
    class_accuracy       mean over classes of recall, TP / (TP + FN), counts added up
    pixel_accuracy       share of right decisions: per pixel for a softmax; per pixel and class
                         for sigmoids
    loss                 mean over images

A ratio 0 / 0 (a class neither there nor predicted) is left out of means; a metric without any
term is left out of the result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.checkpoints import write_atomically
from models.metrics.names import BACKGROUND, class_slugs
from models.settings import EvaluationSettings

PROBABILITY_BINS = 1001  # bin k holds floor(1000 p) == k, so thresholds k / 1000 are exact
FORMAT = 1

IntArray: TypeAlias = NDArray[np.integer[Any]]
FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Right and wrong decisions per image and class, each (images, classes)."""

    tp: IntArray
    fp: IntArray
    fn: IntArray
    tn: IntArray


@dataclass(frozen=True, slots=True)
class SigmoidPredictions:
    """Predictions of a model with a probability per class."""

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...]  # (classes,) in channel order, no background
    losses: FloatArray  # (images,)
    positives: IntArray  # (images, classes, PROBABILITY_BINS) pixels of the class
    negatives: IntArray  # (images, classes, PROBABILITY_BINS) pixels not of the class

    def counts(self, threshold: float) -> PixelCounts:
        """Count decisions where a probability from `threshold` on is a find.

        The threshold counts to the nearest 0.001.
        """
        first = round(threshold * (PROBABILITY_BINS - 1))
        tp = self.positives[..., first:].sum(axis=-1, dtype=np.int64)
        fp = self.negatives[..., first:].sum(axis=-1, dtype=np.int64)
        return PixelCounts(
            tp=tp,
            fp=fp,
            fn=self.positives.sum(axis=-1, dtype=np.int64) - tp,
            tn=self.negatives.sum(axis=-1, dtype=np.int64) - fp,
        )

    def metrics(self, evaluation: EvaluationSettings) -> dict[str, float]:
        """Score at the threshold of the settings; see the module for the names."""
        counts = self.counts(evaluation.threshold)
        right, wrong = (counts.tp + counts.tn).sum(), (counts.fp + counts.fn).sum()
        return _defined(
            {
                **_class_metrics(counts, self.class_names),
                "pixel_accuracy": float(_ratio(right, right + wrong)),
                "loss": _mean(self.losses),
            }
        )

    def save(self, file: Path) -> None:
        """Write an npz file that `load_predictions` reads."""
        arrays = {
            "positives": self.positives.astype(np.uint32),
            "negatives": self.negatives.astype(np.uint32),
        }
        _save(file, self, arrays)


@dataclass(frozen=True, slots=True)
class SoftmaxPredictions:
    """Predictions of a model that gives each pixel one label."""

    image_ids: tuple[str, ...]
    class_names: tuple[str, ...]  # (labels,) in label order, with the background if there is one
    losses: FloatArray  # (images,)
    confusions: IntArray  # (images, labels, labels) pixels; rows truth, columns prediction

    def counts(self) -> PixelCounts:
        """Count each label against all others."""
        matrix = self.confusions.astype(np.int64)
        tp = np.diagonal(matrix, axis1=1, axis2=2)
        fp, fn = matrix.sum(axis=1) - tp, matrix.sum(axis=2) - tp
        return PixelCounts(tp=tp, fp=fp, fn=fn, tn=matrix.sum(axis=(1, 2))[:, None] - tp - fp - fn)

    def metrics(self, evaluation: EvaluationSettings) -> dict[str, float]:  # noqa: ARG002
        """Score the most probable label; a threshold has no effect."""
        counts = self.counts()
        scored = [name != BACKGROUND for name in self.class_names]
        metrics = _class_metrics(
            PixelCounts(
                tp=counts.tp[:, scored],
                fp=counts.fp[:, scored],
                fn=counts.fn[:, scored],
                tn=counts.tn[:, scored],
            ),
            [name for name in self.class_names if name != BACKGROUND],
        )
        if not all(scored):
            metrics["iou_with_background"] = _mean(_accumulated_iou(counts))
        metrics["pixel_accuracy"] = float(_ratio(counts.tp.sum(), self.confusions.sum()))
        metrics["loss"] = _mean(self.losses)
        return _defined(metrics)

    def save(self, file: Path) -> None:
        """Write an npz file that `load_predictions` reads."""
        _save(file, self, {"confusions": self.confusions.astype(np.uint32)})


def load_predictions(file: Path) -> SigmoidPredictions | SoftmaxPredictions:
    """Read what `save` wrote.

    Raises:
        ValueError: the file is of another format.
    """
    with np.load(file, allow_pickle=False) as arrays:
        found = int(arrays["format"]) if "format" in arrays else None
        if found != FORMAT:
            raise ValueError(
                f"{file} must hold segmentation predictions of format {FORMAT}, "
                f"got format {found}; train the cell again"
            )
        image_ids = tuple(str(name) for name in arrays["image_ids"])
        class_names = tuple(str(name) for name in arrays["class_names"])
        losses = arrays["losses"]
        if "confusions" in arrays:
            return SoftmaxPredictions(image_ids, class_names, losses, arrays["confusions"])
        return SigmoidPredictions(
            image_ids, class_names, losses, arrays["positives"], arrays["negatives"]
        )


def rescore(file: Path, evaluation: EvaluationSettings) -> dict[str, float]:
    """Score saved predictions under other evaluation settings, without a split's prefix.

    Raises:
        ValueError: the settings have no effect on these predictions.
    """
    predictions = load_predictions(file)
    default = EvaluationSettings().threshold
    if isinstance(predictions, SoftmaxPredictions) and evaluation.threshold != default:
        raise ValueError(
            f"evaluation.threshold {evaluation.threshold:g} has no effect on {file.name}, which "
            "a model trained with loss cross_entropy predicted; train with loss bce to vary it"
        )
    return predictions.metrics(evaluation)


def mean_iou(tp: IntArray, fp: IntArray, fn: IntArray) -> float | None:
    """Return the mean over classes of accumulated counts, each (classes,); None if undefined."""
    value = _mean(_ratio(tp, tp + fp + fn))
    return None if np.isnan(value) else value


def _save(
    file: Path,
    predictions: SigmoidPredictions | SoftmaxPredictions,
    arrays: Mapping[str, IntArray],
) -> None:
    content: dict[str, Any] = {
        "format": np.array(FORMAT),
        "image_ids": np.array(predictions.image_ids, dtype=np.str_),
        "class_names": np.array(predictions.class_names, dtype=np.str_),
        "losses": predictions.losses,
        **arrays,
    }
    write_atomically(file, lambda stream: np.savez_compressed(stream, **content))


def _class_metrics(counts: PixelCounts, class_names: Sequence[str]) -> dict[str, float]:
    per_image = _ratio(counts.tp, counts.tp + counts.fp + counts.fn)  # (images, classes)
    tp, fp, fn = (part.sum(axis=0) for part in (counts.tp, counts.fp, counts.fn))  # (classes,)
    iou = _accumulated_iou(counts)
    metrics = {
        "iou": _mean(iou),
        "iou_image_mean": _mean(np.array([_mean(column) for column in per_image.T])),
        "dice": _mean(_ratio(2 * tp, 2 * tp + fp + fn)),
        "class_accuracy": _mean(_ratio(tp, tp + fn)),
    }
    for slug, value in zip(class_slugs(class_names), iou, strict=True):
        metrics[f"iou_{slug}"] = float(value)
    return metrics


def _accumulated_iou(counts: PixelCounts) -> FloatArray:
    """Return (classes,); NaN for a class neither there nor predicted."""
    tp = counts.tp.sum(axis=0)
    return _ratio(tp, tp + counts.fp.sum(axis=0) + counts.fn.sum(axis=0))


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """Divide; 0 / 0 is NaN, without numpy's warning."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    ratio: FloatArray = np.divide(
        top, bottom, out=np.full(bottom.shape, np.nan), where=bottom != 0
    )
    return ratio


def _mean(values: FloatArray) -> float:
    """Average what is defined; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _defined(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if not np.isnan(value)}
