"""Sample predictions of each stage's winner, inlined so that the page stays one file."""

import base64
from dataclasses import dataclass
from pathlib import Path

from reports.lineage import places
from reports.measurements import cells_of, value_of
from reports.notation import configuration_label, join_words, metric_name, score
from trackers.records import CellRecord, StudyRecord

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Strip:
    """One picture: image, truth, prediction and error of a few images."""

    caption: str
    source: str  # data URI of the PNG


def prediction_strips(study: StudyRecord) -> tuple[Strip, ...]:
    """Take each winner's strip once, of its first complete seed per class."""
    stages: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    for placed in places(study).values():
        if placed.rank != 0:
            continue
        for cell in _first_seeds(cells_of(study, placed.configuration)):
            stages.setdefault(cell.id, []).append(placed.stage.name)
            labels.setdefault(cell.id, configuration_label(placed.configuration.varied))
    strips = []
    for cell_id, names in stages.items():
        cell = study.cells[cell_id]
        source = _data_uri(cell)
        if source:
            strips.append(Strip(_caption(study, cell, labels[cell_id], names), source))
    return tuple(strips)


def _first_seeds(cells: tuple[CellRecord, ...]) -> tuple[CellRecord, ...]:
    first: dict[str, CellRecord] = {}
    for cell in sorted(cells, key=lambda c: c.seed):
        if cell.predictions_strip:
            first.setdefault(cell.group, cell)
    return tuple(first.values())


def _data_uri(cell: CellRecord) -> str | None:
    file = Path(cell.predictions_strip or "")
    if not file.is_file():
        return None
    content = file.read_bytes()
    if not content.startswith(PNG_SIGNATURE):
        return None
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _caption(study: StudyRecord, cell: CellRecord, label: str, stages: list[str]) -> str:
    who = f"{cell.group}, {label}" if cell.group else label
    value = score(value_of(cell, study.metric))
    return (
        f"Winner of {join_words(dict.fromkeys(stages))}: {who}, seed {cell.seed} "
        f"({metric_name(study.metric)} {value})."
    )
