"""What an evaluator keeps of a split beside its counts: curves, confusion, scores, pictures.

    curves_<split>.json        precision, recall, IoU and F1 by threshold, per class and mean;
                               average precision and AUC; null where 0 / 0
    curves_<split>.png         the same as pictures
    confusion_<split>.json     softmax: the matrix of pixels, rows truth, columns prediction;
                               sigmoids: tp, fp, fn, tn of each class at the trial's threshold
    confusion_<split>.png      softmax only: the matrix as shares of its rows
    image_scores_<split>.csv   a line per image, to resample images by; empty where undefined
    predictions_strip.png      val only: the split's first images, truth, prediction, error
    predictions_thresholds.png sigmoids, val only: the same images at several thresholds

Every file appears whole or not at all.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from models.checkpoints import write_atomically
from models.metrics.images import image_scores
from models.metrics.ratios import FloatArray, mean
from models.metrics.segmentation import Predictions, SigmoidPredictions, SoftmaxPredictions
from models.metrics.thresholds import Curves, curves
from models.settings import EvaluationSettings
from models.tasks.segmentation_pictures import save_confusion_picture, save_curves_picture
from models.tasks.strips import Probe, save_strip
from models.tasks.threshold_strips import save_threshold_strip

SHARES = ("precision", "recall", "iou", "f1")
AREAS = ("average_precision", "auc")
DECIMALS = 6  # of what is for people and pictures; `predictions_<split>.npz` is exact


def save_split(
    folder: Path, split: str, predictions: Predictions, evaluation: EvaluationSettings
) -> dict[str, str]:
    """Write what a split's predictions come to.

    Args:
        folder: Of the attempt; exists.
        split: "val" or "test".
        predictions: Of the split.
        evaluation: With the threshold that counts.

    Returns:
        Role -> name inside the folder.
    """
    files = {f"image_scores_{split}": f"image_scores_{split}.csv"}
    _save_scores(folder / files[f"image_scores_{split}"], predictions, evaluation)
    return (
        files
        | _save_curves(folder, split, predictions)
        | _save_confusion(folder, split, predictions, evaluation)
    )


def save_pictures(folder: Path, probes: Sequence[Probe]) -> dict[str, str]:
    """Draw a few images with what was predicted; return role -> name inside the folder."""
    files = {"predictions_strip": "predictions_strip.png"}
    save_strip(folder / files["predictions_strip"], probes)
    if all(probe.probabilities is not None for probe in probes):
        files["predictions_thresholds"] = "predictions_thresholds.png"
        save_threshold_strip(folder / files["predictions_thresholds"], probes)
    return files


def _save_curves(folder: Path, split: str, predictions: Predictions) -> dict[str, str]:
    if predictions.pooled() is None:
        return {}
    content = curves_content(curves(predictions))
    content["is_softmax"] = isinstance(predictions, SoftmaxPredictions)
    data, picture = f"curves_{split}.json", f"curves_{split}.png"
    _write_json(folder / data, content)
    save_curves_picture(
        folder / picture, content["thresholds"], content["classes"], content["mean"]
    )
    return {f"curves_{split}": data, f"curves_picture_{split}": picture}


def curves_content(found: Curves) -> dict[str, Any]:
    """Return curves as the JSON has them: thresholds, "classes" by name, and their mean."""
    by_class = [
        {share: _plain(getattr(found, share)[index]) for share in SHARES}
        | {area: _plain(getattr(found, area)[index : index + 1])[0] for area in AREAS}
        for index in range(len(found.class_names))
    ]
    overall: dict[str, Any] = {
        share: _plain(mean(getattr(found, share), axis=0)) for share in SHARES
    }
    for area in AREAS:
        overall[area] = _plain(np.atleast_1d(mean(getattr(found, area))))[0]
    return {
        "thresholds": _plain(found.thresholds),
        "classes": dict(zip(found.class_names, by_class, strict=True)),
        "mean": overall,
    }


def _save_confusion(
    folder: Path, split: str, predictions: Predictions, evaluation: EvaluationSettings
) -> dict[str, str]:
    data, picture = f"confusion_{split}.json", f"confusion_{split}.png"
    _write_json(folder / data, confusion_content(predictions, evaluation))
    if isinstance(predictions, SigmoidPredictions):
        return {f"confusion_{split}": data}
    matrix, names = predictions.confusions.sum(axis=0), predictions.class_names
    save_confusion_picture(folder / picture, matrix, names, names)
    return {f"confusion_{split}": data, f"confusion_picture_{split}": picture}


def confusion_content(predictions: Predictions, evaluation: EvaluationSettings) -> dict[str, Any]:
    """Return pixels as the JSON has them: a matrix of labels, or a table per class."""
    if isinstance(predictions, SoftmaxPredictions):
        matrix = predictions.confusions.sum(axis=0)
        return {"labels": list(predictions.class_names), "matrix": matrix.tolist()}
    counts = predictions.counts(evaluation.threshold)
    totals = {name: getattr(counts, name).sum(axis=0) for name in ("tp", "fp", "fn", "tn")}
    tables = {
        class_name: {name: int(total[index]) for name, total in totals.items()}
        for index, class_name in enumerate(predictions.class_names)
    }
    return {"threshold": evaluation.threshold, "classes": tables}


def _save_scores(file: Path, predictions: Predictions, evaluation: EvaluationSettings) -> None:
    image_ids, scores = image_scores(predictions, evaluation)
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["image_id", *scores])
    columns = [[_number(value) for value in values] for values in scores.values()]
    lines.writerows(zip(image_ids, *columns, strict=True))
    # Ids are names of files, which may not be UTF-8: their bytes are written as they are.
    content = text.getvalue().encode(errors="surrogateescape")
    write_atomically(file, lambda stream: stream.write(content))


def _number(value: float) -> str:
    return "" if np.isnan(value) else repr(float(value))


def _plain(values: FloatArray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), DECIMALS) for value in values]


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    write_atomically(file, lambda stream: stream.write(text.encode()))
