"""The Makefile's promises to someone who has python3, make and git."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAKEFILE = ROOT / "Makefile"


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the project's Makefile in a folder, apart from any make that runs the tests."""
    return subprocess.run(
        ["make", "--file", str(MAKEFILE), *arguments],
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def old_python(tmp_path: Path) -> Path:
    """Return a program that answers as an interpreter below the floor does."""
    program = tmp_path / "python3"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n'
    )
    program.chmod(0o755)
    return program


def test_an_old_python_is_refused_with_its_version_and_the_way_out(
    tmp_path: Path, old_python: Path
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "constraints.txt", tmp_path)
    refused = make(tmp_path, "setup", f"PYTHON={old_python}")
    assert refused.returncode != 0
    assert f"needs Python 3.11 or newer; {old_python} is Python 3.9.2." in refused.stderr
    assert "make setup PYTHON=python3.12" in refused.stderr
    assert not (tmp_path / ".venv").exists()


def test_help_is_the_default_and_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE.read_text("utf-8"), re.M)
    assert phony is not None
    listed = re.findall(r"^  make ([a-z-]+) +\S", make(ROOT).stdout, re.M)
    assert sorted(listed) == sorted(phony[1].split())


def test_clean_keeps_results_and_environment(tmp_path: Path) -> None:
    kept = [tmp_path / "runs" / "workspace.db", tmp_path / ".venv" / "pyvenv.cfg"]
    removed = [tmp_path / ".mypy_cache" / "x", tmp_path / "models" / "__pycache__" / "x.pyc"]
    for file in [*kept, *removed]:
        file.parent.mkdir(parents=True)
        file.touch()
    cleaned = make(tmp_path, "clean")
    assert [file.exists() for file in kept] == [True, True]
    assert [file.parent.exists() for file in removed] == [False, False]
    assert "Kept: runs/" in cleaned.stdout


def test_setup_is_not_repeated_until_a_dependency_changes(tmp_path: Path) -> None:
    names = ["pyproject.toml", "constraints.txt", ".venv/bin/python", ".venv/.installed"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert "uv pip install" not in make(tmp_path, "--dry-run", "setup").stdout
    stamp = (tmp_path / ".venv" / ".installed").stat()
    newer = (stamp.st_atime_ns, stamp.st_mtime_ns + 1_000_000_000)
    os.utime(tmp_path / "constraints.txt", ns=newer)
    assert "uv pip install" in make(tmp_path, "--dry-run", "setup").stdout
