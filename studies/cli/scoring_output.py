"""What label maps scored: a table for people, JSON and CSV for programs."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.metrics.names import class_slugs
from studies.scoring.masks import MaskScores

NAMED = 5  # files per line
SHARES = ("iou", "dice", "recall", "precision")


def print_scores(console: Console, scores: MaskScores) -> None:
    """Print a table per class, then the metrics, then what was left out."""
    console.print(_class_table(scores))
    console.print(_metric_table(scores))
    for line in _lines(scores):
        console.print(escape(line), highlight=False, soft_wrap=True)


def scores_json(scores: MaskScores) -> str:
    """Write the scores as JSON; the fields are those `visionstudy score masks --help` names."""
    content = {
        "images": len(scores.pairs.pairs),
        "metrics": scores.metrics(),
        "classes": [asdict(each) for each in scores.classes()],
        "labels": list(scores.meaning.names),
        "confusion": scores.confusion().tolist(),
        "ignored_pixels": scores.ignored_pixels,
        "unknown_pixels": scores.unknown_pixels,
        "missing": list(scores.pairs.missing),
        "extra": list(scores.pairs.extra),
    }
    return json.dumps(content, indent=2)


def per_image_csv(scores: MaskScores) -> str:
    """Return a row per picture; a metric that is undefined there stays empty."""
    rows = list(scores.per_image())
    columns = list(dict.fromkeys(name for _, metrics in rows for name in metrics))
    content = io.StringIO(newline="")
    writer = csv.writer(content)
    writer.writerow(["image", *columns])
    for image, metrics in rows:
        writer.writerow([image, *(metrics.get(name, "") for name in columns)])
    return content.getvalue()


def _class_table(scores: MaskScores) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("label", "class", *SHARES, "true pixels", "predicted"):
        table.add_column(title, justify="left" if title == "class" else "right")
    for each in scores.classes():
        shares = (getattr(each, name) for name in SHARES)
        table.add_row(
            str(each.index),
            escape(each.name),
            *("-" if share is None else f"{share:.4f}" for share in shares),
            f"{each.true_pixels:,}",
            f"{each.predicted_pixels:,}",
        )
    return table


def _metric_table(scores: MaskScores) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("metric")
    table.add_column("value", justify="right")
    by_class = {f"iou_{name}" for name in class_slugs(scores.predictions.scored_classes)}
    for name, value in scores.metrics().items():
        if name not in by_class:
            table.add_row(name, f"{value:.4f}")
    return table


def _lines(scores: MaskScores) -> Iterator[str]:
    """Say what was scored and what was not."""
    pairs = scores.pairs
    noun = "picture" if len(pairs.pairs) == 1 else "pictures"
    yield f"{len(pairs.pairs):,} {noun}, {scores.ignored_pixels:,} pixels not scored"
    if scores.unknown_pixels:
        values = ", ".join(map(str, scores.meaning.unknown))
        yield (
            f"{scores.unknown_pixels:,} pixels are predicted as {values}, which is no class: "
            "they find nothing"
        )
    if pairs.missing:
        yield f"{len(pairs.missing):,} not predicted and not scored: {_named(pairs.missing)}"
    if pairs.extra:
        yield f"{len(pairs.extra):,} predicted without a true label map: {_named(pairs.extra)}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
