"""Commands that are printed to go on with mean what the one before them meant."""

import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import Result

from studies.cli.next_step import next_command

Visionstudy = Callable[..., Result]
STUDY = Path(__file__).parents[3] / "studies" / "library" / "quickstart.yaml"


@pytest.fixture(autouse=True)
def _no_workspace_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISIONSTUDY_WORKSPACE", raising=False)


def test_a_command_names_workspace_and_settings_as_a_shell_reads_them() -> None:
    text = next_command("launch", "a b.yaml", changes=["description=it's"], workspace=Path("w s"))

    words = ["launch", "a b.yaml", "--set", "description=it's", "--workspace", "w s"]
    assert shlex.split(text)[1:] == words


def test_the_default_workspace_is_named_where_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert next_command("ui", workspace=Path("runs")) == "visionstudy ui"

    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", "elsewhere")

    assert next_command("ui", workspace=Path("runs")) == "visionstudy ui --workspace runs"


def test_validate_repeats_what_was_set(visionstudy: Visionstudy) -> None:
    change = "description=a b"

    text = visionstudy("validate", str(STUDY), "--set", change, "--no-data").output

    assert f"next: visionstudy plan {STUDY} --set 'description=a b'\n" in text


def test_plan_repeats_workspace_workers_and_what_was_set(
    visionstudy: Visionstudy, tmp_path: Path
) -> None:
    place = ["--set", "training.epochs=3", "--workspace", str(tmp_path)]

    text = visionstudy("plan", str(STUDY), "--no-estimate", "--workers", "2", *place).output

    go_on = ["launch", str(STUDY), "--workers", "2", *place]
    assert f"next: visionstudy {shlex.join(go_on)}\n" in text


def test_a_sync_after_a_launch_finds_the_same_workspace_and_artifacts(
    visionstudy: Visionstudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = SimpleNamespace(is_finished=True, note="")
    result = SimpleNamespace(report=tmp_path / "report.html", is_uploaded=False, end=end)
    monkeypatch.setattr("studies.cli.running._run", lambda *_, **__: result)
    monkeypatch.setattr("studies.cli.running.find_spec", lambda _: True)
    place = ["--workspace", str(tmp_path / "runs")]
    options = ["--artifacts", "s3://bucket/prefix", *place]

    text = visionstudy("launch", str(STUDY), *options).output

    sync = ["sync", str(STUDY), "--artifacts", "s3://bucket/prefix", *place]
    assert f"MLflow is behind; later: visionstudy {shlex.join(sync)}\n" in text
