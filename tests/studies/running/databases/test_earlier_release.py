"""Workspaces that another release wrote."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.tree.ledger import Ledger
from studies.tree.ledger_errors import LedgerError, NewerLedgerError
from studies.tree.ledger_tables import VERSION, metadata
from studies.tree.study_record import read_study

DUMP = Path(__file__).with_name("version_1.sql").read_text()


def columns(file: Path) -> dict[str, list[str]]:
    """Return the names of the columns of every table."""
    with closing(sqlite3.connect(file)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            table: sorted(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
            for (table,) in tables.fetchall()
        }


def contents(file: Path) -> dict[str, list[Any]]:
    """Return the rows of version 1's tables as it knew them, in their order."""
    names = [table for table in columns(file) if f"CREATE TABLE {table} " in DUMP]
    new = {"costs", "source"}
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            name: [
                tuple((key, row[key]) for key in sorted(row.keys()) if key not in new)
                for row in connection.execute(f"SELECT * FROM {name}")
            ]
            for name in names
        }


def test_an_earlier_ledger_is_brought_up_to_date_in_place(
    earlier_workspace: WorkspaceFolder, tmp_path: Path
) -> None:
    before = contents(earlier_workspace.ledger_file)
    open_ledger(earlier_workspace).close()
    fresh = WorkspaceFolder(tmp_path / "fresh")
    open_ledger(fresh).close()

    assert contents(earlier_workspace.ledger_file) == before
    assert columns(earlier_workspace.ledger_file) == columns(fresh.ledger_file)
    assert set(columns(fresh.ledger_file)) == set(metadata.tables)


def test_a_copy_of_the_earlier_ledger_stays_beside_it(
    earlier_workspace: WorkspaceFolder,
) -> None:
    before = contents(earlier_workspace.ledger_file)
    open_ledger(earlier_workspace).close()
    open_ledger(earlier_workspace).close()
    copy = earlier_workspace.folder / "workspace.version-1.db"

    assert contents(copy) == before
    assert "costs" not in columns(copy)["trials"]
    assert list(earlier_workspace.folder.glob("*.draft")) == []


def test_relaunching_an_earlier_release_s_study_trains_nothing(
    earlier_workspace: WorkspaceFolder, launch_here: Any, view: Any
) -> None:
    with closing(sqlite3.connect(earlier_workspace.ledger_file)) as connection:
        ((text,),) = connection.execute("SELECT text FROM studies").fetchall()
    before = contents(earlier_workspace.ledger_file)
    result = launch_here(YAML(typ="safe").load(text), earlier_workspace)
    after = contents(earlier_workspace.ledger_file)

    assert result.end.is_finished, view.said
    assert {name: after[name] for name in ("cells", "trials", "proposals", "test_scores")} == {
        name: before[name] for name in ("cells", "trials", "proposals", "test_scores")
    }


def test_a_report_can_be_read_of_an_earlier_release_s_study(
    earlier_workspace: WorkspaceFolder,
) -> None:
    ledger = open_ledger(earlier_workspace)
    record = read_study(ledger, earlier_workspace.folder, "earlier")
    ledger.close()
    assert record.is_finished
    assert len(record.stages[0].decisions) == 1


def test_a_newer_ledger_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "workspace.db"
    Ledger(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"INSERT INTO versions VALUES ({VERSION + 1}, '9.1', 0.0)")
        connection.commit()
    before = columns(file)
    with pytest.raises(NewerLedgerError, match=r"which visionstudy 9\.1 wrote; use that release"):
        Ledger(file)
    assert columns(file) == before


def test_a_damaged_ledger_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "workspace.db"
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerError, match=r"workspace\.db: it is damaged: .*put a copy back"):
        Ledger(file)


def test_opening_a_ledger_by_many_processes_at_once_brings_it_up_to_date_once(
    earlier_workspace: WorkspaceFolder, at_once: Any
) -> None:
    file = earlier_workspace.ledger_file
    prepare = "from pathlib import Path\nfrom studies.tree.ledger import Ledger"
    assert at_once(prepare, f"Ledger(Path({str(file)!r})).close()") == ""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT version FROM versions").fetchall() == [(VERSION,)]
