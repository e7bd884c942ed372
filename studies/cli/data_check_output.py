"""What a check found, as a table for people and as JSON for programs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data_pipeline.integrity.findings import DataFindings
from data_pipeline.leakage.leaks import Leakage
from reports.data_record import FaultRow
from reports.notation import join_words
from studies.running.data_check import CheckedData
from studies.running.data_record import class_rows, fault_rows, leak_message, noun

NAMED = 3  # places named per kind
LISTED_LEAKS = 10
EFFECTS = {"sample": "left out", "box": "box left out", "unused": "not used", "nothing": "note"}


def print_checked(console: Console, checked: CheckedData) -> None:
    """Print a table of faults by kind, then leaks, then how much is left."""
    rows = fault_rows(checked.findings)
    if rows:
        console.print(_table(rows))
    for line in _lines(checked):
        console.print(escape(line), highlight=False, soft_wrap=True)


def checked_json(checked: CheckedData) -> str:
    """Write findings as JSON; the fields are those `visionstudy data check --help` names."""
    findings = checked.findings
    content = {
        "dataset": findings.dataset,
        "task": findings.task,
        "splits": [
            {
                "name": split.name,
                "samples": len(split.image_ids),
                "usable": split.usable,
                "left_out": list(split.left_out),
            }
            for split in findings.splits
        ],
        "faults": [
            {
                "kind": fault.kind,
                "split": split.name,
                "where": fault.where,
                "message": fault.message,
                "leaves_out": fault.leaves_out,
                "count": fault.count,
            }
            for split in findings.splits
            for fault in split.faults
        ],
        "classes": [
            {"name": row.name, "images": dict(row.images), "objects": dict(row.objects)}
            for row in class_rows(findings.splits)
        ],
        "leaks": _leaks_json(checked.leakage),
        "warnings": list(checked.warnings),
    }
    return json.dumps(content, indent=2)


def _leaks_json(leakage: Leakage | None) -> list[dict[str, Any]] | None:
    if leakage is None:
        return None
    return [
        {
            "kind": leak.kind,
            "message": leak_message(leak),
            "first": {"split": leak.first_split, "id": leak.first_id},
            "second": {"split": leak.second_split, "id": leak.second_id},
        }
        for leak in leakage.leaks
    ]


def _table(rows: Sequence[FaultRow]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("fault", "count", "effect", "meaning", "where"):
        table.add_column(title, justify="right" if title == "count" else "left")
    for row in rows:
        places = ", ".join(place.where for place in row.places[:NAMED])
        more = ", …" if len(row.places) > NAMED else ""
        table.add_row(
            row.kind.replace("_", " "),
            f"{row.count:,}",
            EFFECTS[row.loss],
            row.meaning,
            escape(places + more),
        )
    return table


def _lines(checked: CheckedData) -> Iterator[str]:
    """Say what is in two splits, what may mislead, and how much is left."""
    if checked.leakage is not None:
        leaks = checked.leakage.leaks
        yield from (leak_message(leak) for leak in leaks[:LISTED_LEAKS])
        if len(leaks) > LISTED_LEAKS:
            yield f"and {len(leaks) - LISTED_LEAKS:,} more pairs in different splits"
    yield from checked.warnings
    yield f"{checked.findings.dataset}, {checked.findings.task}: {_usable(checked.findings)}"


def _usable(findings: DataFindings) -> str:
    """Say how much of each split is left."""
    word = f"{noun(findings.task)}s"
    if not findings.left_out:
        counts = join_words(f"{split.usable:,} {split.name}" for split in findings.splits)
        return f"{counts} {word}, all usable"
    counts = join_words(
        f"{split.usable:,} of {len(split.image_ids):,} {split.name}" for split in findings.splits
    )
    return f"{counts} {word} are usable"
