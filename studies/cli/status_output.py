"""A study's state as a table for people and as JSON for programs."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from reports.notation import configuration_label
from studies.explaining.waiting import cell_waits, study_waits
from studies.running.views import duration
from trackers.folds import fold_count, fold_of
from trackers.records import (
    AssemblyRecord,
    CellRecord,
    ConfigurationRecord,
    StageRecord,
    StudyRecord,
)

STATE = ("outcome", "tries", "time")


def print_status(console: Console, record: StudyRecord, runner: str | None) -> None:
    """Print a table per stage, what runs, what waits and why, then the outcomes of all cells."""
    for stage in (*record.stages, *record.afterwards):
        _print_stage(console, record, stage)
    if record.assemblies:
        console.print(_assembly_table(record))
    waits = list(study_waits(record, runner))
    for line in (*_doing(record, runner), *waits):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if console.is_terminal and not record.is_finished:
        console.print(_bar(record))
    console.print(_summary(record, waits), markup=False, highlight=False, soft_wrap=True)


def _print_stage(console: Console, record: StudyRecord, stage: StageRecord) -> None:
    table = Table(title=escape(stage.name), title_justify="left", box=None, pad_edge=False)
    repeated = ("seed",) if fold_count(record) is None else ("fold", "seed")
    for title in ("configuration", "class", *repeated, record.metric, *STATE, "cell"):
        table.add_column(title)
    winners = {winner for decision in stage.decisions for winner in decision.winners}
    for configuration in stage.configurations:
        for cell in (record.cells[each] for each in configuration.cells):
            table.add_row(*_row(record, cell, configuration, winners=winners))
    console.print(table)
    if not stage.configurations:
        console.print(f"  {stage.planned_cells} cells, once the stage above is decided")
    for decision in stage.decisions:
        console.print(f"  {decision.rule}", markup=False, highlight=False, soft_wrap=True)


def status_json(record: StudyRecord, runner: str | None = None) -> str:
    """Write a study's state as JSON; the fields are those `visionstudy status --help` names."""
    places: dict[str, tuple[list[str], ConfigurationRecord]] = {}
    for stage in (*record.stages, *record.afterwards):
        for configuration in stage.configurations:
            for cell in configuration.cells:
                places.setdefault(cell, ([], configuration))[0].append(stage.name)
    content = {
        "study": record.name,
        "is_finished": record.is_finished,
        "note": record.note,
        "runner": runner,
        "waits": list(study_waits(record, runner)),
        "stages": [_stage_json(each) for each in (*record.stages, *record.afterwards)],
        "cells": [
            _cell_json(record, cell, places.get(cell.id))
            | {"waits": cell_waits(record, cell, runner)}
            for cell in record.cells.values()
        ],
        "assemblies": [_assembly_json(each) for each in record.assemblies],
    }
    return json.dumps(content, indent=2)


def _doing(record: StudyRecord, runner: str | None) -> Iterator[str]:
    """Say who runs the study, and which cells are measured now."""
    if runner is not None:
        yield f"runs in {runner}"
    for cell in record.cells.values():
        if cell.is_running and runner is not None:
            trial = cell.trials[-1]
            since = duration(max(0.0, time.time() - trial.started_at))
            yield (
                f"  cell {cell.id}: epoch {len(cell.epochs)} of "
                f"{cell.settings['training.epochs']} finished, attempt {trial.attempt}, "
                f"{trial.device} of {trial.host}, for {since}"
            )


def _bar(record: StudyRecord) -> ProgressBar:
    """Draw how many of the planned cells have ended."""
    ended = sum(cell.outcome is not None for cell in record.cells.values())
    stages = (*record.stages, *record.afterwards)
    known = sum(len(each.cells) for stage in stages for each in stage.configurations)
    later = sum(stage.planned_cells for stage in stages) - known
    return ProgressBar(total=max(1, len(record.cells) + later), completed=ended, width=60)


def _assembly_table(record: StudyRecord) -> Table:
    """List the assembly and the single network of every seed."""
    table = Table(title="assembly", title_justify="left", box=None, pad_edge=False)
    for title in ("way", "seed", record.metric, "outcome", "time"):
        table.add_column(title)
    for each in record.assemblies:
        scored = each.ways.get("assembly")
        value = scored.metrics.get(record.metric) if scored else None
        state = str(each.outcome or "planned")
        table.add_row(
            "class networks put together",
            str(each.seed),
            "" if value is None else f"{value:.4f}",
            escape(f"{state} ({each.reason})" if each.reason else state),
            "",
        )
    for cell in record.cells.values():
        if not cell.group:
            table.add_row("single network", str(cell.seed), *_state(cell, record.metric))
    return table


def _assembly_json(record: AssemblyRecord) -> dict[str, Any]:
    return {
        "seed": record.seed,
        "outcome": str(record.outcome) if record.outcome else None,
        "reason": record.reason,
        "members": dict(record.members),
        "single": record.single,
        "images": dict(record.images),
        "left_out": dict(record.left_out),
        "ways": {
            way: {"threshold": each.threshold, "metrics": dict(each.metrics)}
            for way, each in record.ways.items()
        },
    }


def _row(
    record: StudyRecord,
    cell: CellRecord,
    configuration: ConfigurationRecord,
    *,
    winners: set[str],
) -> list[str]:
    varied = configuration_label(configuration.shown)
    mark = " *" if configuration.id in winners else ""
    value, state, took = _state(cell, record.metric)
    tries = str(len(cell.trials) or "")
    name = escape(varied) + mark
    fold = fold_of(record, cell)
    repeated = [str(cell.seed)] if fold is None else [str(fold), str(cell.seed)]
    return [name, escape(cell.group), *repeated, value, state, tries, took, cell.id]


def _state(cell: CellRecord, metric: str) -> tuple[str, str, str]:
    """Return a cell's value, outcome and time."""
    state = "running" if cell.is_running else str(cell.outcome or "planned")
    return (
        f"{cell.metrics[metric]:.4f}" if metric in cell.metrics else "",
        escape(f"{state} ({cell.reason})" if cell.reason else state),
        duration(cell.seconds) if cell.seconds else "",
    )


def _summary(record: StudyRecord, waits: Sequence[str]) -> str:
    outcomes = Counter(str(cell.outcome or "not run") for cell in record.cells.values())
    counts = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    is_said = not record.note or any(record.note in each for each in waits)
    unfinished = "not finished" if is_said else f"not finished: {record.note}"
    state = "finished" if record.is_finished else unfinished
    return f"study '{record.name}' is {state}; cells: {counts}"


def _stage_json(stage: StageRecord) -> dict[str, Any]:
    return {
        "name": stage.name,
        "kind": stage.kind,
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
    record: StudyRecord, cell: CellRecord, place: tuple[list[str], ConfigurationRecord] | None
) -> dict[str, Any]:
    return {
        "id": cell.id,
        "stages": place[0] if place else [],
        "group": cell.group,
        "seed": cell.seed,
        "fold": fold_of(record, cell),
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
