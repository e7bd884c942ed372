"""Read what a workspace knows of a study, for a verb, or end it with what is wrong."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from studies.cli.reading import fail
from studies.running.workspace import WorkspaceFolder, open_ledger, open_workspace

if TYPE_CHECKING:
    from studies.tree.ledger import Ledger
    from trackers.records import StudyRecord

INTERRUPTED = "interrupted; launch it again to go on"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A study as its workspace holds it now."""

    record: "StudyRecord"
    place: WorkspaceFolder
    runner: str | None  # the process that runs it, and since when


def read_recorded(study: str, workspace: Path) -> Recorded:
    """Read a study by name, or by its file.

    Raises:
        typer.Exit: There is none; why is on stderr, the status is 2.
    """
    place, ledger = open_known(workspace)
    try:
        return recorded(ledger, place, study_name(study))
    finally:
        ledger.close()


def recorded(
    ledger: "Ledger", place: WorkspaceFolder, name: str, *, keep_epochs: bool = False
) -> Recorded:
    """Read a study of an open ledger.

    Raises:
        typer.Exit: There is none.
    """
    # Lazy: they load SQLAlchemy and pydantic, which `visionstudy --help` must not wait for.
    from studies.explaining.runner import find_runner
    from studies.tree.ledger import RUNNING
    from studies.tree.study_record import UnknownStudyError, read_study

    try:
        record = read_study(ledger, place.folder, name, keep_epochs=keep_epochs)
    except UnknownStudyError as error:
        raise fail(str(error)) from error
    runner = find_runner(place, name)
    if record.note == RUNNING and runner is None:
        record = replace(record, note=INTERRUPTED)
    return Recorded(record, place, runner)


def open_known(workspace: Path) -> tuple[WorkspaceFolder, "Ledger"]:
    """Open the ledger of a workspace that has one.

    Raises:
        typer.Exit: It has none.
    """
    place = open_workspace(workspace)
    if not place.has_ledger():
        raise fail(f"{workspace} is no workspace: it has no workspace.db; launch a study first")
    return place, open_ledger(place)


def study_name(study: str) -> str:
    """Return the name of a study that is given by name or by its file.

    Raises:
        typer.Exit: The file is not in order.
    """
    if not study.endswith((".yaml", ".yml")):
        return study
    # Lazy: pydantic and the catalogs would make `visionstudy --help` wait.
    from studies.cli.reading import read_study as read_file

    return read_file(Path(study), check_data=False).spec.study
