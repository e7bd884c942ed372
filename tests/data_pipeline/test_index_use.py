"""What is kept of annotation files and of packed pictures does not grow with each change."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.datasets import annotation_index
from data_pipeline.datasets.annotated import ImageRecord, ObjectRecord
from data_pipeline.datasets.annotated_image import AnnotatedImage
from data_pipeline.datasets.annotation_index import Annotations, indexed_dataset
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.index_files import open_index, write_index
from data_pipeline.datasets.packed import opened
from data_pipeline.datasets.settings.boxes import BoxData


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    monkeypatch.setattr(annotation_index, "SMALL_BYTES", 0)
    return tmp_path / "runs"


def parse() -> Iterator[ImageRecord]:
    yield ImageRecord("7", "seven.jpg", (40, 60), (ObjectRecord("cat", (0, 1, 5, 6)),))


def listed(file: Path, reader: str = "pets/1") -> Dataset:
    settings = BoxData.model_validate({"dataset": "pets", "root": "x"})
    return indexed_dataset(
        settings,
        "object_detection",
        Annotations(reader, (file,), parse),
        folder=Path("x"),
        known=("cat",),
    )


def in_another_process(file: Path, reader: str = "pets/1") -> None:
    """List it in a process that ends, so that the index is no longer in use."""
    process = multiprocessing.get_context("fork").Process(target=listed, args=(file, reader))
    process.start()
    process.join()
    assert process.exitcode == 0


def indices(workspace: Path) -> set[str]:
    return {p.name for p in (workspace / "cache" / "annotations").iterdir() if p.is_dir()}


def test_index_of_a_changed_file_replaces_the_one_before(tmp_path: Path, workspace: Path) -> None:
    file = tmp_path / "train.json"
    file.write_text("first")
    in_another_process(file)
    before = indices(workspace)
    file.write_text("second")
    listed(file)
    assert len(indices(workspace)) == 1
    assert not indices(workspace) & before


def test_index_of_other_pictures_replaces_the_one_before(tmp_path: Path, workspace: Path) -> None:
    file = tmp_path / "train.csv"
    file.write_text("boxes")
    for pictures in ("one", "two", "three"):
        in_another_process(file, f"pets/1 {pictures}")
    assert len(indices(workspace)) == 1


def test_index_of_another_file_or_reader_stays(tmp_path: Path, workspace: Path) -> None:
    for name in ("train.json", "val.json"):
        (tmp_path / name).write_text(name)
        in_another_process(tmp_path / name)
    in_another_process(tmp_path / "val.json", "pets/2")
    assert len(indices(workspace)) == 3


def test_index_in_use_stays_and_its_items_can_be_read(tmp_path: Path, workspace: Path) -> None:
    file = tmp_path / "train.json"
    file.write_text("first")
    [item] = listed(file).items
    file.write_text("second")
    in_another_process(file)
    assert len(indices(workspace)) == 2
    assert isinstance(item, AnnotatedImage)
    assert item.place.record().image_id == "7"


def test_classes_of_an_index_may_be_more_than_a_short_number_counts(tmp_path: Path) -> None:
    objects = tuple(ObjectRecord(f"class {n}", (0, 0, 5, 6)) for n in range(40_000))
    write_index(tmp_path / "index", [ImageRecord("7", "seven.jpg", (40, 60), objects)])
    index = open_index(tmp_path / "index")
    assert len(index.classes) == 40_000
    assert index.pair_classes.tolist() == list(range(40_000))


def doubled(file: Path) -> NDArray[np.uint8]:
    return np.frombuffer(file.read_bytes(), dtype=np.uint8) * 2


def test_what_was_unpacked_of_a_changed_file_is_removed(tmp_path: Path, workspace: Path) -> None:
    file, other = tmp_path / "images.gz", tmp_path / "others.gz"
    for each in (file, other):
        each.write_bytes(b"\x01\x02")
    mapped = opened(file, doubled)
    opened(other, doubled)
    file.write_bytes(b"\x03\x04\x05")
    assert opened(file, doubled).tolist() == [6, 8, 10]
    assert mapped.tolist() == [2, 4]
    assert len(list((workspace / "cache" / "unpacked").iterdir())) == 2
