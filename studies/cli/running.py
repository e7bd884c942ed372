"""`visionstudy launch` and `sync`: run a study, and bring MLflow up to date."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from studies.cli.options import DEFAULT_WORKSPACE, Overrides, StudyFile, Workspace
from studies.cli.reading import BAD_STUDY, fail, read_study
from studies.running.file_lock import LockHeldError
from studies.running.workspace import WorkspaceFolder, open_workspace

if TYPE_CHECKING:
    from studies.running.launch import LaunchResult
    from studies.spec.load import LoadedStudy
    from trackers.mlflow_tracker import MlflowTracker

UNFINISHED = 1  # exit status: something was left over
BUSY = 3  # exit status: the study runs elsewhere

Tracking: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar="MLFLOW_TRACKING_URI",
        metavar="URI",
        help="MLflow server or database; mlflow.db in the workspace when not given.",
    ),
]


def launch(
    study: StudyFile,
    overrides: Overrides = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Trials at a time: one per GPU, or one on the CPU, when not given. Workers "
            "share the CPU's cores, and GPUs where there are more workers than GPUs.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Launch it as a study of its own, named so."),
    ] = None,
    tracking_uri: Tracking = None,
) -> None:
    """Run a study, or what is left of it.

    Launching the same file again resumes: nothing that was measured is trained twice. Ctrl-C
    stops with checkpoints, a second Ctrl-C kills.

    Exit status: 0 every stage is decided; 1 something was left over; 2 the study was refused;
    3 another process runs it.
    """
    changes = [*(overrides or []), *([f"study={name}"] if name else [])]
    place = open_workspace(workspace)
    loaded = read_study(study, changes, place=place)
    study_name = loaded.spec.study
    try:
        with place.lease(study_name):
            result = _run(loaded, place, workers=workers, tracking_uri=tracking_uri)
    except LockHeldError as error:
        typer.echo(
            f"study '{study_name}' is being run by {error}; "
            "wait for it, or launch with --as NEW_NAME",
            err=True,
        )
        raise typer.Exit(BUSY) from error
    _say_what_next(result, study, changes, workspace=workspace, tracking_uri=tracking_uri)


def sync(
    study: StudyFile,
    overrides: Overrides = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    tracking_uri: Tracking = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for MLflow.")
    ] = 600.0,
) -> None:
    """Bring MLflow up to date with the workspace, e.g. after its server was down.

    Sends every cell of a study again; MLflow keeps each fact once.
    """
    place = open_workspace(workspace)
    loaded = read_study(study, overrides, check_data=False)
    # Lazy: it loads SQLAlchemy, which `visionstudy --help` must not wait for.
    from studies.running.starting import UnusableStartError
    from studies.running.synchronise import synchronise
    from studies.tree.study_record import UnknownStudyError

    tracker = _open_tracker(tracking_uri, place.folder)
    try:
        with place.lease(loaded.spec.study):
            is_uploaded = synchronise(loaded.spec, place, tracker=tracker, timeout_s=timeout_s)
    except LockHeldError as error:
        typer.echo(f"study '{loaded.spec.study}' is being run by {error}", err=True)
        raise typer.Exit(BUSY) from error
    except (UnknownStudyError, UnusableStartError) as error:
        raise fail(str(error)) from error
    finally:
        tracker.close()
    if not is_uploaded:
        typer.echo("MLflow has not taken everything; is its server up?", err=True)
        raise typer.Exit(UNFINISHED)
    typer.echo(f"MLflow holds all of study '{loaded.spec.study}'")


def _run(
    loaded: "LoadedStudy",
    place: WorkspaceFolder,
    *,
    workers: int | None,
    tracking_uri: str | None,
) -> "LaunchResult":
    """Run a study whose lease is held."""
    # Lazy: they load Optuna and Plotly, which neither `--help` nor a refusal must wait for.
    from rich.console import Console

    from data_pipeline.errors import DataError
    from studies.running.launch import StudyChangedError
    from studies.running.launch import launch as run
    from studies.running.starting import UnusableStartError
    from studies.running.views import open_view

    tracker, view = _open_tracker(tracking_uri, place.folder), open_view(Console())
    try:
        return run(loaded, place, workers=workers, tracker=tracker, view=view)
    except StudyChangedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_STUDY) from error
    except (DataError, UnusableStartError) as error:
        raise fail(f"study '{loaded.spec.study}': {error}") from error
    finally:
        view.close()
        tracker.close()


def _open_tracker(tracking_uri: str | None, folder: Path) -> "MlflowTracker":
    # Lazy: only verbs that track need it.
    from trackers.mlflow_server import workspace_uri
    from trackers.mlflow_tracker import MlflowTracker

    return MlflowTracker(tracking_uri or workspace_uri(folder), folder / "artifacts")


def _say_what_next(
    result: "LaunchResult",
    study: Path,
    changes: list[str],
    *,
    workspace: Path,
    tracking_uri: str | None,
) -> None:
    """Print where the results are and how to go on; exit 1 when something was left over."""
    command = _command()
    place = [] if workspace == DEFAULT_WORKSPACE else ["--workspace", str(workspace)]
    typer.echo(f"report: {result.report}")
    typer.echo(f"browse: {shlex.join([command, 'ui', *place])}")
    if not result.is_uploaded:
        changed = [part for change in changes for part in ("--set", change)]
        server = ["--tracking-uri", tracking_uri] if tracking_uri else []
        sync = shlex.join([command, "sync", str(study), *changed, *place, *server])
        typer.echo(f"MLflow is behind; later: {sync}", err=True)
    if not result.end.is_finished:
        typer.echo(f"unfinished: {result.end.note}", err=True)
        typer.echo(f"go on: {shlex.join([command, *sys.argv[1:]])}", err=True)
        raise typer.Exit(UNFINISHED)


def _command() -> str:
    """Return how to call this program again: by name, or by path where it is not on PATH."""
    called = Path(sys.argv[0])
    is_known = shutil.which("visionstudy") or called.name != "visionstudy"
    return "visionstudy" if is_known else str(called)
