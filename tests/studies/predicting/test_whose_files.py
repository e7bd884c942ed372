"""What lies in the output folder already: predictions of this, of another, or foreign files."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from data_pipeline.video.writing import write_video
from models.tracking.settings import DeepSortSettings, NetworkAppearanceSettings
from studies.predicting.choosing import ChosenRun
from studies.predicting.earlier_record import OtherPredictionsError
from studies.predicting.predicting import predict
from studies.predicting.video_files import VideoFile
from studies.predicting.video_record import open_video_record
from studies.predicting.video_wishes import Cast, VideoWishes
from studies.predicting.videos import Hooks, PredictedVideo, predict_videos
from studies.predicting.wishes import Wishes

CPU = torch.device("cpu")
ONCE, OVER = Wishes(), Wishes(overwrite=True)
Runs = Callable[[str], ChosenRun]
Predict = Callable[..., PredictedVideo]


def video(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "street.avi"
    grey = (np.full((48, 64, 3), 90, np.uint8) for _ in range(3))
    write_video(file, grey, size_hw=(48, 64), rate=25)
    return file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return where the outputs of a video go that is called street."""
    (tmp_path / "out" / "street").mkdir(parents=True)
    return tmp_path / "out" / "street"


@pytest.fixture
def predicted(untrained: Runs, out: Path) -> Predict:
    """Return a function that looks for objects in a video, which is three frames long."""

    def run(
        file: Path, plain: Wishes = ONCE, hooks: Hooks | None = None, **wishes: Any
    ) -> PredictedVideo:
        [done] = predict_videos(
            Cast(untrained("object_detection")),
            [str(file)],
            out.parent,
            wishes=VideoWishes(plain, **wishes),
            device=CPU,
            hooks=hooks or Hooks(lambda *_: None),
        )
        return done

    return run


def killed(*_: int) -> None:
    raise KeyboardInterrupt


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.iterdir()):
        yield file.name, file.read_bytes()


def test_another_video_of_the_same_name_does_not_replace_the_first(
    predicted: Predict, tmp_path: Path, out: Path
) -> None:
    first, second = video(tmp_path / "a"), video(tmp_path / "b")
    predicted(first)
    before = list(contents(out))
    with pytest.raises(OtherPredictionsError) as raised:
        predicted(second)
    assert str(raised.value) == (
        f"{out} must hold predictions of {second} or none, but holds those of {first}; name "
        "another folder, or replace them by --overwrite"
    )
    assert list(contents(out)) == before
    predicted(second, OVER)
    assert json.loads((out / "prediction.json").read_text())["source"] == str(second)


@pytest.mark.parametrize("name", ["video.mp4", "objects.csv"])
def test_files_of_somebody_else_are_not_written_over(
    predicted: Predict, tmp_path: Path, out: Path, name: str
) -> None:
    (out / name).write_bytes(b"mine")
    with pytest.raises(OtherPredictionsError, match=f"must hold no {name} but of an earlier"):
        predicted(video(tmp_path))
    assert list(contents(out)) == [(name, b"mine")]
    assert not predicted(video(tmp_path), OVER).was_done


def test_a_file_that_the_record_does_not_name_is_somebody_elses(
    predicted: Predict, tmp_path: Path, out: Path
) -> None:
    file = video(tmp_path)
    predicted(file)
    (out / "video.mp4").unlink()  # so that it is done again
    content = json.loads((out / "prediction.json").read_text())
    del content["files"]["objects"]
    (out / "prediction.json").write_text(json.dumps(content))
    with pytest.raises(OtherPredictionsError, match=r"must hold no objects\.csv but"):
        predicted(file)


def test_a_killed_runs_files_are_replaced_also_under_other_settings(
    predicted: Predict, tmp_path: Path, out: Path
) -> None:
    file = video(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        predicted(file, hooks=Hooks(killed))
    assert (out / "video.mp4").exists()
    record = json.loads((out / "prediction.json").read_text())
    assert (record["note"], record["was_stopped"]) == ("begun, not finished", True)
    done = predicted(file, every=2)
    assert done.record is not None
    assert (done.record.frames, done.note) == (3, None)


def test_a_video_that_broke_since_leaves_nothing(
    predicted: Predict, tmp_path: Path, out: Path
) -> None:
    file = video(tmp_path)
    predicted(file)
    file.write_bytes(b"no video any more")
    assert predicted(file).record is None
    assert list(contents(out)) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 0}', '{"format": 1, "files": {}}'])
def test_a_broken_record_is_replaced_where_that_is_wanted(
    predicted: Predict, tmp_path: Path, out: Path, text: str
) -> None:
    file = video(tmp_path)
    (out / "prediction.json").write_text(text)
    with pytest.raises(OtherPredictionsError, match=r"prediction\.json must be .* by --overwrite"):
        predicted(file)
    assert predicted(file, OVER).record is not None


def test_other_appearance_weights_of_the_same_path_are_other_settings(
    untrained: Runs, tmp_path: Path
) -> None:
    weights, cast = tmp_path / "w.pt", Cast(untrained("object_detection"))
    wishes = VideoWishes(
        tracker=DeepSortSettings(), appearance=NetworkAppearanceSettings(weights=weights)
    )
    made_by = []
    for content in (b"first", b"second"):
        weights.write_bytes(content)
        place = VideoFile(tmp_path / "a.avi", tmp_path)
        made_by.append(open_video_record(place, cast, wishes, precisions=("32-true",)).made_by)
    first, second = (each["appearance"].pop("weights_sha256") for each in made_by)
    assert first != second
    assert made_by[0] == made_by[1]


def test_pictures_are_not_predicted_into_a_folder_of_somebody_else(
    untrained: Runs, tmp_path: Path
) -> None:
    def run(wishes: Wishes) -> object:
        return predict(
            untrained("object_detection"),
            [str(tmp_path / "a.png")],
            tmp_path,
            wishes=wishes,
            device=CPU,
            progress=lambda *_: None,
        )

    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 3), 90, np.uint8))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("not written over: boxes go to objects")
    (tmp_path / "overlays").mkdir()  # empty: nobody's
    (tmp_path / "objects").mkdir()
    mine = tmp_path / "objects" / "a.json"
    mine.write_text("mine")
    with pytest.raises(OtherPredictionsError, match="must hold no objects but of an earlier"):
        run(ONCE)
    assert mine.read_text() == "mine"
    run(OVER)
    assert mine.read_text() != "mine"
    run(ONCE)
