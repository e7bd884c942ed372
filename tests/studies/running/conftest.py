"""Launching studies as a person would: in processes of their own."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from studies.running.workspace import WorkspaceFolder
from studies.tree.ledger import Ledger
from studies.tree.study_record import read_study
from trackers.mlflow_database import prepare_database
from trackers.records import StudyRecord

LAUNCH_TIMEOUT_S = 240


@dataclass(slots=True)
class Workshop:
    """A workspace and a study file in it."""

    folder: Path
    file: Path
    name: str
    launches: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        """The workspace."""
        return self.folder / "runs"

    def write(self, study: dict[str, Any]) -> None:
        """Write the study file anew."""
        YAML().dump(study, self.file)

    def kill(self) -> None:
        """Kill what still runs."""
        for process in self.launches:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of the installed CLI for this workspace."""
        code = "from studies.cli.app import main; main()"
        return [sys.executable, "-c", code, *arguments, "--workspace", str(self.runs)]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a launch in the background."""
        process = subprocess.Popen(
            self.command("launch", str(self.file), "--workers", "2", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        self.launches.append(process)
        return process

    def launch(self, *arguments: str, exit_code: int = 0) -> str:
        """Launch to the end and return what it printed."""
        output, _ = self.start(*arguments).communicate(timeout=LAUNCH_TIMEOUT_S)
        assert self.launches[-1].returncode == exit_code, output
        return output

    def run(self, *arguments: str) -> str:
        """Run another verb and return what it printed."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=LAUNCH_TIMEOUT_S,
            check=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        return done.stdout

    def record(self) -> StudyRecord:
        """Read the study as a report would."""
        ledger = Ledger(WorkspaceFolder(self.runs).ledger_file)
        try:
            return read_study(ledger, self.runs, self.name)
        finally:
            ledger.close()

    def trial_folders(self) -> list[Path]:
        """Return the folders of all training trials, in order of cell and attempt."""
        folders = self.runs.glob(f"studies/{self.name}/trials/*")
        return sorted(folder for folder in folders if not folder.name.endswith("-test"))


Build = Callable[[dict[str, Any]], Workshop]


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty MLflow database: creating one takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    prepare_database(file)
    return file


@pytest.fixture
def workshop(tmp_path: Path, mlflow_template: Path) -> Iterator[Build]:
    """Return a builder of workspaces; what still runs at the end is killed."""
    built: list[Workshop] = []

    def build(study: dict[str, Any]) -> Workshop:
        built.append(open_workshop(tmp_path / f"{study['study']}-{len(built)}", study))
        shutil.copy(mlflow_template, built[-1].runs / "mlflow.db")
        return built[-1]

    yield build
    for each in built:
        each.kill()


@pytest.fixture(scope="session")
def launched_once(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Path:
    """Launch the study of the scripted trainer, once for all tests that go on from its end."""
    shop = open_workshop(tmp_path_factory.mktemp("launched") / "noop", scripted_study())
    shutil.copy(mlflow_template, shop.runs / "mlflow.db")
    shop.launch()
    return shop.folder


@pytest.fixture
def finished(launched_once: Path, tmp_path: Path) -> Iterator[Workshop]:
    """Return a copy of a workspace with the finished study of the scripted trainer."""
    folder = Path(shutil.copytree(launched_once, tmp_path / "finished"))
    shop = Workshop(folder, folder / "study.yaml", "noop")
    yield shop
    shop.kill()


def open_workshop(folder: Path, study: dict[str, Any]) -> Workshop:
    """Make an empty workspace and write a study file beside it."""
    (folder / "runs").mkdir(parents=True)
    shop = Workshop(folder, folder / "study.yaml", study["study"])
    shop.write(study)
    return shop


def scripted_study() -> dict[str, Any]:
    """Return a study of the scripted trainer: two stages and a threshold, two seeds."""
    return {
        "study": "noop",
        "task": "semantic_segmentation",
        "data": {"dataset": "none"},
        "model": {"name": "noop", "optimum": {"learning_rate": 1e-3, "batch_size": 4}},
        "training": {"learning_rate": 1e-2, "batch_size": 2, "epochs": 4},
        "objective": {"metric": "val/iou", "direction": "maximize"},
        "search": {
            "tree": [
                {"stage": "learning rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}},
                {"stage": "batch size", "vary": {"training.batch_size": [2, 4]}},
                {
                    "stage": "threshold",
                    "after_training": True,
                    "vary": {"evaluation.threshold": [0.3, 0.5, 0.7]},
                },
            ],
            "replicates": 2,
        },
    }


@pytest.fixture
def noop_study() -> dict[str, Any]:
    """Return a study of the scripted trainer, to be changed."""
    return scripted_study()
