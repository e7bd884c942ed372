"""Launches within the test's own process, on files and on a PostgreSQL server."""

import itertools
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import data_pipeline
import models
from studies.running.databases import databases_at
from studies.running.executors import Placement
from studies.running.init_databases import init_databases
from studies.running.launch import LaunchResult, launch
from studies.running.progress import Snapshot
from studies.running.workspace import WorkspaceFolder
from studies.spec.load import load_study
from trackers.memory_tracker import MemoryTracker

VERSION_1 = Path(__file__).with_name("version_1.sql")
_numbers = itertools.count(1)


class Lines:
    """A view that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Keep it."""
        self.said.append(message)

    def close(self) -> None:
        """Release nothing."""


@pytest.fixture
def view() -> Lines:
    return Lines()


@pytest.fixture
def launch_here(view: Lines) -> Callable[..., LaunchResult]:
    """Return a function that launches a study in this process, without workers its trials too."""

    def run(
        study: dict[str, Any], place: WorkspaceFolder, *, workers: int | None = None
    ) -> LaunchResult:
        place.folder.mkdir(parents=True, exist_ok=True)
        file = place.folder / "study.yaml"
        YAML().dump(study, file)
        return launch(
            load_study(file),
            place,
            placement=Placement("local" if workers else "inline", workers),
            tracker=MemoryTracker(),
            view=view,
        )

    return run


@pytest.fixture
def on_server(postgres_server: Any) -> Callable[[Path], WorkspaceFolder]:
    """Return a function that sets a workspace up in databases of its own."""

    def build(folder: Path) -> WorkspaceFolder:
        place = WorkspaceFolder(folder)
        address = postgres_server.address(f"workspace_{next(_numbers)}")
        init_databases(place, databases_at(address), lambda _: None)
        return place

    return build


@pytest.fixture
def earlier_workspace(tmp_path: Path) -> WorkspaceFolder:
    """Return a workspace whose ledger the release before versions wrote, with a finished study."""
    place = WorkspaceFolder(tmp_path / "earlier")
    place.folder.mkdir()
    numerics = f"models {models.NUMERICS}, data_pipeline {data_pipeline.NUMERICS}"
    with closing(sqlite3.connect(place.ledger_file)) as connection:
        connection.executescript(VERSION_1.read_text())
        ((text,),) = connection.execute("SELECT environment FROM studies").fetchall()
        environment = json.dumps({**json.loads(text), "numerics": numerics})
        connection.execute("UPDATE studies SET environment = ?", [environment])
        connection.commit()
    return place
