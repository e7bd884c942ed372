"""Files of a split whose samples each show one class, whatever the samples are."""

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from models.checkpoints import write_atomically
from models.metrics.guesses import Guesses
from models.metrics.names import TOP
from models.metrics.ratios import FloatArray
from models.tasks.segmentation_pictures import save_confusion_picture

DECIMALS = 6


def save_confusion(folder: Path, split: str, guesses: Guesses, unit: str) -> dict[str, str]:
    """Write the matrix and its picture; return role -> name inside the folder.

    Args:
        folder: Exists.
        split: "val" or "test".
        guesses: Of the split.
        unit: What a sample is, "images".
    """
    files = {
        f"confusion_{split}": f"confusion_{split}.json",
        f"confusion_picture_{split}": f"confusion_{split}.png",
    }
    content, picture = (folder / name for name in files.values())
    names, matrix = list(guesses.class_names), guesses.confusion()
    write_json(content, {"labels": names, "matrix": matrix.tolist(), "unit": unit})
    save_confusion_picture(picture, matrix, names, names)
    return files


def class_rows(guesses: Guesses, unit: str) -> dict[str, dict[str, float | None]]:
    """Return each class's samples and scores; null where 0 / 0."""
    columns = {
        "recall": guesses.recall(),
        "precision": guesses.precision(),
        "f1": guesses.f1(),
        **({"top5": guesses.by_class(guesses.credit(TOP))} if has_top5(guesses) else {}),
    }
    return {
        name: {
            unit: int(count),
            **{column: plain(values[index]) for column, values in columns.items()},
        }
        for index, (name, count) in enumerate(
            zip(guesses.class_names, guesses.samples(), strict=True)
        )
    }


def has_top5(guesses: Guesses) -> bool:
    """Whether there are classes beyond the first five."""
    return len(guesses.class_names) > TOP


def save_rows(
    file: Path,
    ids: Mapping[str, Sequence[str]],
    guesses: Guesses,
    columns: Mapping[str, FloatArray],
) -> None:
    """Write a line per sample as CSV: its id, true and predicted class, and numbers.

    Args:
        file: Where to.
        ids: The one column of ids by its name.
        guesses: Of as many samples.
        columns: Name -> (samples,).
    """
    ((id_column, sample_ids),) = ids.items()
    text = StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([id_column, "true", "predicted", *columns])
    names, predicted = guesses.class_names, guesses.predicted
    for row, sample_id in enumerate(sample_ids):
        classes = names[guesses.labels[row]], names[predicted[row]]
        lines.writerow([sample_id, *classes, *(repr(float(c[row])) for c in columns.values())])
    # Ids are names of files, which may not be UTF-8: their bytes are written as they are.
    content = text.getvalue().encode(errors="surrogateescape")
    write_atomically(file, lambda stream: stream.write(content))


def plain(value: np.floating[Any] | float) -> float | None:
    """Return a number as files hold it, None where it is not defined."""
    return None if np.isnan(value) else round(float(value), DECIMALS)


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write as little text as there need be."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    write_atomically(file, lambda stream: stream.write(text.encode()))
