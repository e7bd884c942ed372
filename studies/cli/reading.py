"""Read a study for a verb, or end it with every problem of the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from studies.spec.load import LoadedStudy
    from studies.spec.schema import StudySpec

BAD_STUDY = 2  # exit status; also of a name that no catalog holds


def read_study(
    path: Path, overrides: Sequence[str] | None = None, *, check_data: bool = True
) -> "LoadedStudy":
    """Load a study file for a verb.

    Raises:
        typer.Exit: The study cannot be run; its problems are on stderr, the status is 2.
    """
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from studies.spec.load import load_study
    from studies.spec.problems import StudyFileError

    try:
        return load_study(path, overrides=overrides or (), check_data=check_data)
    except StudyFileError as error:
        count = len(error.problems)
        typer.echo(str(error), err=True)
        typer.echo(f"{path}: {count} problem{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(BAD_STUDY) from error


def warn_of_split(spec: "StudySpec") -> None:
    """Say on stderr how the study's split flatters its scores, if it does."""
    # Lazy: as above.
    from data_pipeline.splitting.split_warnings import split_warnings

    for warning in split_warnings(spec.data):
        typer.echo(f"warning: {warning}", err=True)


def fail(message: str) -> typer.Exit:
    """Print what is wrong on stderr and return the exit to raise."""
    typer.echo(message, err=True)
    return typer.Exit(BAD_STUDY)
