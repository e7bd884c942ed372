"""`visionstudy explain` as a person or a program uses it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from studies.cli.app import app
from studies.predicting.choosing import ChosenRun


@pytest.fixture
def explain(
    run_of: Callable[..., ChosenRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Return a function that looks into a network of chance, into `tmp_path / "out"`."""
    run = run_of({"name": "attention_cnn", "filters": [8, 12]})
    monkeypatch.setattr("studies.cli.looking_inside.choose", lambda *_: run)

    def call(*words: object) -> Result:
        places = ("-o", str(tmp_path / "out"), "--device", "cpu")
        return CliRunner().invoke(app, ["explain", "insects", *map(str, words), *places])

    return call


def test_what_looked_and_what_was_seen_is_said(
    explain: Callable[..., Result], picture: Path, tmp_path: Path
) -> None:
    result = explain(picture)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "insects/0123456789ab (seed 0): attention_cnn at 16 px, labels ant, bee, cat"
    )
    assert lines[1] == "grad_cam of layer blocks"
    assert lines[2].startswith("one.png  ")
    assert lines[3] == f"wrote {tmp_path / 'out' / 'grad_cam'}"


def test_json_holds_what_help_says(explain: Callable[..., Result], picture: Path) -> None:
    content = json.loads(explain(picture, "--json").stdout)
    words = CliRunner().invoke(app, ["explain", "--help"]).stdout
    assert all(f'"{name}"' in words for name in (*content, *content["pictures"][0]))


def test_a_skipped_picture_exits_1(explain: Callable[..., Result], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    assert explain(broken).exit_code == 1


def test_what_cannot_be_shown_exits_2(explain: Callable[..., Result], picture: Path) -> None:
    result = explain(picture, "--layer", "blocks.9")
    assert result.exit_code == 2
    assert "unknown layer 'blocks.9' in --layer; did you mean" in result.stderr
