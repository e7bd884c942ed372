"""Any list of thresholds from one pass over saved predictions: tables of scores, and curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.metrics.counts import class_metrics, decision_accuracy
from models.metrics.ranking import average_precision, found_from, roc_auc
from models.metrics.ratios import FloatArray, ratio
from models.metrics.segmentation import Predictions, SigmoidPredictions, first_bin

GRID = tuple(step / 100 for step in range(1, 100))


@dataclass(frozen=True, slots=True)
class ThresholdTable:
    """What predictions score at several thresholds."""

    thresholds: FloatArray  # (thresholds,) as asked for; they count to the nearest 0.001
    metrics: Mapping[str, FloatArray]  # name -> (thresholds,), NaN where undefined


@dataclass(frozen=True, slots=True)
class Curves:
    """Precision, recall and what follows from them by threshold, over all pixels of a split.

    A class counts as found from the threshold on, whatever other classes' probabilities are,
    for a softmax too: it is each class against the rest. NaN where a ratio is 0 / 0.
    """

    class_names: tuple[str, ...]  # (classes,) without the background
    thresholds: FloatArray  # (thresholds,)
    precision: FloatArray  # (classes, thresholds)
    recall: FloatArray  # (classes, thresholds)
    iou: FloatArray  # (classes, thresholds)
    f1: FloatArray  # (classes, thresholds) which is Dice
    auc: FloatArray  # (classes,)
    average_precision: FloatArray  # (classes,)


def threshold_table(
    predictions: SigmoidPredictions, thresholds: Sequence[float] = GRID
) -> ThresholdTable:
    """Score at each threshold, in [0, 1], what depends on it and needs no more than counts."""
    counts = predictions.counts_at(thresholds)
    metrics = {
        **class_metrics(counts, predictions.class_names),
        "pixel_accuracy": decision_accuracy(counts),
    }
    return ThresholdTable(np.array(thresholds, np.float64), metrics)


def curves(predictions: Predictions, thresholds: Sequence[float] = GRID) -> Curves:
    """Return the curves of each class.

    Raises:
        ValueError: the predictions are labels without probabilities.
    """
    pooled = predictions.pooled()
    if pooled is None:
        raise ValueError(
            "curves need probabilities, and these predictions hold labels alone; "
            "score what a network predicted"
        )
    firsts = [first_bin(threshold) for threshold in thresholds]
    tp, fp = found_from(pooled.positives)[:, firsts], found_from(pooled.negatives)[:, firsts]
    true = pooled.positives.sum(axis=-1, keepdims=True)
    precision, recall = ratio(tp, tp + fp), ratio(tp, np.broadcast_to(true, tp.shape))
    return Curves(
        class_names=predictions.scored_classes,
        thresholds=np.array(thresholds, np.float64),
        precision=precision,
        recall=recall,
        iou=ratio(tp, true + fp),
        f1=ratio(2 * tp, tp + fp + true),
        auc=roc_auc(pooled),
        average_precision=average_precision(pooled),
    )
