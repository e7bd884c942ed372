"""`visionstudy predict` on videos as a person or a program uses it."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from data_pipeline.video.writing import write_video
from studies.cli.app import app
from studies.predicting.choosing import ChosenRun
from studies.predicting.video_objects import Boxes
from studies.predicting.videos import Eyes, open_eyes

TASKS = {"boxes": "object_detection", "actions": "action_recognition"}
CALIBRATION = """
points: [[8, 44], [56, 44], [40, 20], [24, 20]]
rectangle: {width_m: 4, length_m: 6}
"""


@pytest.fixture
def predict(
    untrained: Callable[[str], ChosenRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Return a function that predicts by runs called as in TASKS, into `tmp_path / "out"`."""
    monkeypatch.setattr("studies.cli.predicting.choose", lambda run, *_: untrained(TASKS[run]))

    def run(*arguments: object) -> Result:
        words = [str(each) for each in arguments]
        places = ("-o", str(tmp_path / "out"), "--device", "cpu")
        return CliRunner().invoke(app, ["predict", *places, *words])

    return run


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Write a grey video."""
    file = tmp_path / "street.avi"
    frames = (np.full((48, 64, 3), 90, np.uint8) for _ in range(12))
    write_video(file, frames, size_hw=(48, 64), rate=25)
    return file


def test_what_looks_and_what_was_done_is_said(
    predict: Callable[..., Result], video: Path, tmp_path: Path
) -> None:
    result = predict("boxes", video, "--actions", "actions", "--every", 6)
    assert result.exit_code == 0, result.output
    first, second, last = result.stdout.splitlines()
    assert first.endswith("yolov3_tiny at 64 px, labels person, car, from a score of 0.3 on")
    assert second.endswith("fast_only at 32 px, labels walking, waving, falling")
    assert last.startswith("street.avi: 12 frames in ")
    assert last.endswith(f"wrote {tmp_path / 'out' / 'street'}")
    again = predict("boxes", video, "--actions", "actions", "--every", 6).stdout
    assert "street.avi: 12 frames done before, see" in again


def test_json_holds_what_help_says(predict: Callable[..., Result], video: Path) -> None:
    content = json.loads(predict("actions", video, "--json").stdout)
    words = CliRunner().invoke(app, ["predict", "--help"]).stdout
    [entry] = content["videos"]
    assert all(f'"{name}"' in words for name in (*content, *entry))
    assert entry["frames"] == 12
    assert entry["found"]["actions"]["windows"] == 1


def test_a_video_that_cannot_be_read_exits_1(
    predict: Callable[..., Result], video: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    result = predict("actions", broken, video)
    assert result.exit_code == 1
    assert f"skipped {broken}: cannot decode video" in result.stdout
    assert "street.avi: 12 frames in" in result.stdout


def test_ctrl_c_before_a_video_is_begun_says_what_is_left_and_exits_130(
    predict: Callable[..., Result], video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Eyes:
        os.kill(os.getpid(), signal.SIGINT)  # while weights load
        return open_eyes(*arguments)

    monkeypatch.setattr("studies.predicting.videos.open_eyes", interrupted)
    other = video.with_name("square.avi")
    other.write_bytes(video.read_bytes())
    result = predict("boxes", video, other)
    assert result.exit_code == 130
    assert result.stdout.splitlines()[-1].startswith("stopped; 2 of 2 videos left")
    result = predict("boxes", video, other, "--json")
    assert result.exit_code == 130
    entries = json.loads(result.stdout)["videos"]
    assert [(each["was_stopped"], each["note"]) for each in entries] == [(True, "not begun")] * 2


def test_deepsort_follows_what_the_least_score_leaves(
    predict: Callable[..., Result], video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsure(*_: object) -> Boxes:
        return Boxes(np.array([[8.0, 8, 24, 40]]), np.array([0.2]), np.array([0]))

    monkeypatch.setattr("studies.predicting.videos.NetworkDetector.__call__", unsure)
    result = predict("boxes", video, "--track", "deepsort", "--least-score", "0.1", "--json")
    assert result.exit_code == 0, result.output
    [entry] = json.loads(result.stdout)["videos"]
    assert entry["found"]["objects"]["tracks"] == {"person": 1}


def test_distances_are_measured_by_a_calibration(
    predict: Callable[..., Result], video: Path, tmp_path: Path
) -> None:
    file = tmp_path / "calibration.yaml"
    file.write_text(CALIBRATION)
    result = predict("boxes", video, "--distances", file, "--json")
    assert result.exit_code == 0, result.output
    [entry] = json.loads(result.stdout)["videos"]
    assert entry["found"]["distances"]["limit_m"] == 2
    file.write_text(CALIBRATION + "people: [walker]")
    result = predict("boxes", video, "--distances", file)
    assert result.exit_code == 2
    assert "distances need a class of people (walker) among those shown" in result.stderr
    file.write_text("points: [[0, 0]]")
    result = predict("boxes", video, "--distances", file)
    assert result.exit_code == 2
    assert f"{file}: points: " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("boxes", "a.jpg", "--every", "3"), "--every has no effect on pictures"),
        (("boxes", "a.jpg", "--actions", "actions"), "--actions has no effect on pictures"),
        (("actions", "a.jpg"), "a study of actions looks at videos, not at pictures"),
        (("actions", "nowhere.mp4"), "there is no video nowhere.mp4"),
        (("actions", "a.avi", "b.jpg"), "pictures and videos must be predicted apart, got b.jpg"),
        (("boxes", "a.avi", "--actions", "boxes"), "--actions must name a run of task 'action"),
        (("actions", "a.avi", "--actions", "actions"), "--actions has no effect beside study"),
        (
            ("boxes", "a.avi", "--track", "sort", "--appearance", "w.pt"),
            "--appearance has no effect without --track deepsort",
        ),
        (("boxes", "a.avi", "--distances", "no.yaml"), "cannot read calibration no.yaml"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exits_2(
    predict: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    video: Path,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(video.parent)
    video.rename("a.avi")
    result = predict(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr
