"""What boxes scored: tables for people, JSON for programs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.metrics.detection_decisions import DetectionDecisions
from models.metrics.detection_errors import DetectionErrors
from studies.scoring.boxes.scoring import BoxScores

NAMED = 5  # pictures per line


def print_box_scores(console: Console, scores: BoxScores) -> None:
    """Print a table per class, the metrics, and what was left out."""
    for line in _first_lines(scores):
        console.print(escape(line), highlight=False, soft_wrap=True)
    console.print(_class_table(scores))
    console.print(_metric_table(scores))
    if scores.decisions is not None:
        console.print(_decision_table(scores.decisions, scores.paired.class_names))
    if scores.errors is not None:
        console.print(_error_table(scores.errors))
    for line in _notes(scores):
        console.print(escape(line), highlight=False, soft_wrap=True)


def box_scores_json(scores: BoxScores) -> str:
    """Write the scores as JSON; `visionstudy score detections --help` names the fields."""
    names = scores.paired.class_names
    content: dict[str, Any] = {
        "rule": scores.question.rule,
        "iou": _iou(scores),
        "images": len(scores.paired.images),
        "formats": {"truth": scores.truth.kind, "predictions": scores.found.kind},
        "metrics": scores.metrics,
        "classes": [asdict(each) for each in scores.classes],
        "missing": scores.paired.missing,
        "extra": scores.paired.extra,
        "unknown_classes": [
            {"name": name, "detections": count, "meant": meant}
            for name, count, meant in scores.meant()
        ],
        "notes": list(_notes(scores)),
    }
    if scores.decisions is not None and scores.confusion is not None:
        content["decisions"] = scores.decisions.to_json(names)
        content["confusion"] = scores.confusion.to_json(names)
    if scores.errors is not None:
        content["errors"] = scores.errors.to_json()
    return json.dumps(content, indent=2)


def _iou(scores: BoxScores) -> float | str:
    question = scores.question
    if question.iou is None:
        return "0.50:0.95" if question.rule == "coco" else 0.5
    return question.iou


def _first_lines(scores: BoxScores) -> Iterator[str]:
    paired, question = scores.paired, scores.question
    found = sum(len(image.scores) for image in paired.images)
    true = sum(len(image.truth.labels) for image in paired.images)
    yield f"truth: {scores.truth.kind}; predictions: {scores.found.kind}"
    yield (
        f"rule {question.rule}, IoU {_iou(scores)}: {_counted(len(paired.images), 'picture')}, "
        f"{_counted(true, 'true box', 'true boxes')}, {_counted(found, 'detection')}"
    )


def _class_table(scores: BoxScores) -> Table:
    has_ap50 = any(each.ap50 is not None for each in scores.classes)
    titles = ["class", "AP", *(["AP50"] if has_ap50 else []), "true", "ignored", "found"]
    table = _table(titles)
    for each in scores.classes:
        averages = [each.ap, each.ap50] if has_ap50 else [each.ap]
        table.add_row(
            escape(each.name),
            *map(_number, averages),
            *(f"{count:,}" for count in (each.truths, each.ignored, each.detections)),
        )
    return table


def _metric_table(scores: BoxScores) -> Table:
    table = _table(["metric", "value"])
    for name, value in scores.metrics.items():
        table.add_row(name, _number(value))
    return table


def _decision_table(decisions: DetectionDecisions, names: Sequence[str]) -> Table:
    table = _table([f"from {decisions.threshold:g} on", "precision", "recall", "F1"])
    for name, each in zip(names, decisions.classes, strict=True):
        if each.right or each.wrong or each.missed:
            table.add_row(escape(name), *map(_number, (each.precision, each.recall, each.f1)))
    return table


def _error_table(errors: DetectionErrors) -> Table:
    table = _table(["error", "count", "AP50 gained when mended"])
    for kind, count in errors.counts.items():
        table.add_row(kind, f"{count:,}", _number(errors.gains[kind]))
    return table


def _table(titles: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(titles):
        table.add_column(title, justify="right" if index else "left")
    return table


def _notes(scores: BoxScores) -> Iterator[str]:
    """Say what was left out, and what may not be as it was meant."""
    paired = scores.paired
    if paired.missing:
        yield (
            f"{_counted(len(paired.missing), 'picture')} without a file of detections, scored as "
            f"nothing found: {_named(paired.missing)}"
        )
    elif paired.empty:
        yield f"{_counted(paired.empty, 'picture')} without a detection"
    if paired.extra:
        yield (
            f"detections in {_counted(len(paired.extra), 'picture')} that the truth does not "
            f"have, not scored: {_named(paired.extra)}"
        )
    yield from _unknown_classes(scores)
    if paired.without_area:
        yield (
            f"{_counted(paired.without_area, 'true box', 'true boxes')} without area, not scored"
        )
    if scores.found.without_score:
        yield (
            f"{_counted(scores.found.without_score, 'detection')} without a score, counted as 1: "
            "AP then depends on the order of lines; let the tool write scores (save_conf=True)"
        )


def _unknown_classes(scores: BoxScores) -> Iterator[str]:
    unknown = list(scores.meant())
    for name, count, meant in unknown:
        if meant:
            yield (
                f"{_counted(count, 'detection')} of '{name}', which is no class of the truth, "
                f"not scored; did you mean '{meant}'?"
            )
    others = [(name, count) for name, count, meant in unknown if not meant]
    if others:
        total = sum(count for _, count in others)
        yield (
            f"{_counted(total, 'detection')} of classes that the truth does not have, not scored: "
            + _named([f"'{name}' ({count:,})" for name, count in others])
        )


def _counted(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
