"""`visionstudy status` and `why`: what runs, what waits, and the reason."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, AsJson, StudyName, Workspace
from studies.cli.reading import fail
from studies.cli.recorded import open_known, read_recorded, recorded

if TYPE_CHECKING:
    from studies.explaining.cell_story import CellStory

WATCH_S = 2.0  # between looks, when nothing else is said


def status(
    study: StudyName,
    workspace: Workspace = DEFAULT_WORKSPACE,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again, until the study ends.")
    ] = False,
    every_s: Annotated[
        float,
        typer.Option("--every", min=0.1, metavar="SECONDS", help="With --watch: how often."),
    ] = WATCH_S,
    as_json: AsJson = False,
) -> None:
    """Print how far a study is, and what waits and why.

    Every cell is listed with its outcome: a cell is one configuration with one seed (and one
    fold, where the study is cross-validated; and one class, where each class has a network of its
    own), however often its training was tried.

    --json prints {"study", "is_finished", "note", "runner", "waits", "stages", "cells": [...],
    "assemblies": [...]}; runner names the process that runs the study (null: none does), waits
    are sentences; each cell has id, stages, group, seed, configuration (what its first stage
    varies), settings, outcome (null: not run), is_running, waits (why it has not ended, or ""),
    reason, metrics, best_epoch, epochs (finished), seconds and attempts; each assembly has seed,
    outcome, reason, members (class -> cell), single (the single network's cell), images and
    left_out (split -> count), and ways (own, assembly, single -> threshold and metrics).

    Exit status: 0 it is printed; 2 there is no such study.
    """
    # Lazy: it loads rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.status_output import print_status, status_json

    if watch and as_json:
        raise fail("--watch shows a table and --json prints once; leave one of them out")
    console = Console()
    while True:
        known = read_recorded(study, workspace)
        if as_json:
            typer.echo(status_json(known.record, known.runner))
            return
        if watch and console.is_terminal:
            console.clear()
        print_status(console, known.record, known.runner)
        if not watch or known.runner is None:
            return
        try:
            time.sleep(every_s)
        except KeyboardInterrupt:
            return


def why(
    cell: Annotated[
        str,
        typer.Argument(
            metavar="CELL",
            help="Its id as `status --json` prints it, or STUDY/ID; the first digits are enough.",
            show_default=False,
        ),
    ],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Tell everything about one cell.

    A cell is one configuration with one seed (and one fold, where the study is cross-validated;
    and one class, where each class has a network of its own). Told are what it measures, every
    attempt to train it, and why it waits or how it ended.

    --json prints {"study", "cell", "outcome", "reason", "metrics", "seed", "fold" (null where
    the data are cut once), "group", "settings", "changed" (path -> [base, this cell]), "uses":
    [...], "needed_by", "source", "attempts": [...], "waits"}; each use has stage, configuration,
    label, inherits, is_winner and decision; each attempt has attempt, outcome, reason, host,
    device, started_at, ended_at, folder, resumed_from_epoch, epochs, log_tail and traceback.

    Exit status: 0 it is told; 2 there is no such cell, or the id is that of several.
    """
    # Lazy: they load pydantic and rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.why_output import print_story, story_json

    story = _story(cell, workspace)
    if as_json:
        typer.echo(story_json(story))
    else:
        print_story(Console(), story)


def _story(wanted: str, workspace: Path) -> "CellStory":
    # Lazy: as above.
    from studies.explaining.cell_story import cell_story
    from studies.tree.finding_cells import UnknownCellError, find_cell

    place, ledger = open_known(workspace)
    try:
        cells = {name: [row["id"] for row in ledger.cells(name)] for name in ledger.study_names()}
        study, cell = find_cell(wanted, cells)
        known = recorded(ledger, place, study)
    except UnknownCellError as error:
        raise fail(str(error)) from error
    finally:
        ledger.close()
    return cell_story(known.record, cell, runner=known.runner, workspace=place.folder)
