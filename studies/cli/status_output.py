"""A study's state as a table for people and as JSON for programs."""

import json
from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reports.notation import configuration_label
from studies.running.views import duration
from trackers.records import CellRecord, ConfigurationRecord, StudyRecord


def print_status(console: Console, record: StudyRecord) -> None:
    """Print a table per stage, then the outcomes of all cells."""
    for stage in record.stages:
        table = Table(title=escape(stage.name), title_justify="left", box=None, pad_edge=False)
        for title in ("configuration", "class", "seed", record.metric, "outcome", "tries", "time"):
            table.add_column(title)
        winners = {winner for decision in stage.decisions for winner in decision.winners}
        for configuration in stage.configurations:
            for cell in (record.cells[each] for each in configuration.cells):
                table.add_row(*_row(cell, configuration, winners=winners, metric=record.metric))
        console.print(table)
        if not stage.configurations:
            console.print(f"  {stage.planned_cells} cells, once the stage above is decided")
        for decision in stage.decisions:
            console.print(f"  {escape(decision.rule)}", highlight=False, soft_wrap=True)
    console.print(_summary(record), highlight=False, soft_wrap=True)


def status_json(record: StudyRecord) -> str:
    """Write a study's state as JSON; the fields are those `visionstudy status --help` names."""
    places: dict[str, tuple[list[str], ConfigurationRecord]] = {}
    for stage in record.stages:
        for configuration in stage.configurations:
            for cell in configuration.cells:
                places.setdefault(cell, ([], configuration))[0].append(stage.name)
    content = {
        "study": record.name,
        "is_finished": record.is_finished,
        "note": record.note,
        "stages": [_stage_json(record, number) for number in range(len(record.stages))],
        "cells": [_cell_json(cell, places.get(cell.id)) for cell in record.cells.values()],
    }
    return json.dumps(content, indent=2)


def _row(
    cell: CellRecord, configuration: ConfigurationRecord, *, winners: set[str], metric: str
) -> list[str]:
    varied = configuration_label(configuration.varied)
    mark = " *" if configuration.id in winners else ""
    state = "running" if cell.is_running else str(cell.outcome or "planned")
    return [
        escape(varied) + mark,
        escape(cell.group),
        str(cell.seed),
        f"{cell.metrics[metric]:.4f}" if metric in cell.metrics else "",
        escape(f"{state} ({cell.reason})" if cell.reason else state),
        str(len(cell.trials) or ""),
        duration(cell.seconds) if cell.seconds else "",
    ]


def _summary(record: StudyRecord) -> str:
    outcomes = Counter(str(cell.outcome or "not run") for cell in record.cells.values())
    counts = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    state = "finished" if record.is_finished else f"not finished: {record.note}"
    return f"study '{record.name}' is {state}; cells: {counts}"


def _stage_json(record: StudyRecord, number: int) -> dict[str, Any]:
    stage = record.stages[number]
    return {
        "name": stage.name,
        "planned_cells": stage.planned_cells,
        "winners": [
            dict(configuration.varied)
            for decision in stage.decisions
            for winner in decision.winners
            for configuration in stage.configurations
            if configuration.id == winner
        ],
        "rules": [decision.rule for decision in stage.decisions],
    }


def _cell_json(
    cell: CellRecord, place: tuple[list[str], ConfigurationRecord] | None
) -> dict[str, Any]:
    return {
        "id": cell.id,
        "stages": place[0] if place else [],
        "group": cell.group,
        "seed": cell.seed,
        "configuration": dict(place[1].varied) if place else {},
        "settings": dict(cell.settings),
        "outcome": str(cell.outcome) if cell.outcome else None,
        "is_running": cell.is_running,
        "reason": cell.reason,
        "metrics": dict(cell.metrics),
        "best_epoch": cell.best_epoch,
        "epochs": len(cell.epochs),
        "seconds": cell.seconds,
        "attempts": len(cell.trials),
    }
