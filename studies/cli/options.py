"""Arguments and options that several verbs share."""

import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from trackers.redaction import redact

WORKSPACE_VARIABLE = "VISIONSTUDY_WORKSPACE"
StudyFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="STUDY", help="Study file (YAML).", show_default=False)
]
Overrides: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace a setting of the study, e.g. --set training.epochs=3. May be repeated.",
    ),
]
Workspace: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--workspace",
        envvar=WORKSPACE_VARIABLE,
        metavar="DIR",
        help="Folder of results: ledger, trials, tracking, cache.",
    ),
]
StudyName: TypeAlias = Annotated[
    str, typer.Argument(metavar="STUDY", help="Name of a study, or its file.", show_default=False)
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs instead of text.")
]


def _without_password(address: str | None) -> str | None:
    """Refuse a password on the command line; the environment may hold one."""
    is_said = address is not None and any(address in argument for argument in sys.argv)
    if address is not None and is_said and redact(address, {}) != address:
        raise typer.BadParameter(
            "must hold no password, which everybody on this machine could read in the list of "
            "processes; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or name the "
            "whole address in MLFLOW_TRACKING_URI"
        )
    return address


Tracking: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        envvar="MLFLOW_TRACKING_URI",
        metavar="URI",
        callback=_without_password,
        help="MLflow server or database; the workspace's own when not given.",
    ),
]
DEFAULT_WORKSPACE = Path("runs")
