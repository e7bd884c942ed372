"""`visionstudy launch` and `sync`: run a study, and bring MLflow up to date."""

import re
import shlex
import sys
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from studies.cli.next_step import next_command, program
from studies.cli.options import DEFAULT_WORKSPACE, Overrides, StudyFile, Tracking, Workspace
from studies.cli.reading import BAD_STUDY, fail, read_study
from studies.running.file_lock import LockHeldError
from studies.running.workspace import WorkspaceFolder, open_workspace
from trackers.redaction import holds_secret

if TYPE_CHECKING:
    from studies.running.executors import Placement
    from studies.running.launch import LaunchResult
    from studies.spec.load import LoadedStudy
    from trackers.mlflow_tracker import MlflowTracker

UNFINISHED = 1  # exit status: something was left over
BUSY = 3  # exit status: the study runs elsewhere
Artifacts: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--artifacts",
        envvar="VISIONSTUDY_ARTIFACTS",
        metavar="s3://BUCKET/PREFIX",
        help="Where MLflow keeps pictures, predictions and weights; in the workspace when not "
        "given. Keys and endpoint as boto3 finds them (AWS_ENDPOINT_URL_S3).",
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
    executor: Annotated[
        str,
        typer.Option(
            help="Where trials run. local: processes on this machine; inline: in this process, "
            "one at a time, to debug; ray: on a Ray cluster.",
        ),
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Ray cluster to use; when not given RAY_ADDRESS, then the one that `ray start` "
            "began on this machine, then one of its own.",
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            "--processes-per-trial",
            min=1,
            help="Processes that train a trial together on one machine, each with a GPU where "
            "there is any; they share every batch, and the result is that of one process.",
        ),
    ] = 1,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Launch it as a study of its own, named so."),
    ] = None,
    tracking_uri: Tracking = None,
    artifacts: Artifacts = None,
) -> None:
    """Run a study, or what is left of it.

    Launching the same file again resumes: nothing that was measured is trained twice. Ctrl-C
    stops with checkpoints, a second Ctrl-C kills.

    Exit status: 0 every stage is decided; 1 something was left over; 2 the study was refused;
    3 another process runs it.
    """
    placement = _placement(executor, workers, processes, ray_address=ray_address)
    _check_artifacts(artifacts, tracking_uri)
    changes = [*(overrides or []), *([f"study={name}"] if name else [])]
    place = open_workspace(workspace)
    place.require_writable()
    loaded = read_study(study, changes, place=place)
    study_name = loaded.spec.study
    try:
        result = _run(
            loaded, place, placement=placement, tracking_uri=tracking_uri, artifacts=artifacts
        )
    except LockHeldError as error:
        typer.echo(
            f"study '{study_name}' is being run by {error}; "
            "wait for it, or launch with --as NEW_NAME",
            err=True,
        )
        raise typer.Exit(BUSY) from error
    is_shown = tracking_uri is not None and not holds_secret(tracking_uri)
    server = ["--tracking-uri", str(tracking_uri)] if is_shown else []  # else by environment
    kept = [] if artifacts is None else ["--artifacts", artifacts]
    sync = next_command("sync", str(study), *server, *kept, changes=changes, workspace=workspace)
    _say_what_next(result, sync, browse=next_command("ui", workspace=workspace))


def sync(
    study: StudyFile,
    overrides: Overrides = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    tracking_uri: Tracking = None,
    artifacts: Artifacts = None,
    timeout_s: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for MLflow.")
    ] = 600.0,
) -> None:
    """Bring MLflow up to date with the workspace.

    It is needed after its server was down. Sends every cell of a study again; MLflow keeps each
    fact once.
    """
    _check_artifacts(artifacts, tracking_uri)
    place = open_workspace(workspace)
    place.require_writable()
    loaded = read_study(study, overrides, check_data=False)
    # Lazy: it loads SQLAlchemy, which `visionstudy --help` must not wait for.
    from studies.running.starting import UnusableStartError
    from studies.running.synchronise import synchronise
    from studies.tree.study_record import UnknownStudyError

    tracker = _open_tracker(tracking_uri, artifacts, place)
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


