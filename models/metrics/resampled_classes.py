"""How well resampled images, or videos, are told apart, from the probabilities of each."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.metrics.names import TOP
from models.metrics.ratios import FloatArray, mean, ratio
from models.metrics.resampling import ImageStatistic, Score
from models.metrics.top_k import credit
from models.settings import EvaluationSettings


def image_statistic(
    file: Path,
    metric: str,
    evaluation: EvaluationSettings,  # noqa: ARG001  # as the other tasks have it
) -> ImageStatistic:
    """Return a metric of saved predictions as a function of the samples' weights.

    Args:
        file: Of predictions.
        metric: One that the catalog names for the task.
        evaluation: Changes nothing that is predicted of whole samples.
    """
    with np.load(file, allow_pickle=False) as stored:
        (key,) = {"image_ids", "video_ids"} & set(stored.files)
        ids = tuple(str(name) for name in stored[key])
        labels, probabilities = stored["labels"], stored["probabilities"]
    places = TOP if metric == "top5" else 1
    shares: FloatArray = credit(
        torch.from_numpy(probabilities), torch.from_numpy(labels), places
    ).numpy()
    if metric == "class_recall":
        return ImageStatistic(ids, _class_recall(labels, shares))

    def score(weights: FloatArray) -> FloatArray:
        return ratio(weights @ shares, weights.sum(axis=1))

    return ImageStatistic(ids, score)


def _class_recall(labels: NDArray[np.int64], shares: FloatArray) -> Score:
    """Return the mean over classes of the weighted shares of their samples."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))  # of each class that is there
    right = shares[order]

    def score(weights: FloatArray) -> FloatArray:
        # A sum over neighbours: a matrix of samples by classes would be hundreds of megabytes.
        by_class = weights[:, order]
        known = np.add.reduceat(by_class, starts, axis=1)
        by_class *= right
        return mean(ratio(np.add.reduceat(by_class, starts, axis=1), known), axis=1)

    return score
