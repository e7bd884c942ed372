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
        return ImageStatistic(ids, _class_recall(labels, shares, probabilities.shape[1]))

    def score(weights: FloatArray) -> FloatArray:
        return ratio(weights @ shares, weights.sum(axis=1))

    return ImageStatistic(ids, score)


def _class_recall(labels: NDArray[np.int64], shares: FloatArray, classes: int) -> Score:
    """Return the mean over classes of the weighted shares of their samples."""
    is_of_class = (labels[:, None] == np.arange(classes)).astype(np.float64)
    of_class = is_of_class * shares[:, None]

    def score(weights: FloatArray) -> FloatArray:
        return mean(ratio(weights @ of_class, weights @ is_of_class), axis=1)

    return score
