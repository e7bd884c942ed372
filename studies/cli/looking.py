"""`visionstudy status`, `report` and `ui`: look at what ran."""

import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studies.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace
from studies.cli.reading import fail
from studies.running.workspace import open_workspace

if TYPE_CHECKING:
    from trackers.records import StudyRecord

SERVER_TIMEOUT_S = 180.0
SERVER_LOOK_S = 2.0  # between looks whether its process still lives
INTERRUPTED = "interrupted; launch it again to go on"
StudyName = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of a study, or its file.", show_default=False)
]


def status(
    study: StudyName, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False
) -> None:
    """Print how far a study is: every cell and its outcome.

    --json prints {"study", "is_finished", "note", "stages", "cells": [...], "assemblies": [...]};
    each cell has id, stages, group, seed, configuration (what its first stage varies), settings,
    outcome (null: not run), is_running, reason, metrics, best_epoch, epochs (finished), seconds
    and attempts; each assembly has seed, outcome, reason, members (class -> cell), single (the
    single network's cell), images and left_out (split -> count), and ways (own, assembly, single
    -> threshold and metrics).
    """
    record = _read(study, workspace)
    # Lazy: it loads rich, which `visionstudy --help` must not wait for.
    from rich.console import Console

    from studies.cli.status_output import print_status, status_json

    if as_json:
        typer.echo(status_json(record))
    else:
        print_status(Console(), record)


def report(
    study: StudyName,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to; default: the study's folder."
        ),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write a study's report: one HTML file that needs no network."""
    record = _read(study, workspace)
    # Lazy: it loads Plotly, which `visionstudy --help` must not wait for.
    from reports.page import write

    file = output or open_workspace(workspace).report(record.name)
    write(record, file)
    typer.echo(f"report: {file}")


def ui(
    workspace: Workspace = DEFAULT_WORKSPACE,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000,
) -> None:
    """Serve MLflow's pages for a workspace on this machine, and print a link per study.

    Ctrl-C ends it.
    """
    # Lazy: it loads MLflow, which `visionstudy --help` must not wait for.
    from trackers.mlflow_server import (
        experiment_links,
        server_command,
        server_environment,
        workspace_uri,
    )

    if not (workspace / "mlflow.db").exists():
        raise fail(f"workspace {workspace} has no mlflow.db yet; launch a study first")
    base = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(server_command(workspace, port=port), env=server_environment())
    try:
        _wait_for_server(server, base)
        for name, path in experiment_links(workspace_uri(workspace)):
            typer.echo(f"{name}: {base}{path}")
        server.wait()
    except KeyboardInterrupt:
        typer.echo("stopping")
    finally:
        server.terminate()
        server.wait()
    if server.returncode and server.returncode > 0 and not os.environ.get("CI"):
        raise fail(f"the server ended with exit code {server.returncode}; is port {port} in use?")


def _wait_for_server(server: "subprocess.Popen[bytes]", base: str) -> None:
    """Wait until the server answers, as long as it lives."""
    # Lazy: it loads MLflow, which `visionstudy --help` must not wait for.
    from trackers.mlflow_server import wait_until_healthy

    deadline = time.monotonic() + SERVER_TIMEOUT_S
    while True:
        try:
            return wait_until_healthy(base, SERVER_LOOK_S)
        except TimeoutError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise fail(f"the server at {base} did not come up; see above why") from error


def _read(study: str, workspace: Path) -> "StudyRecord":
    """Read a study by name, or by its file."""
    # Lazy: they load SQLAlchemy and pydantic, which `visionstudy --help` must not wait for.
    from studies.cli.reading import read_study as read_file
    from studies.tree.ledger import RUNNING, Ledger
    from studies.tree.study_record import UnknownStudyError, read_study

    place = open_workspace(workspace)
    if not place.ledger_file.exists():
        raise fail(f"{workspace} is no workspace: it has no workspace.db; launch a study first")
    is_file = study.endswith((".yaml", ".yml"))
    name = read_file(Path(study), check_data=False).spec.study if is_file else study
    ledger = Ledger(place.ledger_file)
    try:
        record = read_study(ledger, place.folder, name)
        is_interrupted = record.note == RUNNING and not place.lease(name).is_held()
        return replace(record, note=INTERRUPTED) if is_interrupted else record
    except UnknownStudyError as error:
        raise fail(str(error)) from error
    finally:
        ledger.close()
