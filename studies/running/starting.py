"""What a cell starts from: a run of the workspace or a file, found and hashed.

It is looked for when the study file is read, so that a mistyped name is told with its line.

    UnusableStartError   there is nothing of that name, or nothing to start from in it
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_pipeline.hashing import file_sha256, hash_of
from models.session import StartingWeights
from models.settings import OF_RUN, TransferSettings
from studies.predicting.choosing import Member, UnusableRunError, choose_run
from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.spec.schema import CellSettings
from studies.spec.start_checks import missing_file
from studies.tree.cell_history import read_history
from studies.tree.learnt_data import LearntData, learnt_data
from trackers.event_log import EventLogError


class UnusableStartError(Exception):
    """A run or a file that a training is to start from is not there, or cannot be used."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A file of weights, and what is known of it."""

    group: str  # the class, of a network of one class; else ""
    file: Path
    class_names: tuple[str, ...] | None
    learnt: LearntData | None = None  # None: nobody says what from


@dataclass(slots=True)
class Starts:
    """Finds the weights that cells start from; each run and file is looked at once.

    A launch so starts all its cells from the same weights, also where a study of that name is
    launched again meanwhile.
    """

    workspace: WorkspaceFolder
    _found: dict[str, tuple[_Found, ...]] = field(default_factory=dict)
    _digests: dict[Path, str] = field(default_factory=dict)

    def complaint(self, settings: CellSettings, study: str) -> str | None:
        """Say why a cell of a study cannot start as its settings say; None: it can."""
        transfer = settings.training.transfer
        if transfer is None or transfer.init_from is None:
            return None
        name = transfer.init_from.removeprefix(OF_RUN).partition("/")[0]
        if _is_run(transfer.init_from) and name == study:
            return f"a study cannot start from itself; name another than '{study}'"
        try:
            found = self._member(settings, transfer)
        except UnusableStartError as error:
            return str(error)
        return _leak(settings, transfer, found)

    def find(self, settings: CellSettings) -> StartingWeights | None:
        """Return what a cell starts from; None: from no earlier training.

        Raises:
            UnusableStartError: It is not there.
        """
        transfer = settings.training.transfer
        if transfer is None or transfer.init_from is None:
            return None
        found = self._member(settings, transfer)
        names = transfer.classes or found.class_names
        return StartingWeights(transfer.init_from, found.file, self._digest(found.file), names)

    def fingerprint(self, settings: CellSettings) -> str:
        """Hash what a cell starts from; "" where it starts from no earlier training.

        Raises:
            UnusableStartError: It is not there.
        """
        start = self.find(settings)
        return "" if start is None else hash_of([start.sha256, *(start.class_names or ())])

    def _member(self, settings: CellSettings, transfer: TransferSettings) -> _Found:
        """Return the network of a run that is meant: of several, that of the cell's class."""
        source = str(transfer.init_from)
        if source not in self._found:
            found = _of_run(source, self.workspace) if _is_run(source) else _of_file(settings)
            self._found[source] = found
        members = self._found[source]
        if len(members) == 1:
            return members[0]
        for member in members:
            if (member.group,) == tuple(settings.data.classes):
                return member
        groups = [member.group for member in members]
        raise UnusableStartError(
            f"'{source}' stands for a network per class, of {', '.join(groups)}, and "
            f"{_wanted(settings)} can start from one alone; name its cell as {source}/CELL"
        )

    def _digest(self, file: Path) -> str:
        if file not in self._digests:
            try:
                self._digests[file] = file_sha256(file)
            except OSError as error:
                raise UnusableStartError(
                    f"weights {file} must be readable, got: {error.strerror}; restore them, or "
                    "name others in training.transfer.init_from"
                ) from error
        return self._digests[file]


def _is_run(source: str) -> bool:
    return source.startswith(OF_RUN)


def _of_run(source: str, workspace: WorkspaceFolder) -> tuple[_Found, ...]:
    name = source.removeprefix(OF_RUN)
    if not workspace.has_ledger():
        raise UnusableStartError(
            f"study '{name}' must be in the workspace {workspace.folder} to start from, but that "
            "holds no study yet; launch it first, or name the --workspace that it ran in"
        )
    ledger = open_ledger(workspace)
    try:
        run = choose_run(ledger, workspace.folder, name, find_run=lambda _: None)
    except UnusableRunError as error:
        raise UnusableStartError(str(error)) from error
    finally:
        ledger.close()
    return tuple(_of_member(member) for member in run.members)


def _of_member(member: Member) -> _Found:
    learnt = learnt_data(member.settings.data.model_dump(mode="json"))
    return _Found(member.group, member.weights, member.class_names, learnt)


def _leak(settings: CellSettings, transfer: TransferSettings, found: _Found) -> str | None:
    """Say that folds are validated on what the weights learnt from, if they may be."""
    data, learnt = settings.data, found.learnt
    is_cut_once = data.folds is None and data.split.folds is None
    if is_cut_once or learnt is None:
        return None
    own = learnt_data(data.model_dump(mode="json"))
    if (own["dataset"], own["root"]) != (learnt["dataset"], learnt["root"]):
        return None
    if data.folds is not None:
        return (
            f"data.folds: {data.folds} validates on every image of dataset '{data.dataset}' that "
            f"is not test, and '{transfer.init_from}' learnt from some of them; start from other "
            "data, or remove data.folds"
        )
    if own["split"] == learnt["split"]:  # trained on the same images, and not on the others
        return None
    return (
        f"data.split validates on fold {data.split.fold} of dataset '{data.dataset}', and "
        f"'{transfer.init_from}' learnt from another cut of it, so maybe from those images; start "
        "from other data, or from a training with the same data.split"
    )


def _of_file(settings: CellSettings) -> tuple[_Found, ...]:
    """Return a file, with what the log of its training says of it, if that is beside it."""
    if message := missing_file(settings, ""):
        raise UnusableStartError(message)
    transfer = settings.training.transfer
    file = Path(str(transfer.init_from if transfer else "")).expanduser().resolve()
    try:
        history = read_history([file.parent])
    except EventLogError as error:
        raise UnusableStartError(
            f"the classes of {file} must be known, but the log beside it is damaged ({error}); "
            "name them in training.transfer.classes, with the file in a folder of its own"
        ) from error
    names: Sequence[object] = history.effective.get("classes") or ()
    known = tuple(str(name) for name in names) if names else None
    return (_Found("", file, known, history.learnt),)


def _wanted(settings: CellSettings) -> str:
    classes = settings.data.classes
    return f"a network of {', '.join(classes)}" if classes else "a network of all classes"
