"""Tables of hundreds of rows: the best come first, and a page shows so many of them unasked."""

from collections.abc import Sequence

from reports.lineage import Placed
from reports.measurements import cells_of, mean, rank, value_of
from trackers.records import StudyRecord

SHOWN_ROWS = 50  # the style sheet hides those behind, until somebody asks for them


def best_first(study: StudyRecord, placed: Sequence[Placed]) -> list[Placed]:
    """Order the configurations of a stage for its tables.

    As they were tried; where a page does not show all, what was kept comes first, then the best.
    """
    if len(placed) <= SHOWN_ROWS:
        return list(placed)
    values = [
        mean(value_of(cell, study.metric) for cell in cells_of(study, each.configuration))
        for each in placed
    ]
    ordered = [placed[index] for index in rank(values, study.direction)]
    return sorted(ordered, key=lambda each: len(placed) if each.rank is None else each.rank)
