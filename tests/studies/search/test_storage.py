"""Optuna's database comes into being whole, or not at all."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna

from studies.search.storage import open_storage


def test_database_is_created_in_a_folder_that_did_not_exist(tmp_path: Path) -> None:
    file = tmp_path / "new" / "optuna.db"
    storage = open_storage(file)
    optuna.create_study(storage=storage, study_name="demo")
    storage.engine.dispose()
    assert sorted(path.name for path in file.parent.iterdir()) == ["optuna.db", "optuna.lock"]


def test_database_is_opened_and_not_created_again(storage_file: Path) -> None:
    storage = open_storage(storage_file)
    optuna.create_study(storage=storage, study_name="demo")
    storage.engine.dispose()
    again = open_storage(storage_file)
    assert [study.study_name for study in again.get_all_studies()] == ["demo"]
    again.engine.dispose()


def test_what_a_killed_creation_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "optuna.db.999.tmp").write_bytes(b"half a database")
    open_storage(tmp_path / "optuna.db").engine.dispose()
    assert sqlite3.connect(tmp_path / "optuna.db").execute("PRAGMA integrity_check")


def test_processes_that_create_it_at_once_all_get_it(
    tmp_path: Path, at_once: Callable[..., str]
) -> None:
    file = tmp_path / "optuna.db"
    prepare = (
        "from pathlib import Path\nimport optuna\nfrom studies.search.storage import open_storage"
    )
    code = (
        f"storage = open_storage(Path({str(file)!r})); "
        "optuna.create_study(storage=storage, study_name=f'demo {number}')"
    )
    assert at_once(prepare, code, processes=3) == ""
    storage = open_storage(file)
    assert len(storage.get_all_studies()) == 3
    storage.engine.dispose()
