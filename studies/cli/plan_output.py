"""A forecast as a table for people and as JSON for programs."""

import json
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reports.notation import configuration_label
from studies.running.forecast import ASSEMBLY, Forecast, PlannedRow
from studies.running.views import duration
from studies.spec.afterwards_checks import BESIDE, FRESH_SEEDS
from studies.spec.schema import StudySpec
from studies.spec.settings import flatten
from studies.tree.assemblies import SINGLE_NETWORK
from studies.tree.cells import CellResult

GIB = 2**30


def print_plan(console: Console, spec: StudySpec, forecast: Forecast) -> None:
    """Print every cell by stage, then what all of it takes."""
    for stage, rows in groupby(forecast.rows, key=lambda row: row.stage):
        console.print(_table(stage, list(rows)))
    for stage, count in forecast.unknown_cells.items():
        console.print(f"{escape(stage)}: {_unknown_text(stage, count)}")
    console.print(summary(spec, forecast), highlight=False, soft_wrap=True)


def _unknown_text(stage: str, count: int) -> str:
    """Say why the settings of cells are not known."""
    if stage == FRESH_SEEDS or stage.startswith(BESIDE):
        return f"at most {count} cells, once the tree is decided"
    return f"{count} cells, with settings that a sampler will propose"


def summary(spec: StudySpec, forecast: Forecast) -> str:
    """Say in a sentence what is left to do."""
    to_train = [row for row in forecast.rows if row.needs_trial and not row.is_reused]
    left = [row for row in to_train if row.outcome is None]
    more = sum(forecast.unknown_cells.values())
    known = f"{len(left)} cells to train" + (f" and up to {more} named above" if more else "")
    parts = [
        f"study '{spec.study}': {known}, {'at most ' if more else ''}{forecast.epochs} epochs",
        f"{sum(1 for row in forecast.rows if not row.needs_trial)} re-scored without training",
    ]
    if len(left) < len(to_train):
        parts.append(f"{len(to_train) - len(left)} done")
    if forecast.timed is not None and forecast.seconds is not None:
        timed = forecast.timed
        decoding_s = timed.fetch_s * timed.images
        batch = (
            f"{timed.seconds:.3g} s per batch of {timed.images}, {decoding_s:.3g} s to decode it"
        )
        parts.append(f"about {duration(forecast.seconds)} on {timed.device} ({batch}, measured)")
    if forecast.disk_bytes is not None:
        parts.append(f"at most {forecast.disk_bytes / GIB:.2f} GiB of disk")
    return "; ".join(parts)


def plan_json(
    spec: StudySpec,
    forecast: Forecast,
    *,
    results: Mapping[str, CellResult],
    attempts: Mapping[str, int],
    more: Mapping[str, Any],
) -> str:
    """Write a forecast as JSON; the fields are those that `visionstudy plan --help` names."""
    cells = [
        _row_json(row, result=results.get(row.cell.id), attempts=attempts.get(row.cell.id, 0))
        for row in forecast.rows
    ]
    content = {
        "study": spec.study,
        "cells": cells,
        "unknown_cells": dict(forecast.unknown_cells),
        "epochs": forecast.epochs,
        "seconds": forecast.seconds,
        "disk_bytes": forecast.disk_bytes,
        **more,
    }
    return json.dumps(content, indent=2)


def _row_json(row: PlannedRow, *, result: CellResult | None, attempts: int) -> dict[str, Any]:
    return {
        "id": row.cell.id,
        "stage": row.stage,
        "group": row.cell.group,
        "seed": row.cell.seed,
        "fold": row.cell.fold,
        "configuration": dict(row.varied),
        "settings": flatten(row.cell.settings),
        "epochs": row.epochs,
        "seconds": row.seconds,
        "is_assumed": row.is_assumed,
        "is_reused": row.is_reused,
        "outcome": str(row.outcome) if row.outcome else None,
        "metrics": dict(result.metrics) if result else {},
        "attempts": attempts,
    }


def _table(stage: str, rows: list[PlannedRow]) -> Table:
    inherited = "  (~ inherits the winner above)" if rows[0].is_assumed else ""
    table = Table(title=escape(stage + inherited), title_justify="left", box=None, pad_edge=False)
    has_folds = any(row.cell.fold is not None for row in rows)
    repeated = ("fold", "seed") if has_folds else ("seed",)
    numbers = (*repeated, "epochs", "time")
    for title in ("cell", "configuration", "class", *numbers, "outcome"):
        table.add_column(title, justify="right" if title in numbers else "left")
    for row in rows:
        is_inherited = row.stage in (ASSEMBLY, SINGLE_NETWORK)
        varied = "as inherited" if is_inherited else configuration_label(row.varied)
        table.add_row(
            f"~{row.cell.id}" if row.is_assumed else row.cell.id,
            escape(varied),
            escape(row.cell.group),
            *([str(row.cell.fold)] if has_folds else []),
            str(row.cell.seed),
            str(row.epochs) if row.needs_trial else "re-scored",
            duration(row.seconds) if row.seconds else "",
            "measured by a stage above" if row.is_reused else str(row.outcome or "planned"),
        )
    return table
