"""Curves and confusion matrices of a split as PNG, for whoever browses a trial's files.

Drawn without pyplot, whose figures are global, and without a date, so that the same numbers give
the same bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.checkpoints import write_atomically
from models.tasks.strips import PALETTE

DPI = 110
MOST_CLASSES = len(PALETTE)  # drawn one by one; with more, the mean alone
MOST_NUMBERS = 12  # labels of a matrix whose shares are written into it
MOST_LABELS = 40  # of an axis; with more, the picture grows no further and names none
LABEL_SIZE = 8  # points

Curve: TypeAlias = Mapping[str, Any]  # "precision", "recall", "iou": (thresholds,) or None each


def save_curves_picture(
    file: Path, thresholds: Sequence[float], classes: Mapping[str, Curve], mean: Curve
) -> None:
    """Draw precision against recall, and IoU against threshold.

    Args:
        file: Where to, PNG.
        thresholds: Ascending.
        classes: Name -> its curve.
        mean: Over classes.
    """
    figure = Figure(figsize=(8.4, 3.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    lines: dict[str, Curve] = dict(classes) if len(classes) <= MOST_CLASSES else {}
    if len(classes) > 1:
        lines["mean"] = mean
    for index, (name, curve) in enumerate(lines.items()):
        colour = "black" if name == "mean" else _colour(index)
        left.plot(_floats(curve["recall"]), _floats(curve["precision"]), color=colour, label=name)
        right.plot(thresholds, _floats(curve["iou"]), color=colour, label=name)
    _name_axes(left, "recall", "precision")
    _name_axes(right, "threshold", "IoU")
    right.legend(fontsize=LABEL_SIZE)
    _save(figure, file)


def save_confusion_picture(
    file: Path, matrix: NDArray[np.integer[Any]], rows: Sequence[str], columns: Sequence[str]
) -> None:
    """Draw counts as shares of their row; of many labels without their names.

    Args:
        file: Where to, PNG.
        matrix: (rows, columns) pixels.
        rows: What each row is, e.g. the truth.
        columns: What each column is, e.g. the prediction.
    """
    total = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    wide, high = (min(len(labels), MOST_LABELS) for labels in (columns, rows))
    size = (2.2 + 0.45 * wide, 1.4 + 0.36 * high)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    _name_labels(axes.xaxis, "predicted", columns, rotation=45, ha="right")
    _name_labels(axes.yaxis, "true", rows)
    if len(columns) <= MOST_NUMBERS:
        _write_shares(axes, shares)
    _save(figure, file)


def _name_labels(
    axis: Axis,
    title: str,
    labels: Sequence[str],
    **text: Any,  # noqa: ANN401  # properties of text, whatever they are
) -> None:
    """Name each label at its place, or say how many there are."""
    if len(labels) > MOST_LABELS:
        axis.set_ticks([])
        title = f"{title}: {len(labels)} in the order of the labels"
    else:
        axis.set_ticks(range(len(labels)), labels, fontsize=LABEL_SIZE, **text)
    axis.set_label_text(title, fontsize=LABEL_SIZE)


def _write_shares(axes: Axes, shares: NDArray[np.float64]) -> None:
    for (row, column), share in np.ndenumerate(shares):
        ink = "white" if share > 0.5 else "black"
        axes.text(
            column, row, f"{share:.2f}", ha="center", va="center", color=ink, fontsize=LABEL_SIZE
        )


def _colour(index: int) -> tuple[float, float, float]:
    red, green, blue = PALETTE[index % len(PALETTE)]
    return red / 255, green / 255, blue / 255


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values])


def _name_axes(axes: Axes, horizontal: str, vertical: str) -> None:
    axes.set(xlabel=horizontal, ylabel=vertical, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)


def _save(figure: Figure, file: Path) -> None:
    nothing = {"Software": None}  # the version of the drawing library is no part of the picture
    write_atomically(file, lambda stream: figure.savefig(stream, format="png", metadata=nothing))
