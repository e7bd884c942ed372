"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

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
        envvar="VISIONSTUDY_WORKSPACE",
        metavar="DIR",
        help="Folder of results: ledger, trials, tracking, cache.",
    ),
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs instead of text.")
]
DEFAULT_WORKSPACE = Path("runs")
