"""`visionstudy predict` as a person or a program uses it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from data_pipeline.source import open_data
from studies.cli.app import app
from studies.predicting.choosing import ChosenRun

pytestmark = pytest.mark.slow


@pytest.fixture
def predict(
    launched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Return a function that predicts into `tmp_path / "out"`."""
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(launched))  # which the verb sets

    def run(*arguments: object) -> Result:
        words = [str(each) for each in arguments]
        places = ("-o", str(tmp_path / "out"), "--workspace", str(launched), "--device", "cpu")
        return CliRunner().invoke(app, ["predict", *places, *words])

    return run


@pytest.fixture
def picture(choose: Callable[[str], ChosenRun]) -> Path:
    """Return a validation picture of the study."""
    run = choose("scenes")
    data = open_data(run.members[0].settings.data, run.task, 0)
    return data.dataset("val").items[0].files[0]


def test_what_predicts_and_what_was_done_is_said(
    predict: Callable[..., Result], picture: Path, tmp_path: Path
) -> None:
    result = predict("scenes", picture)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "(winner of stage 'threshold', car, seed 0): unet at 64 px" in lines[0]
    assert "labels background, bus, from a probability of 0." in lines[1]
    assert lines[2].startswith("1 picture: 1 predicted in ")
    assert lines[3] == f"wrote {tmp_path / 'out'}"
    assert "0 predicted in 0 s, 1 done before" in predict("scenes", picture).stdout


def test_json_holds_what_help_says(predict: Callable[..., Result], picture: Path) -> None:
    content = json.loads(predict("scenes", picture, "--json").stdout)
    words = CliRunner().invoke(app, ["predict", "--help"]).stdout
    assert all(f'"{name}"' in words for name in content)
    assert content["predicted"] == 1
    assert [each["name"] for each in content["classes"]] == ["background", "car", "bus"]


def test_a_skipped_picture_exits_1(
    predict: Callable[..., Result], picture: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    result = predict("scenes", broken, picture)
    assert result.exit_code == 1
    assert "2 pictures: 1 predicted" in result.stdout
    assert f"skipped {broken}: cannot decode image {broken}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("scens", "."), "unknown study 'scens'; did you mean 'scenes'?"),
        (("scenes", "nowhere.jpg"), "there is no file, folder or pattern nowhere.jpg"),
        (("scenes", ".", "--class", "cat"), "unknown class of run 'scenes' 'cat'"),
        (("scenes", ".", "--device", "cuda:77"), "--device must be auto or one of cpu"),
        (("scenes", ".", "--least-score", "0.2"), "--least-score has no effect on label maps"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exits_2(
    predict: Callable[..., Result], arguments: tuple[str, ...], words: str
) -> None:
    result = predict(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_an_output_folder_that_is_a_file_is_a_sentence_and_exits_2(
    predict: Callable[..., Result], picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    result = predict("scenes", picture)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"cannot write to {tmp_path / 'out'}: it is a file; correct")
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_that_is_no_workspace_is_said(tmp_path: Path) -> None:
    arguments = ["predict", "scenes", ".", "-o", "out", "--workspace", str(tmp_path)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path))  # which the verb sets
        result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "is no workspace: it has no workspace.db; launch a study first" in result.stderr
