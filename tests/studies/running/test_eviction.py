"""A trial's folder is free before another attempt begins, whoever held it."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from studies.running.eviction import LOCK_FILE, FolderHeldError, evict
from studies.running.file_lock import FileLock


@pytest.fixture
def held_elsewhere(tmp_path: Path) -> Iterator[FileLock]:
    """Return a held lock of a process on another machine, with our own process's number."""
    lock = FileLock(tmp_path / LOCK_FILE)
    lock.acquire()
    holder = {"pid": os.getpid(), "user": "ann", "host": "node-3", "since": 0}
    (tmp_path / LOCK_FILE).write_text(json.dumps(holder))
    yield lock
    lock.release()


def test_process_on_another_machine_is_named_and_nothing_here_is_killed(
    held_elsewhere: FileLock, tmp_path: Path
) -> None:
    del held_elsewhere
    with pytest.raises(FolderHeldError, match=rf"process {os.getpid()} of ann on node-3") as found:
        evict(tmp_path, grace_s=0.0, elsewhere_grace_s=0.1)

    assert f"delete {tmp_path / LOCK_FILE} if its machine is gone" in str(found.value)


def test_folder_is_free_once_the_other_machine_let_go(
    held_elsewhere: FileLock, tmp_path: Path
) -> None:
    timer = threading.Timer(0.3, held_elsewhere.release)
    timer.start()
    evict(tmp_path, grace_s=0.0, elsewhere_grace_s=30.0)

    assert not FileLock(tmp_path / LOCK_FILE).is_held()


@pytest.fixture
def held_here(held_elsewhere: FileLock, tmp_path: Path) -> FileLock:
    """Return a held lock of a process on this machine."""
    holder = {"pid": 4_000_000, "user": "ann", "host": os.uname().nodename, "since": 0}
    (tmp_path / LOCK_FILE).write_text(json.dumps(holder))
    return held_elsewhere


def test_holder_that_ends_just_before_it_is_killed_has_ended(
    held_here: FileLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: int) -> None:
        held_here.release()
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", kill)

    evict(tmp_path, grace_s=0.0)

    assert not FileLock(tmp_path / LOCK_FILE).is_held()


def test_process_of_another_user_is_named(
    held_here: FileLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: int) -> None:
        raise PermissionError

    del held_here
    monkeypatch.setattr(os, "kill", kill)
    with pytest.raises(FolderHeldError, match="process 4000000 of ann"):
        evict(tmp_path, grace_s=0.0)


def test_folder_that_was_never_made_is_free(tmp_path: Path) -> None:
    evict(tmp_path / "no-such-attempt")

    assert not (tmp_path / "no-such-attempt").exists()
