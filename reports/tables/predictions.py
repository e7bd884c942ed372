"""Sample predictions of each stage's winner, inlined so that the page stays one file.

The winners of one class stand beside each other in the order of their stages: trials keep the same
images, so that one sees the study getting better.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reports.measurements import value_of
from reports.notation import join_words, metric_name, score, sentence_case
from reports.winners import Winner, final_winners, winners
from trackers.folds import replicate_name
from trackers.records import CellRecord, StudyRecord

STRIP, THRESHOLD_STRIP = "predictions_strip", "predictions_thresholds"
WITHOUT_THRESHOLD = ("action_recognition", "image_classification")  # the most probable class wins
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Strip:
    """One picture: a few images with their truth and what was predicted."""

    caption: str
    source: str  # data URI of the PNG
    group: str = ""  # class of a one-model-per-class study


def prediction_strips(study: StudyRecord) -> tuple[Strip, ...]:
    """Take each winner's strip once, of its first seed that has one; class by class."""
    strips = _strips(study, winners(study), STRIP)
    groups = list(dict.fromkeys(strip.group for strip in strips))
    return tuple(sorted(strips, key=lambda strip: groups.index(strip.group)))


def threshold_strips(study: StudyRecord) -> tuple[Strip, ...]:
    """Take the last winner's picture at several thresholds; of each class, where they differ."""
    return _strips(study, final_winners(study), THRESHOLD_STRIP)


def _strips(study: StudyRecord, found: Iterable[Winner], role: str) -> tuple[Strip, ...]:
    strips = []
    for winner in found:
        cell = next((cell for cell in winner.cells if role in cell.files), None)
        source = data_uri(Path(cell.files[role])) if cell else None
        if cell and source:
            strips.append(Strip(_caption(study, cell, winner), source, winner.group))
    return tuple(strips)


def data_uri(file: Path) -> str | None:
    """Return a PNG as a data URI; None where it is missing, or is none."""
    if not file.is_file():
        return None
    content = file.read_bytes()
    if not content.startswith(PNG_SIGNATURE):
        return None
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _caption(study: StudyRecord, cell: CellRecord, winner: Winner) -> str:
    who = f"{winner.group}, {winner.label}" if winner.group else winner.label
    won = f"Winner of {join_words(winner.stages)}: {who}" if winner.stages else sentence_case(who)
    threshold = cell.settings.get("evaluation.threshold")
    has_one = threshold is not None and study.task not in WITHOUT_THRESHOLD
    at = f" at threshold {threshold}" if has_one else ""
    value = score(value_of(cell, study.metric))
    return f"{won}, {replicate_name(study, cell)} ({metric_name(study.metric)} {value}{at})."
