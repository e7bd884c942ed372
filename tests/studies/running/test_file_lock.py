"""A lock on a file: who looks whether it is held does not stand in the way."""

import fcntl
import threading
from pathlib import Path

import pytest

from studies.running.file_lock import FileLock, LockHeldError


def test_who_holds_a_lock_is_named_to_the_next(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lease"):
        other = FileLock(tmp_path / "lease")
        assert other.is_held()
        with pytest.raises(LockHeldError, match=r"process \d+ of .* on .*, since"):
            other.acquire(patience_s=0.0)
    assert not other.is_held()


def test_those_who_look_do_not_see_each_other(tmp_path: Path) -> None:
    with (tmp_path / "lease").open("w") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        assert not FileLock(tmp_path / "lease").is_held()


def test_a_lock_is_taken_beside_one_who_looks_all_the_time(tmp_path: Path) -> None:
    file, stop = tmp_path / "lease", threading.Event()
    file.touch()

    def look() -> None:
        while not stop.is_set():
            FileLock(file).is_held()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with FileLock(file):
                pass
    finally:
        stop.set()
        looking.join()