def _placement(
    executor: str, workers: int | None, processes: int, *, ray_address: str | None
) -> "Placement":
    """Refuse what no executor is called, and what the named one would ignore."""
    # Lazy: it loads the catalogs, which `--help` must not wait for.
    from studies.running.executors import EXECUTORS, Placement

    if executor not in EXECUTORS:
        close = get_close_matches(executor, EXECUTORS, n=1)
        meant = f"; did you mean '{close[0]}'?" if close else ""
        raise fail(f"--executor must be one of {', '.join(EXECUTORS)}, got '{executor}'{meant}")
    if executor == "inline" and (workers or 1) > 1:
        raise fail(
            f"--executor inline runs one trial at a time, got --workers {workers}; "
            "leave --workers out, or use --executor local"
        )
    if executor == "inline" and processes > 1:
        raise fail(
            "--executor inline trains in this process alone, got --processes-per-trial "
            f"{processes}; leave it out, or use --executor local"
        )
    if executor != "ray" and ray_address is not None:
        raise fail(
            f"--ray-address is for --executor ray, got --executor {executor}; "
            "add --executor ray, or leave the address out"
        )
    if executor == "ray" and find_spec("ray") is None:
        raise fail(
            "--executor ray needs the package ray, which is not installed; "
            "pip install -e '.[ray]', or use --executor local"
        )
    return Placement(executor, workers, processes, ray_address)


def _run(
    loaded: "LoadedStudy",
    place: WorkspaceFolder,
    *,
    placement: "Placement",
    tracking_uri: str | None,
    artifacts: str | None,
) -> "LaunchResult":
    """Run a study."""
    # Lazy: they load Optuna and Plotly, which neither `--help` nor a refusal must wait for.
    from rich.console import Console

    from data_pipeline.errors import DataError
    from studies.running.devices import TooFewGpusError
    from studies.running.eviction import FolderHeldError
    from studies.running.launch import launch as run
    from studies.running.prices import PriceError
    from studies.running.rank_preflight import RanksRefusedError
    from studies.running.ray_share import ClusterError
    from studies.running.same_study import StudyChangedError
    from studies.running.starting import UnusableStartError
    from studies.running.views import open_view
    from studies.search.warm_start import UnknownEarlierStudyError

    tracker, view = _open_tracker(tracking_uri, artifacts, place), open_view(Console())
    try:
        return run(loaded, place, placement=placement, tracker=tracker, view=view)
    except StudyChangedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_STUDY) from error
    except (
        DataError,
        PriceError,
        RanksRefusedError,
        TooFewGpusError,
        UnknownEarlierStudyError,
        UnusableStartError,
    ) as error:
        raise fail(f"study '{loaded.spec.study}': {error}") from error
    except (ClusterError, FolderHeldError) as error:
        typer.echo(f"study '{loaded.spec.study}' is not finished: {error}", err=True)
        raise typer.Exit(UNFINISHED) from error
    finally:
        view.close()
        tracker.close()


def _check_artifacts(artifacts: str | None, tracking_uri: str | None) -> None:
    """Refuse artifacts where they cannot go."""
    if artifacts is None:
        return
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[^/\s]+)*/?", artifacts):
        raise fail(f"--artifacts must be s3://BUCKET or s3://BUCKET/PREFIX, got '{artifacts}'")
    if tracking_uri is not None and tracking_uri.startswith(("http:", "https:")):
        raise fail(
            "--artifacts is for a database; the MLflow server keeps artifacts where it was "
            "started to: leave the option out"
        )
    if find_spec("boto3") is None:
        raise fail("--artifacts s3://… needs the package boto3; pip install -e '.[s3]'")


def _open_tracker(
    tracking_uri: str | None, artifacts: str | None, place: WorkspaceFolder
) -> "MlflowTracker":
    # Lazy: only verbs that track need it.
    from trackers.mlflow_tracker import MlflowTracker
    from trackers.run_register import RunRegister

    uri = tracking_uri or place.tracking_uri()
    register = RunRegister(place.folder / "studies", uri)
    return MlflowTracker(uri, artifacts or place.folder / "artifacts", register=register)


def _say_what_next(result: "LaunchResult", sync: str, *, browse: str) -> None:
    """Print where the results are and how to go on; exit 1 when something was left over."""
    if result.report.is_file():
        typer.echo(f"report: {result.report}")
    typer.echo(f"browse: {browse}")
    if not result.is_uploaded:
        typer.echo(f"MLflow is behind; later: {sync}", err=True)
    if not result.end.is_finished:
        typer.echo(f"unfinished: {result.end.note}", err=True)
        typer.echo(f"go on: {shlex.join([program(), *sys.argv[1:]])}", err=True)
        raise typer.Exit(UNFINISHED)
