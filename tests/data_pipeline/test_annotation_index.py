"""The index of annotations: made once, opened ever after, and never believed when damaged."""

import json
import logging
import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data_pipeline.datasets import annotation_index
from data_pipeline.datasets.annotated import ImageRecord, ObjectRecord, annotated_dataset
from data_pipeline.datasets.annotated_image import AnnotatedImage
from data_pipeline.datasets.annotation_index import Annotations, indexed_dataset
from data_pipeline.datasets.coco import annotations_file
from data_pipeline.datasets.coco_records import coco_records
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.record_lines import from_line, to_line
from data_pipeline.datasets.settings.boxes import BoxData, CocoData
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.faults import Fault

KNOWN = ("cat", "dog", "emu")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, and no file too small for an index."""
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    monkeypatch.setattr(annotation_index, "SMALL_BYTES", 0)
    return tmp_path / "runs"


RUNS = {"size": [40, 60], "counts": "0440000"}
RECORDS: tuple[ImageRecord | Fault, ...] = (
    ImageRecord("7", "seven.jpg", (40, 60), (ObjectRecord("dog", (0.1, 1 / 3, 5.0, 6.0), 7.5),)),
    Fault("malformed", "list:2", "two numbers", "box"),
    ImageRecord("10", "täg.jpg", None, (ObjectRecord("cat", (0, 0, 0.5, 1)),), is_normalised=True),
    ImageRecord("11", "empty.jpg", (40, 60), ()),
    ImageRecord("12", "../out.jpg", (40, 60), (ObjectRecord("cat", (0, 0, 5, 6)),)),
    ImageRecord("13", "cow.jpg", None, (ObjectRecord("cow", (0, 0, 5, 6)),)),
    ImageRecord(
        "14",
        "crowd.jpg",
        (40, 60),
        (ObjectRecord("cat", (0, 0, 5, 6), is_crowd=True, outline=RUNS),),
    ),
    ImageRecord(
        "15",
        "all.jpg",
        (40, 60),
        (
            ObjectRecord("emu", (0, 0, 5, 6), is_difficult=True, outline=[[0, 0, 5, 0, 5, 6.5]]),
            ObjectRecord("cat", (float("nan"), 0, 5, 6)),
            ObjectRecord("cat", (0, 0, 5, 6), area=30),
        ),
    ),
)


class Reader:
    """Parses to RECORDS and counts how often."""

    def __init__(self, folder: Path, name: str = "pets/1") -> None:
        self.file = folder / "annotations.txt"
        if not self.file.exists():  # else another process may be reading it
            self.file.write_text("whatever it holds")
        self.name = name
        self.parsed = 0

    def parse(self) -> Iterator[ImageRecord | Fault]:
        self.parsed += 1
        yield from RECORDS

    def open(self, task: str = "object_detection", **fields: object) -> Dataset:
        settings = pets(**fields)
        annotations = Annotations(self.name, (self.file,), self.parse)
        return indexed_dataset(settings, task, annotations, folder=Path("x"), known=KNOWN)


def pets(**fields: object) -> BoxData:
    return BoxData.model_validate({"dataset": "pets", "root": "x", **fields})


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def contents(dataset: Dataset) -> list[tuple[object, ...]]:
    items = [item for item in dataset.items if isinstance(item, AnnotatedImage)]
    assert len(items) == len(dataset)
    # a record holds NaN, which is not equal to itself
    return [(i.image_id, i.classes, i.files, str(i.place.record()), i.faults()) for i in items]


def index_folder(workspace: Path) -> Path:
    [folder] = [place for place in (workspace / "cache/annotations").iterdir() if place.is_dir()]
    return folder


@pytest.mark.parametrize("keep_empty", [False, True])
@pytest.mark.parametrize("classes", [[], ["cat"], ["emu", "dog"]], ids=["all", "cat", "two"])
@pytest.mark.parametrize(
    "task", ["object_detection", "instance_segmentation", "semantic_segmentation"]
)
def test_indexed_dataset_is_the_one_of_the_parsed_records(
    reader: Reader, task: str, classes: list[str], keep_empty: bool
) -> None:
    fields = {"classes": classes, "keep_empty": keep_empty}
    plain = annotated_dataset(pets(**fields), task, RECORDS, folder=Path("x"), known=KNOWN)
    indexed = reader.open(task, **fields)
    assert contents(indexed) == contents(plain)
    assert indexed.class_names == plain.class_names
    assert sorted(map(str, indexed.faults)) == sorted(map(str, plain.faults))


def test_records_survive_as_lines_to_the_last_digit() -> None:
    for record in RECORDS:
        if isinstance(record, ImageRecord):
            assert str(from_line(to_line(record))) == str(record)


def test_files_are_parsed_once_whatever_is_chosen(reader: Reader) -> None:
    for classes in ([], ["cat"], ["dog", "emu"]):
        reader.open(classes=classes)
    reader.open("semantic_segmentation")
    assert reader.parsed == 1


def test_changed_file_or_reader_is_parsed_again(reader: Reader) -> None:
    reader.open()
    reader.file.write_text("something else")
    reader.open()
    reader.name = "pets/2"
    reader.open()
    assert reader.parsed == 3


def test_missing_file_is_named(reader: Reader) -> None:
    reader.file.unlink()
    with pytest.raises(MissingDataError, match=r"cannot read annotations file .*annotations\.txt"):
        reader.open()


def test_small_files_have_no_index(
    reader: Reader, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation_index, "SMALL_BYTES", 1000)
    reader.open()
    reader.open()
    assert reader.parsed == 2
    assert not workspace.exists()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _other_version(file: Path) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version": 0}))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("records.jsonl", _cut),
        ("records.jsonl", Path.unlink),
        ("tables.npz", _cut),
        ("tables.npz", _empty),
        ("tables.npz", Path.unlink),
        ("about.json", _cut),
        ("about.json", _empty),
        ("about.json", _other_version),
        ("about.json", Path.unlink),
    ],
)
def test_torn_or_foreign_index_is_made_anew(
    reader: Reader, workspace: Path, name: str, damage: Callable[[Path], None]
) -> None:
    expected = contents(reader.open())
    damage(index_folder(workspace) / name)
    assert contents(reader.open()) == expected
    assert reader.parsed == 2
    reader.open()
    assert reader.parsed == 2


def test_file_in_place_of_the_index_is_replaced(reader: Reader, workspace: Path) -> None:
    reader.open()
    folder = index_folder(workspace)
    shutil.rmtree(folder)
    folder.write_text("not a folder")
    assert len(reader.open()) == 3
    assert folder.is_dir()


def test_byte_changed_in_a_record_is_found_when_it_is_read(
    reader: Reader, workspace: Path
) -> None:
    dataset = reader.open()
    file = index_folder(workspace) / "records.jsonl"
    assert file.read_bytes().count(b"seven.jpg") == 1
    file.write_bytes(file.read_bytes().replace(b"seven.jpg", b"eleve.jpg"))
    with pytest.raises(InvalidDataError, match="delete that folder and start again"):
        contents(dataset)


def test_pickled_item_finds_its_record_and_is_small(reader: Reader) -> None:
    item = reader.open().items[0]
    pickled = pickle.dumps(item)
    assert len(pickled) < 1000
    copy = pickle.loads(pickled)
    assert copy == item
    assert copy.faults() == item.faults()


def test_parser_that_fails_leaves_nothing_behind(workspace: Path, reader: Reader) -> None:
    def parse() -> Iterator[ImageRecord | Fault]:
        yield RECORDS[0]
        raise InvalidDataError("line 2 is damaged")

    annotations = Annotations("pets/1", (reader.file,), parse)
    with pytest.raises(InvalidDataError, match="line 2"):
        indexed_dataset(pets(), "object_detection", annotations, folder=Path("x"), known=KNOWN)
    assert not [place for place in (workspace / "cache/annotations").iterdir() if place.is_dir()]


def test_without_a_disk_to_write_on_files_are_parsed_with_a_warning(
    reader: Reader,
    workspace: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = contents(reader.open())
    shutil.rmtree(workspace)
    workspace.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert contents(reader.open()) == expected
    [said] = caplog.messages
    assert "annotations.txt cannot be indexed" in said
    assert "set VISIONSTUDY_WORKSPACE to another disk" in said


def test_disk_that_fills_up_leaves_no_part_behind(
    reader: Reader,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert len(reader.open()) == 3
    assert "No space left on device" in caplog.text
    assert not [place for place in (workspace / "cache/annotations").iterdir() if place.is_dir()]


def _open_and_count(folder: Path, counts: "multiprocessing.Queue[tuple[int, int]]") -> None:
    annotation_index.SMALL_BYTES = 0
    reader = Reader(folder)
    counts.put((len(reader.open()), reader.parsed))


def test_processes_that_start_at_once_parse_once(tmp_path: Path) -> None:
    Reader(tmp_path)  # writes the file that they all read
    context = multiprocessing.get_context("fork")
    counts: multiprocessing.Queue[tuple[int, int]] = context.Queue()
    started = [context.Process(target=_open_and_count, args=(tmp_path, counts)) for _ in range(4)]
    for process in started:
        process.start()
    found = [counts.get(timeout=60) for _ in started]
    for process in started:
        process.join()
    assert [images for images, _ in found] == [3] * 4
    assert sum(parsed for _, parsed in found) == 1


def _die_while_parsing(folder: Path) -> None:
    annotation_index.SMALL_BYTES = 0
    reader = Reader(folder)

    def parse() -> Iterator[ImageRecord | Fault]:
        yield RECORDS[0]
        os.kill(os.getpid(), signal.SIGKILL)

    annotations = Annotations(reader.name, (reader.file,), parse)
    indexed_dataset(pets(), "object_detection", annotations, folder=Path("x"), known=KNOWN)


def test_process_killed_while_it_parses_is_no_obstacle(
    tmp_path: Path, workspace: Path, reader: Reader
) -> None:
    process = multiprocessing.get_context("fork").Process(
        target=_die_while_parsing, args=(tmp_path,)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(reader.open()) == 3
    assert index_folder(workspace).suffix == ""  # the unfinished one is gone


def test_real_annotations_are_the_same_through_the_index(coco: CocoData) -> None:
    file = annotations_file(coco, "val")
    known = sorted({o.class_name for r in records_of(file) for o in r.objects})
    annotations = Annotations("coco/1", (file,), lambda: coco_records(file))
    for task in ("instance_segmentation", "semantic_segmentation"):
        folder = coco.root / "val2017"
        indexed = indexed_dataset(coco, task, annotations, folder=folder, known=known)
        plain = annotated_dataset(coco, task, coco_records(file), folder=folder, known=known)
        assert contents(indexed) == contents(plain)
        assert indexed.faults == plain.faults


def records_of(file: Path) -> list[ImageRecord]:
    return [record for record in coco_records(file) if isinstance(record, ImageRecord)]
