"""`visionstudy doctor`: a line for each thing that a study needs, with what to do."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from studies.health import disk, machine, services
from studies.health.check import Check
from studies.health.disk import check_disk
from studies.health.machine import check_machine

Office = Any  # of conftest.py, which cannot be imported


def test_a_workspace_in_order_is_told_as_such(office: Office) -> None:
    told = {each["name"]: each for each in office.told("doctor")}

    assert {name for name, each in told.items() if each["state"] == "fail"} == set()
    assert told["ledger"]["finding"] == "1 studies, of this release's version"
    assert told["locks"]["state"] == told["torch"]["state"] == told["packages"]["state"] == "ok"


def test_whatever_is_not_ok_says_what_to_do(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PATIENCE_S", 0.1)

    told = office.told("doctor", "--tracking-uri", "http://127.0.0.1:9")

    assert all(bool(each["fix"]) == (each["state"] != "ok") for each in told)
    (mlflow,) = [each for each in told if each["name"] == "mlflow"]
    assert mlflow["finding"] == "no MLflow server answers at http://127.0.0.1:9"


def test_nothing_is_left_in_the_workspace(office: Office) -> None:
    before = sorted(office.place.folder.iterdir())

    list(check_disk(office.place.folder))

    assert sorted(office.place.folder.iterdir()) == before


def test_a_damaged_database_ends_with_1_and_a_way_out(office: Office) -> None:
    office.place.optuna_file.write_bytes(b"not a database" * 100)

    text = office.ask("doctor", exit_code=1)

    assert "fail  optuna: optuna.db cannot be read" in text
    assert "-> move " in text


def test_a_full_disk_and_a_read_only_workspace_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "TOO_LITTLE_BYTES", 10**18)
    monkeypatch.setattr(disk, "LITTLE_BYTES", 10**18)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere

    found = _by_name(list(check_disk(tmp_path)))

    assert (found["disk"].state, found["workspace"].state) == ("fail", "warn")
    assert "visionstudy gc" in found["disk"].fix


def test_a_disk_whose_locks_keep_nobody_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)

    assert _by_name(list(check_disk(tmp_path)))["locks"].state == "fail"


def test_little_shared_memory_and_few_files_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_SHARED_BYTES", 10**18)
    monkeypatch.setattr(machine, "LEAST_FILES", 10**9)

    found = _by_name(list(check_machine()))

    assert "--shm-size" in found["shared memory"].fix
    assert found["open files"].fix.startswith("ulimit -n ")


def _by_name(found: list[Check]) -> dict[str, Check]:
    return {each.name: each for each in found}
