"""`visionstudy init`: a workspace whose databases are on a PostgreSQL server."""

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from studies.running import init_databases as module
from studies.running.databases import (
    DatabasesError,
    databases_at,
    read_databases,
    write_databases,
)
from studies.running.file_lock import FileLock
from studies.running.init_databases import init_databases
from studies.running.workspace import WorkspaceFolder, open_ledger
from trackers.mlflow_client import mlflow_client

ADDRESS = "postgresql+psycopg://vision@db.example:5432/group"


def databases(server: Any) -> set[str]:
    """Return the names of the server's databases."""
    engine = create_engine(server.address("postgres"))
    with engine.connect() as connection:
        found = set(connection.scalars(text("SELECT datname FROM pg_database")))
    engine.dispose()
    return found


def test_names_of_the_three_databases_come_from_the_ledger_s() -> None:
    named = databases_at(ADDRESS)
    assert [each.database for each in (named.ledger, named.optuna, named.mlflow)] == [
        "group",
        "group_optuna",
        "group_mlflow",
    ]
    assert databases_at(ADDRESS.replace("+psycopg", "")) == named


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("word\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", "another")  # what is set already wins
        named = databases_at(ADDRESS, secret)
        write_databases(tmp_path, named)
        assert read_databases(tmp_path) == named
        assert os.environ["PGPASSWORD"] == "another"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("workspace.db", "must be an address like postgresql"),
        ("mysql://user@host/name", "must be an address like postgresql.*got mysql://user@host"),
        ("postgresql://user@host", "must be an address like postgresql"),
        ("postgresql://user:word@host/name", "named without its password.*--password-file"),
        ("postgresql://user@host/name?password=word", "named without its password"),
        ("mysql://user@host/name?sslpassword=word", "named without its password"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_a_password(
    address: str, message: str
) -> None:
    with pytest.raises(DatabasesError, match=message) as raised:
        databases_at(address)
    assert "word@" not in str(raised.value)


@pytest.mark.parametrize("content", ["", "ledger: [1]\n", "a: b: c\n"])
def test_a_workspace_file_that_names_no_databases_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "workspace.yaml").write_text(content)
    with pytest.raises(DatabasesError, match="must name the databases ledger, optuna and mlflow"):
        read_databases(tmp_path)


def test_a_server_that_is_not_there_is_named(tmp_path: Path, free_port: int) -> None:
    named = databases_at(f"postgresql://nobody@127.0.0.1:{free_port}/group")
    with pytest.raises(DatabasesError, match=rf"at .*:{free_port}/group must answer, got: .*ref"):
        init_databases(WorkspaceFolder(tmp_path), named, print)


@pytest.mark.postgres
@pytest.mark.slow
def test_databases_are_made_once_by_many_processes(
    postgres_server: Any, at_once: Any, tmp_path: Path
) -> None:
    prepare = (
        "from pathlib import Path\n"
        "import mlflow.store.tracking.sqlalchemy_store\n"
        "from studies.running.databases import databases_at\n"
        "from studies.running.init_databases import init_databases\n"
        "from studies.running.workspace import WorkspaceFolder\n"
    )
    named = databases_at(postgres_server.address("together"))
    code = (
        f"init_databases(WorkspaceFolder(Path({str(tmp_path)!r})), "
        f"databases_at({postgres_server.address('together')!r}), lambda _: None)"
    )
    assert at_once(prepare, code, processes=2) == ""
    assert databases(postgres_server) >= {"together", "together_optuna", "together_mlflow"}
    assert read_databases(tmp_path) == named
    client = mlflow_client(named.tracking_uri)
    assert [each.name for each in client.search_experiments()] == ["Default"]


@pytest.mark.postgres
def test_a_user_who_may_not_create_databases_is_told_who_can(
    postgres_server: Any, tmp_path: Path
) -> None:
    postgres_server.execute("CREATE ROLE plain LOGIN")
    named = databases_at(postgres_server.address("forbidden", user="plain"))
    with pytest.raises(DatabasesError, match="administrator create it for the user plain"):
        init_databases(WorkspaceFolder(tmp_path), named, print)


