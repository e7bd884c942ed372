"""`visionstudy report`, `ui` and `dashboard`: look at what ran."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from studies.cli.options import DEFAULT_WORKSPACE, Workspace
from studies.cli.reading import fail
from studies.cli.recorded import open_known, read_recorded, recorded, study_name
from studies.cli.report_files import (
    FiguresFolder,
    FormatOption,
    Output,
    TablesFolder,
    report_files,
    write_files,
)
from studies.cli.serving import serve
from studies.running.workspace import WorkspaceFolder, open_workspace

LOOPBACK, EVERY_INTERFACE = "127.0.0.1", "0.0.0.0"
Host: TypeAlias = Annotated[
    str, typer.Option("--host", help="Interface to listen on; others reach it, unprotected.")
]
SERVER_TIMEOUT_S = 180.0
SERVER_LOOK_S = 2.0  # between looks whether its process still lives


def report(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY…",
            help="Name of a study, or its file; of two or more, a page compares them.",
            show_default=False,
        ),
    ],
    output: Output = None,
    ending: FormatOption = None,
    tables: TablesFolder = None,
    figures: FiguresFolder = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write a study's report: one HTML file, or Markdown, LaTeX or PDF.

    It needs no network to be looked at. Of several studies: what each asked, found and took, and
    whether they differ by more than noise. `visionstudy verify` holds a report against its
    records.
    """
    place, ledger = open_known(workspace)
    try:
        names = _each_once([study_name(each) for each in studies])
        records = [recorded(ledger, place, each, keep_epochs=True).record for each in names]
    finally:
        ledger.close()
    default = place.report(names[0]) if len(names) == 1 else place.comparison(names)
    files = report_files(output, ending, default=default, tables=tables, figures=figures)
    # Lazy: they load Plotly and Optuna, which `visionstudy --help` must not wait for.
    from reports.exports.documents import several_page, study_page
    from studies.running.report_records import for_report

    complete = [for_report(each) for each in records]
    write_files(study_page(complete[0]) if len(complete) == 1 else several_page(complete), files)


def _each_once(names: list[str]) -> list[str]:
    """Refuse a study beside itself."""
    for name in names:
        if names.count(name) > 1:
            raise fail(f"a study is compared with others, got '{name}' twice; name each once")
    return names


def ui(
    study: Annotated[
        str | None,
        typer.Argument(
            help="Print the page of this study alone: its name or file.", metavar="STUDY"
        ),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000,
    host: Host = LOOPBACK,
) -> None:
    """Serve MLflow's pages for a workspace.

    They are on this machine; a link to each study's page, best run first, is printed. Ctrl-C ends
    it. It asks nobody for a password, so it listens to this machine alone.
    """
    # Lazy: it loads MLflow, which `visionstudy --help` must not wait for.
    from trackers.mlflow_server import experiment_links, server_command, server_environment

    place = open_workspace(workspace)
    if place.databases() is None and not (workspace / "mlflow.db").exists():
        raise fail(f"workspace {workspace} has no mlflow.db yet; launch a study first")
    only = None if study is None else read_recorded(study, workspace).record.name
    _warn_of_host(host, port)
    base = f"http://{LOOPBACK if host == EVERY_INTERFACE else host}:{port}"
    command = server_command(workspace, tracking_uri=place.tracking_uri(), host=host, port=port)

    def print_links(server: "subprocess.Popen[bytes]") -> None:
        _wait_for_server(server, base)
        _print_pages(dict(experiment_links(place.tracking_uri())), base, only=only)

    _require_end(serve(command, environ=server_environment(host), once_begun=print_links), port)


def _print_pages(pages: dict[str, str], base: str, *, only: str | None) -> None:
    for name, path in pages.items():
        if only in (None, name):
            typer.echo(f"{name}: {base}{path}")
    if only is not None and only not in pages:
        typer.echo(f"MLflow has nothing of {only} yet; send it with visionstudy sync", err=True)


def dashboard(
    workspace: Workspace = DEFAULT_WORKSPACE,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8080,
    host: Host = LOOPBACK,
) -> None:
    """Serve optuna-dashboard for a workspace.

    It shows Optuna's copy of every search, and needs the extra `dashboard`. Ctrl-C ends it. It
    asks nobody for a password, so it listens to this machine alone. What is changed there changes
    no study: the ledger holds what counts.
    """
    place = open_workspace(workspace)
    if importlib.util.find_spec("optuna_dashboard") is None:
        raise fail("optuna-dashboard is not installed; pip install 'visionstudy[dashboard]'")
    if place.databases() is None and not place.optuna_file.exists():
        raise fail(f"workspace {workspace} has no optuna.db yet; launch a study first")
    _warn_of_host(host, port)
    typer.echo(f"http://{LOOPBACK if host == EVERY_INTERFACE else host}:{port}/dashboard")
    _require_end(serve(dashboard_command(place, host=host, port=port)), port)


def dashboard_command(place: WorkspaceFolder, *, host: str, port: int) -> list[str]:
    """Return the command that serves Optuna's copy; an address holds no password."""
    storage = place.optuna_place()
    address = f"sqlite:///{storage}" if isinstance(storage, Path) else str(storage)
    run = "from optuna_dashboard._cli import main; main()"  # it has no module to run
    return [sys.executable, "-c", run, address, "--host", host, "--port", str(port)]


def _require_end(code: int, port: int) -> None:
    if code != 0:
        raise fail(f"the server ended with exit code {code}; is port {port} in use?")


def _warn_of_host(host: str, port: int) -> None:
    # Lazy: it loads the tracker, which `visionstudy --help` must not wait for.
    from trackers.mlflow_server import is_loopback

    if not is_loopback(host):
        typer.echo(
            f"warning: whoever reaches port {port} of this machine can read and delete what is "
            "shown there, without a password; put it behind a proxy that asks for one, or reach "
            f"it by ssh -L {port}:{LOOPBACK}:{port} without --host",
            err=True,
        )


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
