"""Where a workspace keeps its things."""

import os
from dataclasses import dataclass
from pathlib import Path

from studies.running.file_lock import FileLock


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

    def lease(self, name: str) -> FileLock:
        """Return the lock that only one process running a study can hold."""
        return FileLock(self.study(name) / "lease")

    def report(self, name: str) -> Path:
        """Return where a launch writes a study's report."""
        return self.study(name) / "report.html"

    def data_page(self, name: str) -> Path:
        """Return where a launch writes what it found wrong with a study's data."""
        return self.study(name) / "data.html"


def open_workspace(folder: Path) -> WorkspaceFolder:
    """Return a workspace's paths, and have data cached there, also by trial processes."""
    absolute = folder.resolve()
    os.environ["VISIONSTUDY_WORKSPACE"] = str(absolute)
    return WorkspaceFolder(absolute)
