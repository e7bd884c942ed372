"""The output folder holds what its record names, and nothing else that was predicted."""

from pathlib import Path
from typing import Any

import pytest

from studies.predicting.outputs import UnwritableOutputError, make_folder, write_file
from studies.predicting.record import PredictionsRecord


@pytest.fixture
def record(tmp_path: Path) -> PredictionsRecord:
    """Return the record of a folder with the outputs of two pictures."""
    record = PredictionsRecord(tmp_path / "out", run={}, classes=[], versions={})
    for name in ("a", "b"):
        record.add(
            f"/{name}.jpg", written(record.folder, name, "labels/{}.png", "overlays/{}.jpg")
        )
    return record


def written(folder: Path, name: str, *files: str) -> dict[str, Any]:
    named = [file.format(name) for file in files]
    for file in named:
        write_file(folder / file, b"predicted")
    return {"name": name, "files": {file.partition("/")[0]: file for file in named}}


def outputs(record: PredictionsRecord) -> list[str]:
    files = [file for file in record.folder.rglob("*") if file.is_file()]
    return sorted(file.relative_to(record.folder).as_posix() for file in files)


def test_what_is_not_written_again_is_deleted(record: PredictionsRecord) -> None:
    record.add("/a.jpg", written(record.folder, "a", "labels/{}.png"))
    assert outputs(record) == ["labels/a.png", "labels/b.png", "overlays/b.jpg"]


def test_what_was_predicted_of_a_picture_that_is_skipped_now_is_deleted(
    record: PredictionsRecord,
) -> None:
    record.skip("/a.jpg", "damaged")
    assert outputs(record) == ["labels/b.png", "overlays/b.jpg"]
    assert record.skipped == {"/a.jpg": "damaged"}
    assert record.images.keys() == {"/b.jpg"}


def test_a_picture_without_its_prediction_is_forgotten(record: PredictionsRecord) -> None:
    (record.folder / "labels" / "a.png").unlink()
    (record.folder / "overlays" / "b.jpg").unlink()
    record.forget_lost()
    assert record.images.keys() == {"/b.jpg"}


def test_nothing_outside_the_folder_is_deleted(record: PredictionsRecord) -> None:
    outside = record.folder.parent / "precious.txt"
    write_file(outside, b"mine")
    (record.folder / "link").symlink_to(record.folder.parent)
    record.replaced = {
        "../precious.txt",
        "link/precious.txt",
        str(outside),
        "labels",
        "labels/a.png",
    }
    record.clear_replaced()
    assert outside.read_bytes() == b"mine"
    assert outputs(record) == ["labels/b.png", "overlays/a.jpg", "overlays/b.jpg"]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("file", "it is a file; correct that, or name another folder by --output"),
        ("file/below", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_folder_that_cannot_be_is_an_error(tmp_path: Path, place: str, words: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableOutputError, match=f"cannot write to .*: {words}"):
        make_folder(tmp_path / place)
