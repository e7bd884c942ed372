"""How well videos are told apart: shares of right ones, recalls, the confusion matrix.

A video's probabilities are the mean of its clips' (Simonyan and Zisserman 2014, section 5; all
views and crops weigh alike). Classes that are equally probable share their places, see `top_k`;
the confusion matrix alone needs whole videos: there the first of equals is the prediction.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.metrics.names import TOP, action_slugs
from models.metrics.ratios import FloatArray, mean
from models.metrics.top_k import credit

SMALLEST = float(np.finfo(np.float32).eps)  # probabilities are clipped to before their logarithm


@dataclass(frozen=True, slots=True)
class ScoredVideos:
    """What a network said of a split's videos."""

    video_ids: tuple[str, ...]
    class_names: tuple[str, ...]  # in label order
    labels: NDArray[np.int64]  # (videos,) class index
    probabilities: NDArray[np.float32]  # (videos, classes) mean over clips
    clips: NDArray[np.int64]  # (videos,) how many there were of each: views times crops
    losses: FloatArray  # (videos,) mean over clips of what training minimises
    clip_top1: FloatArray  # (videos,) mean over clips of their `credit`
    clip_top5: FloatArray  # (videos,) the same

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(videos,) most probable class, the first of equals."""
        predicted: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted

    def surprise(self) -> FloatArray:
        """Return -ln of the probability given to the true class, (videos,)."""
        right = self.probabilities[np.arange(len(self.labels)), self.labels].astype(np.float64)
        logarithms: FloatArray = -np.log(right.clip(SMALLEST, 1 - SMALLEST))
        return logarithms

    def credit(self, k: int) -> FloatArray:
        """Return how surely each video's class is among its first k, in [0, 1], (videos,)."""
        shares: FloatArray = credit(
            torch.from_numpy(self.probabilities), torch.from_numpy(self.labels), k
        ).numpy()
        return shares

    def by_class(self, values: FloatArray) -> FloatArray:
        """Average (videos,) values over the videos of each class, NaN without one, (classes,)."""
        is_of_class = self.labels == np.arange(len(self.class_names))[:, None]
        return mean(np.where(is_of_class, values, np.nan), axis=1)

    def confusion(self) -> NDArray[np.int64]:
        """Count videos by class and prediction, (classes, classes), rows truth."""
        count = len(self.class_names)
        cells = np.bincount(self.labels * count + self.predicted, minlength=count * count)
        return cells.reshape(count, count)


def action_metrics(videos: ScoredVideos) -> dict[str, float]:
    """Score a split of at least one video; what is undefined is left out.

    `class_recall` is the mean over the classes that have a video.
    """
    names, recalls = videos.class_names, videos.by_class(videos.credit(1))
    metrics = {
        "top1": videos.credit(1).mean(),
        "clip_top1": videos.clip_top1.mean(),
        "class_recall": mean(recalls),
        "loss": videos.losses.mean(),
        "log_loss": videos.surprise().mean(),
    }
    if len(names) > TOP:  # else every class is among the first five
        metrics["top5"] = videos.credit(TOP).mean()
        metrics["clip_top5"] = videos.clip_top5.mean()
    for slug, recall in zip(action_slugs(names), recalls, strict=True):
        if not np.isnan(recall):
            metrics[f"recall_{slug}"] = recall
    return {name: float(value) for name, value in metrics.items()}
