"""Read a study for a verb, or end it with every problem of the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from studies.running.workspace import WorkspaceFolder
from trackers.redaction import redact

if TYPE_CHECKING:
    from studies.spec.load import LoadedStudy
    from studies.spec.schema import StudySpec
    from studies.spec.start_checks import FindStart

BAD_STUDY = 2  # exit status; also of a name that no catalog holds


def read_study(
    path: Path,
    overrides: Sequence[str] | None = None,
    *,
    check_data: bool = True,
    place: WorkspaceFolder | None = None,
) -> "LoadedStudy":
    """Load a study file for a verb.

    Args:
        path: The YAML file.
        overrides: As `--set` has them.
        check_data: Whether to look at the data on disk.
        place: Workspace whose runs the study may start from; None: they are not looked for.

    Raises:
        typer.Exit: The study cannot be run; its problems are on stderr, the status is 2.
    """
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from studies.spec.load import load_study
    from studies.spec.problems import StudyFileError

    find = None if place is None else _find_start(place)
    try:
        return load_study(path, overrides=overrides or (), check_data=check_data, find_start=find)
    except StudyFileError as error:
        count = len(error.problems)
        typer.echo(str(error), err=True)
        typer.echo(f"{path}: {count} problem{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(BAD_STUDY) from error


def _find_start(place: WorkspaceFolder) -> "FindStart":
    # Lazy: as above.
    from studies.running.starting import Starts

    return Starts(place).complaint


def warn_of_data(spec: "StudySpec") -> None:
    """Say on stderr how splits, clips, losses or pruners of the study may mislead, if they do."""
    # Lazy: as above.
    from studies.spec.study_warnings import study_warnings

    for warning in study_warnings(spec):
        typer.echo(f"warning: {warning}", err=True)


def fail(message: str) -> typer.Exit:
    """Print what is wrong on stderr, without secrets, and return the exit to raise."""
    typer.echo(redact(message), err=True)
    return typer.Exit(BAD_STUDY)
