"""Workspaces that may only be read."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studies.running.workspace import WorkspaceFolder

CLI = "from studies.cli.app import main; main()"
# Root may write everywhere, unless it gives that up.
AS_ANYBODY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


def visionstudy(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a verb as a user whom permissions bind."""
    prefix = AS_ANYBODY if os.getuid() == 0 else []
    command = [*prefix, sys.executable, "-c", CLI, *arguments]
    root = str(Path(__file__).parents[4])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=120
    )


@pytest.fixture
def read_only(launch_here: Any, noop_study: Any, tmp_path: Path) -> Iterator[Path]:
    """Return a workspace with a finished study, that its user may only read."""
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and setpriv, which makes it not, is missing")
    noop_study["search"] = {
        "tree": [{"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.01]}}]
    }
    place = WorkspaceFolder(tmp_path / "runs")
    launch_here(noop_study, place)
    folders = [place.folder, *(each for each in place.folder.rglob("*") if each.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield place.folder
    for folder in folders:
        folder.chmod(0o755)


def test_a_read_only_workspace_can_be_looked_at_but_not_launched_in(read_only: Path) -> None:
    status = visionstudy("status", "noop", "--workspace", str(read_only))
    study = str(read_only / "study.yaml")
    launched = visionstudy("launch", study, "--workspace", str(read_only))

    assert status.returncode == 0, status.stderr
    assert "noop" in status.stdout
    assert launched.returncode == 2
    assert launched.stderr.strip().splitlines() == [
        "visionstudy: a workspace must be writable to run a study in it, and this may only be "
        f"read; make it writable for you, or name another with --workspace: {read_only}"
    ]
