"""Workspaces in which a study has run, and the command line to ask about them."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from studies.cli.app import app
from studies.running.executors import Placement
from studies.running.launch import launch
from studies.running.progress import View
from studies.running.views import PlainView
from studies.running.workspace import WorkspaceFolder, open_ledger, open_workspace
from studies.spec.load import load_study
from studies.tree.ledger import Ledger
from studies.tree.study_record import read_study
from trackers.memory_tracker import MemoryTracker
from trackers.records import StudyRecord

STUDY: Mapping[str, Any] = {
    "study": "demo",
    "task": "semantic_segmentation",
    "data": {"dataset": "none"},
    "model": {
        "name": "noop",
        "optimum": {"learning_rate": 1e-3, "batch_size": 4},
        "faults": [
            {"action": "nan", "when": {"learning_rate": 1.0}},
            {"action": "raise", "when": {"learning_rate": 1e-2, "seed": 1}, "attempts": 1},
        ],
    },
    "training": {"learning_rate": 1e-2, "batch_size": 2, "epochs": 2},
    "objective": {"metric": "val/iou"},
    "search": {
        "tree": [
            {"stage": "learning rate", "vary": {"training.learning_rate": [1e-2, 1e-3, 1.0]}},
            {"stage": "batch size", "vary": {"training.batch_size": [2, 4]}},
        ],
        "replicates": 2,
    },
}


@dataclass(slots=True)
class Office:
    """A workspace with its study file."""

    folder: Path

    @property
    def file(self) -> Path:
        """The study file."""
        return self.folder / "study.yaml"

    @property
    def place(self) -> WorkspaceFolder:
        """The workspace."""
        return WorkspaceFolder(self.folder / "runs")

    def write(self, study: Mapping[str, Any]) -> None:
        """Write the study file anew."""
        YAML().dump(dict(study), self.file)

    def launch(self, *overrides: str, view: View | None = None) -> None:
        """Run the study in this process."""
        loaded = load_study(self.file, overrides=overrides)
        with Console(stderr=True, quiet=True) as quiet:
            launch(
                loaded,
                open_workspace(self.place.folder),
                placement=Placement("inline"),
                tracker=MemoryTracker(),
                view=view or PlainView(quiet),
            )

    def ask(self, *arguments: str, exit_code: int = 0) -> str:
        """Run a verb on the workspace and return what it printed, to stderr too."""
        done = self.result(*arguments)
        assert done.exit_code == exit_code, (done.output, done.exception)
        return done.output

    def result(self, *arguments: str) -> Result:
        """Run a verb on the workspace."""
        wide = {"COLUMNS": "200"}
        place = ("--workspace", str(self.place.folder))
        return CliRunner(env=wide).invoke(app, [*arguments, *place])

    def told(self, *arguments: str) -> Any:
        """Run a verb that answers in JSON."""
        return json.loads(self.result(*arguments, "--json").stdout)

    def cells(self, study: str = "demo", **settings: float) -> list[dict[str, Any]]:
        """Return the cells with some settings of training, as `status --json` tells them."""
        return [
            cell
            for cell in self.told("status", study)["cells"]
            if all(cell["settings"][f"training.{k}"] == v for k, v in settings.items())
        ]

    def interrupt(self, **settings: float) -> None:
        """Make it look as if its coordinator had been killed while some cells were open."""
        cells = [cell["id"] for cell in self.cells("demo", **settings)]
        ledger = self.ledger()
        ledger.reopen("demo", cells)
        ledger.end_launch("demo", is_finished=False, note="running")
        ledger.close()

    def record(self, study: str = "demo") -> StudyRecord:
        """Read a study as a report would."""
        ledger = self.ledger()
        try:
            return read_study(ledger, self.place.folder, study)
        finally:
            ledger.close()

    def ledger(self) -> Ledger:
        """Open the ledger."""
        return open_ledger(self.place)


@pytest.fixture(scope="session")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the study has run, with its troubles; it is to be copied."""
    office = Office(tmp_path_factory.mktemp("launched"))
    office.write(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONSTUDY_WORKSPACE", str(office.place.folder))
        office.launch()
    return office.folder


@pytest.fixture
def study() -> dict[str, Any]:
    """Return the study as it was launched, to be changed."""
    return json.loads(json.dumps(STUDY))  # type: ignore[no-any-return]


@pytest.fixture
def office(launched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Return a workspace of one's own in which the study has run."""
    folder = tmp_path / "office"
    shutil.copytree(launched, folder)
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(folder / "runs"))
    return Office(folder)


@pytest.fixture(scope="session")
def make_office() -> Callable[[Path], Office]:
    """Return what makes a workspace of a folder, for tests that launch a study once for all."""
    return Office


@pytest.fixture
def empty_office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Office]:
    """Return a builder of folders in which nothing has run."""

    def build(study: Mapping[str, Any]) -> Office:
        office = Office(tmp_path / "empty")
        office.folder.mkdir()
        office.write(study)
        monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(office.place.folder))
        return office

    return build
