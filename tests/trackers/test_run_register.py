"""Where cells have their runs, without asking MLflow."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trackers.mlflow_tracker import MlflowTracker
from trackers.run_register import FILE, UI, RunRegister, run_addresses, ui_address
from trackers.tracker import CellUpload

PATH = "/#/experiments/1/runs/abc"


def test_a_noted_run_is_found_under_the_servers_address(tmp_path: Path) -> None:
    RunRegister(tmp_path, "https://mlflow.example/track/").note("demo", "c1", PATH)
    assert run_addresses(tmp_path / "demo") == {"c1": f"https://mlflow.example/track{PATH}"}


def test_a_run_is_noted_once_and_another_one_replaces_it(tmp_path: Path) -> None:
    for _ in range(2):
        register = RunRegister(tmp_path, "sqlite:////tmp/mlflow.db")
        register.note("demo", "c1", PATH)
        register.note("demo", "c1", PATH)
    register.note("demo", "c1", "/#/experiments/1/runs/new")
    assert len((tmp_path / "demo" / FILE).read_text().splitlines()) == 2
    assert run_addresses(tmp_path / "demo") == {"c1": f"{UI}/#/experiments/1/runs/new"}


def test_what_was_noted_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def addresses(folder: Path) -> dict[str, str]:
        read.append(folder)
        return {}

    monkeypatch.setattr("trackers.run_register.run_addresses", addresses)
    register = RunRegister(tmp_path, "http://localhost:5001")
    for cell in ("c1", "c2"):
        register.note("demo", cell, PATH)
    assert read == [tmp_path / "demo"]


def test_a_line_that_a_crash_has_cut_is_passed_over(tmp_path: Path) -> None:
    register = RunRegister(tmp_path, "http://localhost:5001")
    register.note("demo", "c1", PATH)
    file = tmp_path / "demo" / FILE
    file.write_text(file.read_text() + '{"cell": "c2", "addr\n')
    assert run_addresses(tmp_path / "demo") == {"c1": f"http://localhost:5001{PATH}"}


def test_a_study_without_runs_has_no_addresses(tmp_path: Path) -> None:
    assert run_addresses(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://user:secret@host:5000/", "http://host:5000"),
        ("https://host", "https://host"),
        ("http://[::1]:5000", "http://[::1]:5000"),
        ("sqlite:////data/mlflow.db", UI),
        ("postgresql+psycopg://user:secret@host/mlflow", UI),
    ],
)
def test_an_address_for_browsers_holds_no_password(uri: str, address: str) -> None:
    assert ui_address(uri) == address


def test_the_runs_that_mlflow_has_are_noted_also_those_of_an_earlier_launch(
    workspace: Path,
    make_upload: Callable[..., CellUpload],
    run_ids: Callable[[str, str], dict[str, str]],
) -> None:
    uri = f"sqlite:///{workspace}/mlflow.db"
    early, late = make_upload("a1"), make_upload("a2")
    for folder, upload in (("first", early), ("second", late)):
        tracker = MlflowTracker(
            uri, workspace / "artifacts", register=RunRegister(workspace / folder, uri)
        )
        tracker.cell("roads", upload)
        assert tracker.drain(60)
        tracker.close()

    noted = run_addresses(workspace / "second" / "roads")
    assert set(noted) == {"a1", "a2"}  # of a1 nothing was sent
    for cell, run in run_ids(uri, "roads").items():
        assert noted[cell].startswith(f"{UI}/#/experiments/")
        assert f"/runs/{run}?" in noted[cell]


def test_a_folder_that_cannot_be_written_stops_no_upload(
    workspace: Path, make_upload: Callable[..., CellUpload]
) -> None:
    uri = f"sqlite:///{workspace}/mlflow.db"
    in_the_way = workspace / "file"
    in_the_way.write_text("")
    tracker = MlflowTracker(uri, workspace / "artifacts", register=RunRegister(in_the_way, uri))
    tracker.cell("roads", make_upload())
    assert tracker.drain(60)
    tracker.close()
