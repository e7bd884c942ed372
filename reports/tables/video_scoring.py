"""How a video is scored: by how many views and crops, of how many frames."""

from collections.abc import Iterable

from reports.measurements import cells_of
from reports.notation import join_words, plural, value_text
from reports.winners import final_winners
from trackers.records import CellRecord, StudyRecord


def scoring_sentence(study: StudyRecord) -> str:
    """State the views and crops behind a study's scores; "" of a study without videos."""
    winning = [cell for winner in final_winners(study) for cell in winner.cells]
    every = (c for s in study.stages for each in s.configurations for c in cells_of(study, each))
    return _sentence(winning or list(every))


def _sentence(cells: Iterable[CellRecord]) -> str:
    ways = dict.fromkeys(_way(cell) for cell in cells)
    known = [way for way in ways if way]
    if not known:
        return ""
    return f"A video is scored by {join_words(known)}: the mean of their probabilities."


def _way(cell: CellRecord) -> str:
    """Return "3 views x 1 crop of 16 frames", or "" of a cell without clips."""
    settings = cell.settings
    views, crops = settings.get("data.clip.views"), settings.get("data.clip.crops")
    if not isinstance(views, int) or not isinstance(crops, int):
        return ""
    frames = value_text(settings.get("data.clip.frames"))
    return f"{plural(views, 'view')} x {plural(crops, 'crop')} of {frames} frames"
