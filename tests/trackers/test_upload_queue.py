import logging
import threading
from collections.abc import Iterator

import pytest

from trackers.upload_queue import (
    StoreUnavailableError,
    UploadQueue,
    UploadRefusedError,
    delay_after,
)


class Shelf:
    """A store that can be held, be away, and refuse."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.kept: list[str] = []
        self.outcomes: dict[str, Exception] = {}
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()

    def store(self, upload: str) -> None:
        self.tried.append(upload)
        self.entered.set()
        self.open.wait()
        if upload in self.outcomes:
            raise self.outcomes[upload]
        self.kept.append(upload)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    opened = Shelf()
    yield opened
    opened.open.set()


@pytest.fixture
def queue(shelf: Shelf) -> Iterator[UploadQueue[str]]:
    started = UploadQueue(
        shelf.store, destination="the shelf", first_delay_s=0.01, longest_delay_s=0.05
    )
    yield started
    shelf.open.set()
    started.close()


def test_uploads_are_stored_in_order(shelf: Shelf, queue: UploadQueue[str]) -> None:
    for number in range(20):
        queue.put(number, f"upload {number}")
    assert queue.drain(10)
    assert shelf.kept == [f"upload {number}" for number in range(20)]


def test_only_the_newest_of_those_that_wait_is_stored(
    shelf: Shelf, queue: UploadQueue[str]
) -> None:
    shelf.open.clear()
    queue.put("a", "a1")
    assert shelf.entered.wait(10)  # a1 is under way and can no longer be replaced
    for number in range(2, 50):
        queue.put("a", f"a{number}")
        queue.put("b", f"b{number}")
    shelf.open.set()
    assert queue.drain(10)
    assert shelf.kept == ["a1", "a49", "b49"]


def test_nobody_waits_for_a_store_that_hangs(shelf: Shelf, queue: UploadQueue[str]) -> None:
    shelf.open.clear()
    for number in range(100):
        queue.put(number, "upload")
    assert shelf.kept == []  # every put has returned before anything was stored
    assert not queue.drain(0.05)
    shelf.open.set()
    assert queue.drain(10)
    assert len(shelf.kept) == 100


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends(
    shelf: Shelf, queue: UploadQueue[str], caplog: pytest.LogCaptureFixture
) -> None:
    shelf.outcomes["a1"] = StoreUnavailableError("connection refused")
    queue.put("a", "a1")
    assert not queue.drain(0.3)
    assert len(shelf.tried) > 2
    del shelf.outcomes["a1"]
    assert queue.drain(10)
    assert shelf.kept == ["a1"]
    assert [each.getMessage() for each in caplog.records] == [
        "the shelf is away (connection refused); uploads wait and are tried again",
        "the shelf is back; 0 more uploads waited",
    ]


def test_asking_whether_all_is_stored_ends_a_long_pause(shelf: Shelf) -> None:
    queue = UploadQueue(shelf.store, destination="x", first_delay_s=600, longest_delay_s=600)
    shelf.outcomes["a1"] = StoreUnavailableError("away")
    queue.put("a", "a1")
    assert not queue.drain(0.1)
    del shelf.outcomes["a1"]
    assert queue.drain(60)
    assert shelf.kept == ["a1"]
    queue.close()


def test_a_newer_upload_replaces_the_one_that_failed(
    shelf: Shelf, queue: UploadQueue[str]
) -> None:
    shelf.outcomes["a1"] = StoreUnavailableError("away")
    queue.put("a", "a1")
    assert not queue.drain(0.05)
    queue.put("a", "a2")
    assert queue.drain(10)
    assert shelf.kept == ["a2"]


def test_an_upload_that_always_fails_does_not_block_the_others(
    shelf: Shelf, queue: UploadQueue[str]
) -> None:
    shelf.outcomes["a1"] = StoreUnavailableError("internal error")
    queue.put("a", "a1")
    queue.put("b", "b1")
    assert not queue.drain(0.5)
    assert shelf.kept == ["b1"]


@pytest.mark.parametrize("error", [UploadRefusedError("bad name"), KeyError("a defect")])
def test_a_refused_upload_is_told_and_the_others_go_on(
    shelf: Shelf,
    queue: UploadQueue[str],
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    shelf.outcomes["a1"] = error
    queue.put("cell a", "a1")
    queue.put("cell b", "b1")
    assert not queue.drain(10)
    assert shelf.kept == ["b1"]
    assert f"the shelf did not take cell a: {error}" in caplog.messages
    queue.put("cell a", "a2")
    assert queue.drain(10)
    assert shelf.kept == ["b1", "a2"]


def test_a_closed_queue_stops_trying(shelf: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    queue = UploadQueue(shelf.store, destination="x", first_delay_s=0.01, longest_delay_s=0.01)
    shelf.outcomes["a1"] = StoreUnavailableError("away")
    queue.put("a", "a1")
    assert not queue.drain(0.05)
    queue.close(10)
    tried = len(shelf.tried)
    assert not queue.drain(0.1)
    assert len(shelf.tried) == tried


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [delay_after(number, first_s=0.5, longest_s=15) for number in (1, 2, 3, 5, 6, 9999)]
    assert pauses == [0.5, 1, 2, 8, 15, 15]
