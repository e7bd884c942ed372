"""The output folder holds what its record names, and is no input of the next prediction."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.source import open_data
from models.checkpoints import write_atomically
from studies.predicting.choosing import ChosenRun
from studies.predicting.outputs import FOLDERS, UnwritableOutputError
from studies.predicting.predicting import WRITERS, Predicted
from studies.predicting.wishes import Wishes

pytestmark = pytest.mark.slow
Predict = Callable[..., Predicted]


@pytest.fixture
def photos(choose: Callable[[str], ChosenRun], tmp_path: Path) -> list[Path]:
    """Return three pictures in a folder above the output folder."""
    run = choose("scenes")
    data = open_data(run.members[0].settings.data, run.task, 0)
    copies = []
    for item in data.dataset("val").items[:3]:
        copies.append(tmp_path / item.files[0].name)
        copies[-1].write_bytes(item.files[0].read_bytes())
    return sorted(copies)


def labels(folder: Path) -> list[str]:
    return sorted(file.stem for file in (folder / "out" / "labels").iterdir())


def test_outputs_below_the_pictures_are_not_predicted(
    predicted: Predict, photos: list[Path], tmp_path: Path
) -> None:
    assert predicted("scenes", tmp_path).predicted == 3
    again = predicted("scenes", tmp_path)
    assert (again.pictures, again.predicted) == (3, 0)
    assert labels(tmp_path) == [file.stem for file in photos]


@pytest.mark.parametrize("task", WRITERS)
def test_every_file_of_a_picture_is_where_no_picture_is_looked_for(
    choose: Callable[[str], ChosenRun], task: str
) -> None:
    writer = WRITERS[task](choose("scenes"), Wishes(probabilities=True))
    files = writer.files("a/b", (4, 6)).values()
    assert {file.partition("/")[0] for file in files} <= set(FOLDERS)


def test_nothing_of_a_run_that_is_replaced_stays(
    predicted: Predict, photos: list[Path], tmp_path: Path
) -> None:
    predicted("scenes", *photos)
    predicted("scenes", photos[0], threshold=0.7, overlay=False, overwrite=True)
    left = [file for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert sorted(file.name for file in left) == [f"{photos[0].stem}.png", "predictions.json"]


def test_to_do_one_picture_again_leaves_the_others(
    predicted: Predict, photos: list[Path], tmp_path: Path
) -> None:
    predicted("scenes", *photos)
    again = predicted("scenes", photos[0], overwrite=True)
    assert again.predicted == 1
    assert again.record.images.keys() == {str(file) for file in photos}
    assert labels(tmp_path) == [file.stem for file in photos]


def test_a_picture_that_broke_since_has_no_prediction(
    predicted: Predict, photos: list[Path], tmp_path: Path
) -> None:
    predicted("scenes", *photos)
    photos[0].write_bytes(b"no picture any more")
    predicted("scenes", *photos)
    assert labels(tmp_path) == [file.stem for file in photos[1:]]
    assert not (tmp_path / "out" / "overlays" / f"{photos[0].stem}.jpg").exists()


def test_a_picture_whose_label_map_was_deleted_is_forgotten(
    predicted: Predict, photos: list[Path], tmp_path: Path
) -> None:
    predicted("scenes", *photos)
    (tmp_path / "out" / "labels" / f"{photos[0].stem}.png").unlink()
    predicted("scenes", *photos[1:])
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [each["source"] for each in content["images"]] == [str(file) for file in photos[1:]]


def test_a_full_disk_is_said_and_what_is_finished_stays(
    predicted: Predict, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_at_the_second(file: Path, write: Callable[..., Any]) -> None:
        if file.stem == photos[1].stem:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomically(file, write)

    monkeypatch.setattr("studies.predicting.outputs.write_atomically", full_at_the_second)
    words = f"cannot write to .*{photos[1].stem}.png: No space left on device; correct that"
    with pytest.raises(UnwritableOutputError, match=words):
        predicted("scenes", *photos, batch_size=1)
    monkeypatch.undo()
    assert predicted("scenes", *photos).predicted == 2
