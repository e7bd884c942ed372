"""A ledger's database that fills up, is locked, or whose server goes away."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select
from sqlalchemy.exc import OperationalError

from studies.tree import database as databases
from studies.tree.database import Database
from studies.tree.ledger_errors import LedgerAwayError, LedgerError, explain
from studies.tree.ledger_tables import versions


def count(database: Database) -> int:
    """Read something."""
    return database.read(lambda connection: len(connection.execute(select(versions)).all()))


def add(database: Database, number: int, release: str = "") -> None:
    """Write something."""
    row = {"version": -number, "release": release, "at": 0.0}
    statement = database.insert(versions).values(**row).on_conflict_do_nothing()
    database.write(lambda connection: connection.execute(statement))


def fill(database: Database) -> None:
    """Write a megabyte."""
    for number in range(100):
        add(database, number, "x" * 10_000)


@pytest.fixture
def on_server(postgres_server: Any) -> Iterator[Database]:
    opened = Database(make_url(postgres_server.new_database()))
    yield opened
    opened.close()


def test_a_full_disk_is_named_with_what_to_do(tmp_path: Path) -> None:
    database = Database(tmp_path / "workspace.db")
    database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 40"))
    with pytest.raises(LedgerError, match=r"workspace\.db: its disk is full; free some space"):
        fill(database)
    held = count(database)
    database.close()
    again = Database(tmp_path / "workspace.db")  # without the limit: there is space again
    assert count(again) == held
    add(again, 1000)
    again.close()


def test_a_locked_file_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "BUSY_TIMEOUT_MS", 10)
    database = Database(tmp_path / "workspace.db")
    with closing(sqlite3.connect(tmp_path / "workspace.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="another program has kept it locked"):
            add(database, 1)
    add(database, 1)
    database.close()


def test_a_full_disk_of_a_server_is_named_too() -> None:
    error = sqlite3.OperationalError("could not extend file")
    error.sqlstate = "53100"  # type: ignore[attr-defined]  # as psycopg says it
    told = explain(OperationalError("", {}, error), "postgresql://db/group")
    assert "its disk is full; free some space" in str(told)


@pytest.mark.postgres
def test_a_write_waits_for_its_server_and_confirms_before_it_goes_on(
    on_server: Database, postgres_server: Any
) -> None:
    said: list[str] = []
    on_server.wait_for_server(said.append, lambda: said.append("confirmed"))
    postgres_server.stop()
    starting = threading.Timer(1.0, postgres_server.start)
    starting.start()
    add(on_server, 1)
    starting.join()

    assert count(on_server) == 2
    assert said[0].startswith("the ledger's server does not answer; waiting up to 600 s")
    assert said[-2:] == ["confirmed", "the ledger's server is back"]


@pytest.mark.postgres
def test_a_write_is_not_repeated_by_who_has_lost_the_lease(
    on_server: Database, postgres_server: Any
) -> None:
    def lost() -> None:
        raise RuntimeError("taken")

    on_server.wait_for_server(lambda _: None, lost)
    postgres_server.stop()
    with pytest.raises(RuntimeError, match="taken"):
        add(on_server, 1)
    postgres_server.start()
    again = Database(make_url(on_server.place))
    assert count(again) == 1
    again.close()


@pytest.mark.postgres
def test_a_server_that_stays_away_ends_the_wait_with_a_sentence(
    on_server: Database, postgres_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "PATIENCE_S", 0.7)
    on_server.wait_for_server(lambda _: None, lambda: None)
    postgres_server.stop()
    try:
        with pytest.raises(LedgerAwayError, match="see that its server runs, then try again"):
            add(on_server, 1)
    finally:
        postgres_server.start()


@pytest.mark.postgres
def test_nobody_has_to_wait_for_a_server_who_gives_up(
    on_server: Database, postgres_server: Any
) -> None:
    stopped: list[bool] = []
    on_server.wait_for_server(
        lambda _: None, lambda: stopped.append(True), gives_up=lambda: bool(stopped)
    )
    postgres_server.stop()
    try:
        for _ in range(2):  # nor does what is written afterwards
            with pytest.raises(LedgerAwayError, match="see that its server runs, then try again"):
                add(on_server, 1)
        assert len(stopped) == 1
    finally:
        postgres_server.start()


@pytest.mark.postgres
def test_a_reader_does_not_wait_for_a_server(on_server: Database, postgres_server: Any) -> None:
    postgres_server.stop()
    try:
        with pytest.raises(LedgerAwayError, match="must answer, got:"):
            count(on_server)
    finally:
        postgres_server.start()
