"""`visionstudy plan`: what would run, and what would it take?"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.next_step import next_command
from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Overrides, StudyFile, Workspace
from studies.cli.reading import fail, read_study, warn_of_data
from studies.running.workspace import WorkspaceFolder, open_ledger, open_workspace

if TYPE_CHECKING:
    from studies.running.forecast import Forecast, TimedBatch
    from studies.spec.load import LoadedStudy
    from studies.spec.schema import StudySpec
    from studies.tree.cells import CellResult
    from studies.tree.growth import Proposals


def plan(
    study: StudyFile,
    overrides: Overrides = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time, as for launch.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate/--no-estimate", help="Time one batch to estimate hours.")
    ] = True,
    memory: Annotated[
        bool,
        typer.Option("--memory", help="Also find which cells fit on GPUs of 6 to 80 GB."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print what a study would run and what that takes.

    Every cell, epochs, time and disk, against its budget. Trains nothing.

    The time is one batch of the base settings on this machine, scaled by images, pixels and
    epochs. What a stage inherits is not known before the stages above it have run; it is then
    planned as if their first candidate won, marked with `~`.

    --memory takes two training steps of every model, size and precision: on the GPU, or, where
    there is none, on the CPU, counting tensors. It is kept with the study, for its report.

    --json prints {"study", "cells": [...], "unknown_cells", "epochs", "seconds", "disk_bytes",
    "budget": [...], "cut": [...]}, and "memory" and "memory_problems" with --memory; each cell
    has id, stage, group, seed, fold (null where the data are cut once), configuration (what the
    stage varies), settings, epochs, seconds, is_assumed, is_reused, outcome, metrics and attempts.
    """
    place = open_workspace(workspace)
    loaded = read_study(study, overrides, place=place)
    warn_of_data(loaded.spec)
    # Lazy: they load SQLAlchemy and more, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.budget_output import limits_json, print_limits
    from studies.cli.plan_limits import budget_limits, memory_limits
    from studies.cli.plan_output import plan_json, print_plan
    from studies.running.devices import slots
    from studies.running.prices import PriceError

    timed = _time_one_batch(loaded.spec, quiet=as_json) if estimate else None
    results, proposals, attempts = _known(loaded, place)
    count = len(slots(workers))
    forecast = _forecast(loaded, place, results, proposals=proposals, timed=timed, workers=count)
    try:
        limits = budget_limits(loaded.spec, forecast, place, workers=count)
    except PriceError as error:
        raise fail(str(error)) from error
    steps = memory_limits(loaded.spec, forecast, place) if memory else None
    if as_json:
        more = limits_json(limits, steps)
        text = plan_json(loaded.spec, forecast, results=results, attempts=attempts, more=more)
        typer.echo(text)
    else:
        print_plan(Console(), loaded.spec, forecast)
        print_limits(Console(), limits, steps)
        at_a_time = [] if workers is None else ["--workers", str(workers)]
        go_on = next_command(
            "launch", str(study), *at_a_time, changes=overrides, workspace=workspace
        )
        typer.echo(f"next: {go_on}")


def _time_one_batch(spec: "StudySpec", *, quiet: bool) -> "TimedBatch | None":
    # Lazy: as above.
    from models.catalog import MODELS
    from studies.running.forecast import time_one_batch

    if not quiet and MODELS[spec.model.name].builder is not None:
        typer.echo("timing one batch of the base settings ...", err=True)
    try:
        return time_one_batch(spec)
    except RuntimeError as error:
        typer.echo(f"no estimate: {error}", err=True)
        return None


def _known(
    loaded: "LoadedStudy", place: WorkspaceFolder
) -> "tuple[dict[str, CellResult], Proposals, dict[str, int]]":
    """Return what an earlier launch left: results by cell, proposals, attempts by cell."""
    if not place.has_ledger():
        return {}, {}, {}
    ledger = open_ledger(place)
    try:
        attempts: dict[str, int] = {}
        for trial in ledger.trials(loaded.spec.study):
            attempts[trial["cell"]] = attempts.get(trial["cell"], 0) + 1
        name = loaded.spec.study
        return ledger.results(name), ledger.proposals(name), attempts
    finally:
        ledger.close()


def _forecast(
    loaded: "LoadedStudy",
    place: WorkspaceFolder,
    results: "dict[str, CellResult]",
    *,
    proposals: "Proposals",
    timed: "TimedBatch | None",
    workers: int,
) -> "Forecast":
    # Lazy: as above.
    from data_pipeline.catalog import data_fingerprint
    from studies.running.forecast import forecast
    from studies.running.starting import Starts
    from studies.search.living_tree import data_fingerprints
    from studies.tree.image_differences import image_differences
    from studies.tree.sources import Sources

    plan = partial(
        forecast, loaded.spec, results, timed=timed, workers=workers, proposals=proposals
    )
    sources = Sources(data_fingerprints(data_fingerprint), Starts(place).fingerprint)
    if not place.has_ledger():
        return plan(sources=sources)
    ledger = open_ledger(place)
    try:
        compared = image_differences(loaded.spec, ledger, place.folder)
        return plan(sources=replace(sources, image_difference=compared))
    finally:
        ledger.close()
