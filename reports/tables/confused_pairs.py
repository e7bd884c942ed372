"""Which classes are taken for which others? The largest mistakes of a confusion matrix."""

from dataclasses import dataclass

import numpy as np

from reports.figures.confusion import Confusion

MOST_PAIRS = 10


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """One class taken for another, added up over seeds."""

    truth: str
    prediction: str
    count: int
    of: int  # of the true class
    back: int  # of the other class, taken for this one

    @property
    def share(self) -> float:
        """Of the true class, in (0, 1]."""
        return self.count / self.of


def most_confused(confusion: Confusion, most: int = MOST_PAIRS) -> tuple[ConfusedPair, ...]:
    """Order the mistakes by their share of the true class; of equal ones, the more frequent first.

    Args:
        confusion: Of a winner.
        most: Pairs that are returned.
    """
    matrix = confusion.matrix
    totals = matrix.sum(axis=1)
    pairs = [
        ConfusedPair(
            confusion.labels[row],
            confusion.labels[column],
            count=int(matrix[row, column]),
            of=int(totals[row]),
            back=int(matrix[column, row]),
        )
        for row, column in np.argwhere(matrix > 0)
        if row != column
    ]
    ordered = sorted(pairs, key=lambda p: (-p.share, -p.count, p.truth, p.prediction))
    return tuple(ordered[:most])
