"""What is taken for what? The confusion matrix of each stage's winner, all its seeds together.

`confusions` reads what the trials kept and adds it up; `confusion_figure` draws a matrix of
labels. A network with a sigmoid per class has no such matrix but a 2 x 2 table per class.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reports import theme
from reports.kept_json import kept_of_seeds
from reports.notation import SPLIT_WORDS, plural, score
from reports.winners import winners
from trackers.records import StudyRecord

MOST_NUMBERS = 12  # labels of a matrix whose shares are written into it
ROW_HEIGHT = 30  # pixels
LABEL_WIDTH = 46  # pixels of a column
MOST_WIDE = 30  # labels; of more, rows and columns are only as wide as a name is high
NARROW = 15  # pixels of a row and of a column then
SIDE_WIDTH = 150  # pixels of the labels beside


@dataclass(frozen=True, slots=True)
class Confusion:
    """Pixels, or objects, of a winner's labels, added up over its seeds."""

    label: str
    group: str
    split: str  # "test" where it was scored, else "val"
    seeds: int
    labels: tuple[str, ...]
    matrix: NDArray[np.int64]  # (labels, labels), rows truth, columns prediction
    unit: str = "pixels"  # or "videos", "images"; or "objects", the last label the background

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each row's pixels as shares of the row; 0 in a row without any."""
        total = self.matrix.sum(axis=1, keepdims=True)
        shares: NDArray[np.float64] = np.divide(
            self.matrix, total, out=np.zeros(self.matrix.shape), where=total > 0
        )
        return shares


@dataclass(frozen=True, slots=True)
class FoundRow:
    """Decisions about one class at one threshold, added up over seeds."""

    winner: str
    class_name: str
    split: str
    threshold: float
    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Right finds, false finds, misses and right omissions, as shares of all pixels."""
        counts = (self.tp, self.fp, self.fn, self.tn)
        total = sum(counts) or 1
        return (counts[0] / total, counts[1] / total, counts[2] / total, counts[3] / total)


def confusions(study: StudyRecord) -> tuple[Confusion, ...]:
    """Add up the matrices of every stage winner that has one."""
    made = []
    for winner in winners(study):
        split, kept = kept_of_seeds(winner.cells, "confusion")
        kept = [content for content in kept if "matrix" in content]
        if not kept:
            continue
        matrix = np.sum([np.array(content["matrix"], np.int64) for content in kept], axis=0)
        labels = tuple(kept[0]["labels"])
        unit = str(kept[0].get("unit", "pixels"))
        made.append(
            Confusion(winner.name, winner.group, split, len(kept), labels, matrix, unit=unit)
        )
    return tuple(made)


def object_confusions(study: StudyRecord) -> tuple[Confusion, ...]:
    """Add up the matrices of objects of every stage winner that has one."""
    made = []
    for winner in winners(study):
        split, kept = kept_of_seeds(winner.cells, "detection_confusion")
        if kept:
            matrix = np.sum([np.array(content["counts"], np.int64) for content in kept], axis=0)
            labels = tuple(kept[0]["labels"])
            made.append(
                Confusion(
                    winner.name, winner.group, split, len(kept), labels, matrix, unit="objects"
                )
            )
    return tuple(made)


def found_rows(study: StudyRecord) -> tuple[FoundRow, ...]:
    """Add up the 2 x 2 tables of every stage winner that has them, class by class."""
    rows = []
    for winner in winners(study):
        split, kept = kept_of_seeds(winner.cells, "confusion")
        kept = [content for content in kept if "classes" in content]
        for name in kept[0]["classes"] if kept else ():
            tables = [content["classes"][name] for content in kept]
            tp, fp, fn, tn = (sum(int(t[key]) for t in tables) for key in ("tp", "fp", "fn", "tn"))
            threshold = float(kept[0]["threshold"])
            rows.append(FoundRow(winner.name, name, split, threshold, tp, fp, fn, tn))
    return tuple(rows)


def confusion_figure(confusion: Confusion) -> go.Figure:
    """Draw each row's shares as shades, the counts at the pointer."""
    shares = confusion.shares
    is_small = len(confusion.labels) <= MOST_NUMBERS
    trace = {
        "type": "heatmap",
        "z": [[round(float(share), 4) for share in row] for row in shares],
        "x": list(confusion.labels),
        "y": list(confusion.labels),
        "customdata": confusion.matrix.tolist(),
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, theme.CARD], [1, theme.SERIES[4]]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": "%{y} taken for %{x}: %{z:.1%}, %{customdata:,} "
        f"{confusion.unit}<extra></extra>",
    }
    if is_small:
        trace |= {"texttemplate": "%{z:.2f}", "textfont": {"size": 11}}
    every = {"nticks": len(confusion.labels), "showgrid": False, "fixedrange": True}
    return go.Figure(
        data=[trace],
        layout=theme.layout(
            90 + (NARROW if _is_large(confusion) else ROW_HEIGHT) * len(confusion.labels),
            xaxis=theme.axis("predicted", type="category", **every),
            yaxis=theme.axis("true", type="category", autorange="reversed", **every),
            dragmode=False,
        ),
    )


def confusion_width(confusion: Confusion) -> int:
    """The least width at which a matrix can be read, pixels."""
    return SIDE_WIDTH + (NARROW if _is_large(confusion) else LABEL_WIDTH) * len(confusion.labels)


def _is_large(confusion: Confusion) -> bool:
    return len(confusion.labels) > MOST_WIDE


def confusion_summary(confusion: Confusion) -> str:
    """Say in a sentence how much is right and what is mistaken most."""
    matrix, shares = confusion.matrix.copy(), confusion.shares.copy()
    if confusion.unit == "objects":
        matrix[-1], shares[-1] = 0, 0  # the background holds no objects
    right = float(np.trace(matrix) / max(1, matrix.sum()))
    wrong = shares * (1 - np.eye(len(confusion.labels)))
    row, column = divmod(int(wrong.argmax()), len(confusion.labels))
    text = (
        f"{SPLIT_WORDS[confusion.split].capitalize()} split, "
        f"{plural(confusion.seeds, 'network')}: {score(right)} of the {confusion.unit} are right"
    )
    if not wrong.any():
        return f"{text}."
    taken, for_what = confusion.labels[row], confusion.labels[column]
    share = score(float(wrong[row, column]))
    return f"{text}; mistaken most: {taken} for {for_what} ({share} of its {confusion.unit})."