@pytest.mark.postgres
def test_a_password_comes_from_its_file(
    postgres_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    postgres_server.execute("CREATE ROLE guarded LOGIN CREATEDB PASSWORD 'a long word'")
    secret = tmp_path / "secret"
    secret.write_text("a long word\n")
    address = postgres_server.address("guarded_studies", user="guarded")
    place = WorkspaceFolder(tmp_path / "runs")
    with pytest.raises(DatabasesError, match=r"must answer, got: .*password"):
        init_databases(place, databases_at(address), print)
    init_databases(place, databases_at(address, secret), print)
    monkeypatch.delenv("PGPASSWORD", raising=False)
    ledger = open_ledger(place)

    assert ledger.study_names() == ()
    ledger.close()
    files = [each for each in place.folder.rglob("*") if each.is_file()]
    assert files
    assert not any(b"a long word" in each.read_bytes() for each in files)


@pytest.mark.postgres
def test_the_studies_of_a_file_are_moved_to_the_server(
    postgres_server: Any, earlier_workspace: WorkspaceFolder
) -> None:
    said: list[str] = []
    named = databases_at(postgres_server.address("moved"))
    init_databases(earlier_workspace, named, said.append)
    init_databases(earlier_workspace, named, said.append)
    ledger = open_ledger(earlier_workspace)

    assert ledger.study_names() == ("earlier",)
    assert {str(row["outcome"]) for row in ledger.cells("earlier")} == {"complete"}
    assert len(ledger.trials("earlier")) == 6
    ledger.close()
    assert not earlier_workspace.ledger_file.exists()
    assert (earlier_workspace.folder / "workspace.db.moved").exists()
    assert said[-1].startswith("moved 1 studies to the server")


@pytest.mark.postgres
def test_a_move_that_is_killed_at_any_step_leaves_a_workspace_that_works_and_goes_on(
    postgres_server: Any, earlier_workspace: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    named = databases_at(postgres_server.address("killed"))
    for step in ("prepare_server_database", "_copy", "write_databases", "_set_aside"):
        with monkeypatch.context() as patch:
            patch.setattr(module, step, killed)
            with pytest.raises(KeyboardInterrupt):
                init_databases(earlier_workspace, named, print)
        ledger = open_ledger(earlier_workspace)
        assert ledger.study_names() == ("earlier",), step
        ledger.close()
    init_databases(earlier_workspace, named, print)
    ledger = open_ledger(earlier_workspace)

    assert not earlier_workspace.ledger_file.exists()
    assert len(ledger.trials("earlier")) == 6
    ledger.close()


@pytest.mark.postgres
def test_a_study_that_runs_is_not_moved(
    postgres_server: Any, earlier_workspace: WorkspaceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "prepare_server_database", lambda *_: None)  # it takes seconds
    named = databases_at(postgres_server.address("running"))
    with (
        FileLock(earlier_workspace.study("earlier") / "lease"),
        pytest.raises(DatabasesError, match=r"'earlier' must not run .* process \d+ of .* stop"),
    ):
        init_databases(earlier_workspace, named, print)
    assert earlier_workspace.databases() is None
    assert earlier_workspace.ledger_file.exists()


@pytest.mark.postgres
def test_another_study_of_the_same_name_on_the_server_is_not_overwritten(
    postgres_server: Any,
    earlier_workspace: WorkspaceFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "prepare_server_database", lambda *_: None)  # it takes seconds
    named = databases_at(postgres_server.address("taken"))
    there = WorkspaceFolder(tmp_path / "there")
    init_databases(there, named, print)
    ledger = open_ledger(there)
    ledger.save_study("earlier", text="", resolved={}, environment={})
    ledger.close()
    with pytest.raises(DatabasesError, match=r"different names, but earlier are in .* and on the"):
        init_databases(earlier_workspace, named, print)
    assert earlier_workspace.ledger_file.exists()
