"""What an evaluator keeps of a split's images.

    predictions_<split>.npz    image_ids, labels, class_names, probabilities (images, classes)
                               float32
    confusion_<split>.json     "labels" and "matrix" of images, rows truth, columns prediction
    confusion_<split>.png      the matrix as shares of its rows
    class_scores_<split>.json  images, recall, precision, F1 and top 5 of each class; null where
                               0 / 0
    calibration_<split>.json   images, mean confidence and accuracy by bins of the confidence, null
                               in an empty bin, and the expected calibration error
    image_scores_<split>.csv   a line per image, to resample images by, or to find the worst ones
    predictions_strip.png      val only: right ones and mistakes with Grad-CAM, see
                               `classification_strips`

Every file appears whole or not at all.
"""

from pathlib import Path
from typing import Any

import numpy as np

from models.checkpoints import write_atomically
from models.metrics.calibration import BINS, calibration
from models.metrics.classification import ClassifiedImages
from models.metrics.names import TOP
from models.tasks.class_files import (
    class_rows,
    has_top5,
    plain,
    save_confusion,
    save_rows,
    write_json,
)

IMAGES = "images"


def save_split(folder: Path, split: str, images: ClassifiedImages) -> dict[str, str]:
    """Write everything but the picture of predictions; return role -> name inside the folder."""
    files = {
        f"predictions_{split}": f"predictions_{split}.npz",
        f"class_scores_{split}": f"class_scores_{split}.json",
        f"calibration_{split}": f"calibration_{split}.json",
        f"image_scores_{split}": f"image_scores_{split}.csv",
    }
    predictions, classes, bins, scores = (folder / name for name in files.values())
    _save_predictions(predictions, images)
    rows = class_rows(images, IMAGES)
    write_json(classes, {IMAGES: len(images.labels), "classes": rows})
    write_json(bins, calibration_content(images))
    columns = {"top1": images.credit(1)}
    columns |= {"top5": images.credit(TOP)} if has_top5(images) else {}
    columns |= {
        "confidence": images.confidence,
        "loss": images.losses,
        "log_loss": images.surprise(),
    }
    save_rows(scores, {"image_id": images.image_ids}, images, columns)
    return files | save_confusion(folder, split, images, IMAGES)


def calibration_content(images: ClassifiedImages) -> dict[str, Any]:
    """Return what `calibration_<split>.json` holds."""
    found = calibration(images.confidence, images.credit(1))
    edges = np.linspace(0, 1, BINS + 1)
    return {
        "images": len(images.labels),
        "ece": found.error,
        "bins": [
            {
                "from": plain(edges[index]),
                "to": plain(edges[index + 1]),
                "count": int(found.counts[index]),
                "confidence": plain(found.confidence[index]),
                "accuracy": plain(found.accuracy[index]),
            }
            for index in range(BINS)
        ],
    }


def _save_predictions(file: Path, images: ClassifiedImages) -> None:
    write_atomically(
        file,
        lambda stream: np.savez_compressed(
            stream,
            image_ids=np.array(images.image_ids),
            labels=images.labels,
            class_names=np.array(images.class_names),
            probabilities=images.probabilities,
        ),
    )
