"""What an evaluator keeps of a split's videos.

    predictions_<split>.npz    video_ids, labels, class_names, probabilities (videos, classes)
                               float32, and clips: how many there were of each video
    confusion_<split>.json     "labels" and "matrix" of videos, rows truth, columns prediction
    confusion_<split>.png      the matrix as shares of its rows
    class_scores_<split>.json  videos, recall, precision and top 5 of each class; the numbers of
                               videos and of clips of each (views times crops); null where 0 / 0
    video_scores_<split>.csv   a line per video, to resample videos by, or to find the worst ones
    predictions_strip.png      val only: videos of several classes, see `action_strips`

Every file appears whole or not at all.
"""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from models.checkpoints import write_atomically
from models.metrics.actions import ScoredVideos
from models.metrics.names import TOP
from models.metrics.ratios import ratio
from models.tasks.segmentation_pictures import save_confusion_picture

DECIMALS = 6


def save_split(folder: Path, split: str, videos: ScoredVideos) -> dict[str, str]:
    """Write everything but the picture of predictions; return role -> name inside the folder."""
    files = {
        f"predictions_{split}": f"predictions_{split}.npz",
        f"confusion_{split}": f"confusion_{split}.json",
        f"confusion_picture_{split}": f"confusion_{split}.png",
        f"class_scores_{split}": f"class_scores_{split}.json",
        f"video_scores_{split}": f"video_scores_{split}.csv",
    }
    predictions, confusion, picture, classes, scores = (folder / name for name in files.values())
    _save_predictions(predictions, videos)
    names, matrix = list(videos.class_names), videos.confusion()
    _write_json(confusion, {"labels": names, "matrix": matrix.tolist(), "unit": "videos"})
    save_confusion_picture(picture, matrix, names, names)
    _write_json(classes, class_scores(videos))
    _save_scores(scores, videos)
    return files


def class_scores(videos: ScoredVideos) -> dict[str, Any]:
    """Return what `class_scores_<split>.json` holds."""
    matrix = videos.confusion()
    precision = ratio(matrix.diagonal(), matrix.sum(axis=0))
    top5 = videos.by_class(videos.credit(TOP)) if _has_top5(videos) else None
    recalls = videos.by_class(videos.credit(1))
    classes = {
        name: {
            "videos": int(matrix[index].sum()),
            "recall": _plain(recalls[index]),
            "precision": _plain(precision[index]),
            **({} if top5 is None else {"top5": _plain(top5[index])}),
        }
        for index, name in enumerate(videos.class_names)
    }
    return {
        "videos": len(videos.video_ids),
        "clips_per_video": sorted({int(count) for count in videos.clips}),
        "classes": classes,
    }


def _has_top5(videos: ScoredVideos) -> bool:
    return len(videos.class_names) > TOP


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


def _save_scores(file: Path, videos: ScoredVideos) -> None:
    columns = {"top1": videos.credit(1), "clip_top1": videos.clip_top1}
    if _has_top5(videos):
        columns |= {"top5": videos.credit(TOP), "clip_top5": videos.clip_top5}
    columns |= {"loss": videos.losses, "log_loss": videos.surprise()}
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["video_id", "true", "predicted", *columns])
    names = videos.class_names
    for row, video_id in enumerate(videos.video_ids):
        classes = names[videos.labels[row]], names[videos.predicted[row]]
        lines.writerow([video_id, *classes, *(repr(float(c[row])) for c in columns.values())])
    write_atomically(file, lambda stream: stream.write(text.getvalue().encode()))


def _plain(value: np.floating[Any]) -> float | None:
    return None if np.isnan(value) else round(float(value), DECIMALS)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    write_atomically(file, lambda stream: stream.write(text.encode()))
