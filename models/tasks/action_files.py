"""What an evaluator keeps of a split's videos.

    predictions_<split>.npz    video_ids, labels, class_names, probabilities (videos, classes)
                               float32, and clips: how many there were of each video
    confusion_<split>.json     "labels" and "matrix" of videos, rows truth, columns prediction
    confusion_<split>.png      the matrix as shares of its rows
    class_scores_<split>.json  videos, recall, precision, F1 and top 5 of each class; the number of
                               videos, and of clips of each (views times crops); null where 0 / 0
    video_scores_<split>.csv   a line per video, to resample videos by, or to find the worst ones
    predictions_strip.png      val only: videos of several classes, see `action_strips`

Every file appears whole or not at all.
"""

from pathlib import Path
from typing import Any

import numpy as np

from models.checkpoints import write_atomically
from models.metrics.actions import ScoredVideos
from models.metrics.names import TOP
from models.tasks.class_files import class_rows, has_top5, save_confusion, save_rows, write_json

VIDEOS = "videos"


def save_split(folder: Path, split: str, videos: ScoredVideos) -> dict[str, str]:
    """Write everything but the picture of predictions; return role -> name inside the folder."""
    files = {
        f"predictions_{split}": f"predictions_{split}.npz",
        f"class_scores_{split}": f"class_scores_{split}.json",
        f"video_scores_{split}": f"video_scores_{split}.csv",
    }
    predictions, classes, scores = (folder / name for name in files.values())
    _save_predictions(predictions, videos)
    write_json(classes, class_scores(videos))
    columns = {"top1": videos.credit(1), "clip_top1": videos.clip_top1}
    if has_top5(videos):
        columns |= {"top5": videos.credit(TOP), "clip_top5": videos.clip_top5}
    columns |= {"loss": videos.losses, "log_loss": videos.surprise()}
    save_rows(scores, {"video_id": videos.video_ids}, videos, columns)
    return files | save_confusion(folder, split, videos, VIDEOS)


def class_scores(videos: ScoredVideos) -> dict[str, Any]:
    """Return what `class_scores_<split>.json` holds."""
    return {
        VIDEOS: len(videos.video_ids),
        "clips_per_video": sorted({int(count) for count in videos.clips}),
        "classes": class_rows(videos, VIDEOS),
    }


def _save_predictions(file: Path, videos: ScoredVideos) -> None:
    write_atomically(
        file,
        lambda stream: np.savez_compressed(
            stream,
            video_ids=np.array(videos.video_ids),
            labels=videos.labels,
            class_names=np.array(videos.class_names),
            probabilities=videos.probabilities,
            clips=videos.clips,
        ),
    )
