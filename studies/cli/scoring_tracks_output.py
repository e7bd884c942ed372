"""What tracks scored: a table for people, JSON for programs."""

import json
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.metrics.tracking import TrackCounts
from studies.scoring.tracks import TrackScores

COLUMNS = {
    "mota": "MOTA",
    "motp": "MOTP",
    "idf1": "IDF1",
    "recall": "recall",
    "precision": "precision",
    "false_positives": "FP",
    "misses": "FN",
    "id_switches": "IDs",
    "fragmentations": "FM",
    "mostly_tracked": "MT",
    "mostly_lost": "ML",
}  # metric -> title, as papers have it
ALL = "all"


def print_track_scores(console: Console, scores: TrackScores) -> None:
    """Print a row per sequence and one of all, and what was left out."""
    counts = scores.all
    console.print(
        f"IoU {scores.question.least_iou:g}: {counts.true_boxes:,} boxes of {counts.objects:,} "
        f"objects, {counts.boxes:,} boxes of {counts.tracks:,} tracks",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_table(scores))
    for line in _notes(scores):
        console.print(escape(line), highlight=False, soft_wrap=True)


def track_scores_json(scores: TrackScores) -> str:
    """Write the scores as JSON; `visionstudy score tracks --help` names the fields."""
    content = {
        "iou": scores.question.least_iou,
        **_facts(scores.all),
        "sequences": [
            {"name": name, **_facts(counts)} for name, counts in scores.sequences.items()
        ],
        "missing": scores.missing,
        "extra": scores.extra,
    }
    return json.dumps(content, indent=2)


def _facts(counts: TrackCounts) -> dict[str, object]:
    return {
        "metrics": counts.metrics(),
        "frames": counts.frames,
        "true_boxes": counts.true_boxes,
        "boxes": counts.boxes,
        "objects": counts.objects,
        "tracks": counts.tracks,
    }


def _table(scores: TrackScores) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("sequence", overflow="fold")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for name, counts in scores.sequences.items():
        table.add_row(escape(name), *_cells(counts))
    if len(scores.sequences) > 1:
        table.add_row(ALL, *_cells(scores.all))
    return table


def _cells(counts: TrackCounts) -> Iterator[str]:
    metrics = counts.metrics()
    for name in COLUMNS:
        value = metrics[name]
        if value is None:
            yield "-"
        else:
            yield f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def _notes(scores: TrackScores) -> Iterator[str]:
    if scores.missing:
        yield f"without a file of tracks, scored as nothing found: {_named(scores.missing)}"
    if scores.extra:
        yield f"tracks of no sequence of the truth, not scored: {_named(scores.extra)}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
