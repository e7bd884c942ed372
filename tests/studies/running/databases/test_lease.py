"""A study's lease on a PostgreSQL server: held on every host, and lost with its connection."""

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from studies.running.advisory_lock import AdvisoryLock
from studies.running.file_lock import LockHeldError

pytestmark = pytest.mark.postgres


@pytest.fixture
def locks(postgres_server: Any, tmp_path: Path) -> Any:
    """Return a function that makes further locks of the same study."""
    url = make_url(postgres_server.new_database())
    return lambda: AdvisoryLock(url, "study roads", tmp_path / "lease")


def test_only_one_holds_a_lease_and_the_other_is_told_who(locks: Any) -> None:
    with locks() as held:
        other = locks()
        with pytest.raises(LockHeldError, match=r"process \d+ of .* on .*, since"):
            other.acquire()
        assert other.is_held()
        held.confirm()
    assert not other.is_held()
    with other:
        pass


def test_looking_whether_a_lease_is_held_takes_it_from_nobody(locks: Any) -> None:
    stop = threading.Event()

    def look() -> None:
        looker = locks()
        while not stop.is_set():
            looker.is_held()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(30):
            with locks():
                pass
    finally:
        stop.set()
        looking.join()


def test_leases_of_different_studies_do_not_meet(postgres_server: Any, tmp_path: Path) -> None:
    url = make_url(postgres_server.new_database())
    with (
        AdvisoryLock(url, "study a", tmp_path / "a"),
        AdvisoryLock(url, "study b", tmp_path / "b"),
    ):
        pass


def test_a_lease_whose_connection_broke_is_taken_again(locks: Any, postgres_server: Any) -> None:
    with locks() as held:
        postgres_server.restart()
        assert not locks().is_held()
        held.confirm()
        assert locks().is_held()


def test_a_lease_that_somebody_took_meanwhile_is_lost(locks: Any, postgres_server: Any) -> None:
    with locks() as held:
        postgres_server.restart()
        with locks(), pytest.raises(LockHeldError):
            held.confirm()


def test_a_lease_cannot_be_confirmed_while_the_server_is_away(
    locks: Any, postgres_server: Any
) -> None:
    with locks() as held:
        postgres_server.stop()
        with pytest.raises(DBAPIError):
            held.confirm()
        postgres_server.start()
        held.confirm()
