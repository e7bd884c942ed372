"""Where a workspace keeps its things."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studies.running.file_lock import FileLock, Lease

if TYPE_CHECKING:
    from sqlalchemy import URL

    from studies.running.databases import Databases
    from studies.tree.ledger import Ledger

LONGEST_NAME = 200  # characters of a file, which most systems limit to 255 bytes


@dataclass(frozen=True, slots=True)
class WorkspaceFolder:
    """The paths inside a workspace."""

    folder: Path  # absolute

    @property
    def ledger_file(self) -> Path:
        """The ledger of all studies."""
        return self.folder / "workspace.db"

    @property
    def optuna_file(self) -> Path:
        """Optuna's copy."""
        return self.folder / "optuna.db"

    def study(self, name: str) -> Path:
        """Return a study's own folder."""
        return self.folder / "studies" / name

    def databases(self) -> "Databases | None":
        """Return the databases on a server that `visionstudy init` named; None: files are used."""
        if not (self.folder / "workspace.yaml").exists():
            return None
        # Lazy: it loads SQLAlchemy, which `visionstudy --help` must not wait for.
        from studies.running.databases import read_databases

        return read_databases(self.folder)

    def has_ledger(self) -> bool:
        """Whether anything was ever launched or set up here."""
        return self.ledger_file.exists() or self.databases() is not None

    def require_writable(self) -> None:
        """Refuse a workspace in which nothing can be written.

        Raises:
            PermissionError: why, and what to do.
        """
        existing = next(each for each in (self.folder, *self.folder.parents) if each.exists())
        files = [self.ledger_file] if self.ledger_file.exists() else []
        for each in (existing, *files):
            if not os.access(each, os.W_OK):
                raise PermissionError(
                    errno.EACCES,
                    "a workspace must be writable to run a study in it, and this may only be "
                    "read; make it writable for you, or name another with --workspace",
                    str(each),
                )

    def optuna_place(self) -> "Path | URL":
        """Return where Optuna's copy is: a file, or a database on a server."""
        databases = self.databases()
        return self.optuna_file if databases is None else databases.optuna

    def tracking_uri(self) -> str:
        """Return the address of the workspace's own MLflow database."""
        databases = self.databases()
        if databases is not None:
            return databases.tracking_uri
        # Lazy: only verbs that track need it.
        from trackers.mlflow_server import workspace_uri

        return workspace_uri(self.folder)

    def lease(self, name: str) -> Lease:
        """Return the lock that only one process running a study can hold."""
        file = self.study(name) / "lease"
        databases = self.databases()
        if databases is None:
            return FileLock(file)
        # Lazy: as in `databases`.
        from studies.running.advisory_lock import AdvisoryLock

        return AdvisoryLock(databases.ledger, f"study {name}", file)

    def report(self, name: str) -> Path:
        """Return where a launch writes a study's report."""
        return self.study(name) / "report.html"

    def comparison(self, names: Sequence[str]) -> Path:
        """Return where the page that compares studies is written, if nowhere else is said."""
        return self.folder / "comparisons" / f"{'-'.join(names)[:LONGEST_NAME]}.html"

    def data_page(self, name: str) -> Path:
        """Return where a launch writes what it found wrong with a study's data."""
        return self.study(name) / "data.html"


def open_workspace(folder: Path) -> WorkspaceFolder:
    """Return a workspace's paths, and have data cached there, also by trial processes."""
    absolute = folder.resolve()
    os.environ["VISIONSTUDY_WORKSPACE"] = str(absolute)
    return WorkspaceFolder(absolute)


def open_ledger(place: WorkspaceFolder) -> "Ledger":
    """Open a workspace's ledger; creates it, or brings an earlier release's up to date."""
    # Lazy: SQLAlchemy takes a moment, which `visionstudy --help` must not wait for.
    from studies.tree.ledger import Ledger

    databases = place.databases()
    return Ledger(place.ledger_file if databases is None else databases.ledger)
