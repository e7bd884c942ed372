"""How well videos are told apart: shares of right ones, recalls, the confusion matrix.

A video's probabilities are the mean of its clips' (Simonyan and Zisserman 2014, section 5; all
views and crops weigh alike).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.metrics.guesses import Guesses
from models.metrics.names import TOP, action_slugs
from models.metrics.ratios import FloatArray, mean


@dataclass(frozen=True, slots=True)
class ScoredVideos(Guesses):
    """What a network said of a split's videos; their probabilities and losses are means."""

    video_ids: tuple[str, ...]  # (videos,)
    clips: NDArray[np.int64]  # (videos,) how many there were of each: views times crops
    clip_top1: FloatArray  # (videos,) mean over clips of their `credit`
    clip_top5: FloatArray  # (videos,) the same


def action_metrics(videos: ScoredVideos) -> dict[str, float]:
    """Score a split of at least one video; what is undefined is left out.

    `class_recall` is the mean over the classes that have a video.
    """
    names, recalls = videos.class_names, videos.recall()
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
