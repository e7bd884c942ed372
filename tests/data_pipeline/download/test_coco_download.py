"""COCO by class and as whole splits, from a server with the official paths and real images."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.datasets.coco import build
from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.download import coco
from data_pipeline.download.coco import CocoChoice, download, plan
from data_pipeline.download.errors import ChecksumError
from data_pipeline.download.terms import Outcome, Terms
from data_pipeline.errors import InvalidDataError, UnknownClassError

ANNOTATIONS = "/annotations/annotations_trainval2017.zip"
CHOICE = CocoChoice({"train": 6, "val": 3}, classes=("car", "traffic light"))


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def serve_annotations(server: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Serve annotation files in the official archive, which then has another checksum."""

    def serve(files: dict[str, bytes]) -> None:
        packed = zipped({f"annotations/{name}": content for name, content in files.items()})
        server.files[ANNOTATIONS] = packed
        known = (f"http://server{ANNOTATIONS}", len(packed), hashlib.md5(packed).hexdigest())
        monkeypatch.setattr(coco, "ANNOTATIONS", known)

    return serve


@pytest.fixture
def official(real_data: Path, server: Any, serve_annotations: Callable[..., None]) -> Any:
    source = real_data / "coco_mini"
    names = ("instances_train2017.json", "instances_val2017.json")
    serve_annotations({name: (source / "annotations" / name).read_bytes() for name in names})
    for picture in (*source.glob("train2017/*.jpg"), *source.glob("val2017/*.jpg")):
        server.files[f"/{picture.relative_to(source).as_posix()}"] = picture.read_bytes()
    return server


@pytest.fixture
def fetch(official: Any, terms: Terms, watcher: Any) -> Callable[..., Outcome]:
    official.asked.clear()
    return lambda **changes: download(replace(CHOICE, **changes), terms, watcher)


def annotations(root: Path, split: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (root / "annotations" / f"instances_{split}2017.json").read_bytes()
    )
    return content


def test_a_subset_has_the_official_records_of_its_images_and_classes(
    fetch: Callable[..., Outcome], terms: Terms, real_data: Path
) -> None:
    outcome = fetch()
    for split in ("train", "val"):
        subset, whole = (
            annotations(root, split) for root in (terms.folder, real_data / "coco_mini")
        )
        ids = {image["id"] for image in subset["images"]}
        numbers = {c["id"] for c in whole["categories"] if c["name"] in CHOICE.classes}
        assert len(ids) == outcome.manifest.counts[split] > 0
        assert list(subset) == list(whole)
        assert subset["info"] == whole["info"]
        assert subset["licenses"] == whole["licenses"]
        assert subset["images"] == [i for i in whole["images"] if i["id"] in ids]
        assert subset["categories"] == [c for c in whole["categories"] if c["id"] in numbers]
        assert subset["annotations"] == [
            a for a in whole["annotations"] if a["image_id"] in ids and a["category_id"] in numbers
        ]


def test_a_subset_opens_by_its_reader_with_images_of_each_class(
    fetch: Callable[..., Outcome], terms: Terms
) -> None:
    outcome = fetch()
    for split, most in (("train", 6), ("val", 3)):
        dataset = build(CocoData(root=terms.folder), "object_detection", split)  # type: ignore[arg-type]
        assert dataset is not None
        assert set(dataset.class_names) == {"car", "traffic light"}
        assert len(dataset) == outcome.manifest.counts[split] <= 2 * most
        for name in dataset.class_names:
            assert sum(name in item.classes for item in dataset.items) >= most
        for item in dataset.items:
            item.read()  # type: ignore[attr-defined]


def test_a_second_run_asks_for_nothing_and_more_images_ask_for_new_ones_only(
    fetch: Callable[..., Outcome], official: Any, terms: Terms
) -> None:
    fetch()
    here = {f"/{p.relative_to(terms.folder).as_posix()}" for p in terms.folder.glob("*2017/*.jpg")}
    official.asked.clear()
    assert fetch().was_complete
    assert official.asked == []
    assert fetch(per_split={"train": 10, "val": 3}).files > 0
    asked = {each.path for each in official.asked if each.method == "GET"}
    assert not asked & here
    assert ANNOTATIONS not in asked


def test_an_unknown_class_is_an_error_with_a_suggestion(fetch: Callable[..., Outcome]) -> None:
    with pytest.raises(UnknownClassError, match="unknown class 'buss'; did you mean 'bus'"):
        fetch(classes=("buss",))


def test_annotations_with_another_checksum_than_the_official_are_refused(
    fetch: Callable[..., Outcome], official: Any
) -> None:
    official.files[ANNOTATIONS] = zipped({"annotations/instances_train2017.json": b"{}"})
    with pytest.raises(ChecksumError, match="must have the checksum md5:"):
        fetch()


@pytest.mark.parametrize("file_name", ["../../evil.jpg", "/tmp/evil.jpg", "a/b.jpg", "", 7])
def test_a_file_name_that_is_no_picture_of_the_split_is_refused(
    serve_annotations: Callable[..., None], terms: Terms, watcher: Any, file_name: Any
) -> None:
    content = {
        "images": [{"id": 1, "file_name": file_name}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1}],
        "categories": [{"id": 1, "name": "bus"}],
    }
    serve_annotations({"instances_train2017.json": json.dumps(content).encode()})
    choice = CocoChoice({"train": 1}, classes=("bus",))
    with pytest.raises(InvalidDataError, match=r"file_name|must have COCO's records"):
        download(choice, terms, watcher)
    assert not list(terms.folder.parent.glob("**/evil.jpg"))


@pytest.mark.parametrize(
    "text", ['{"categories": [{"id": 1}]}', '{"annotations": [[]]}', "[]", '{"images": [1']
)
def test_damaged_annotations_are_named(
    serve_annotations: Callable[..., None], terms: Terms, watcher: Any, text: str
) -> None:
    serve_annotations({"instances_train2017.json": text.encode()})
    with pytest.raises(InvalidDataError, match=r"instances_train2017\.json in .*\.zip"):
        download(CocoChoice({"train": 1}, classes=("bus",)), terms, watcher)


def test_whole_splits_come_from_the_archives_which_are_removed_then(
    official: Any, terms: Terms, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {
        path.strip("/"): content
        for path, content in official.files.items()
        if path.startswith("/val2017/")
    }
    packed = zipped(dict(list(pictures.items())[:5]))
    official.files["/zips/val2017.zip"] = packed
    known = ("http://server/zips/val2017.zip", 1, hashlib.md5(packed).hexdigest())
    monkeypatch.setattr(coco, "PICTURES", {"val": known})
    choice = CocoChoice({"val": 1})
    outcome = download(choice, terms, watcher)
    assert outcome.manifest.counts == {"images": 5}
    assert len(list(terms.folder.glob("val2017/*.jpg"))) == 5
    assert [f.name for f in (terms.folder / "annotations").iterdir()] == ["instances_val2017.json"]
    assert not list(terms.folder.glob(".download/*.zip"))
    official.asked.clear()
    assert download(choice, terms, watcher).was_complete
    assert official.asked == []


def test_a_plan_counts_the_annotations_and_the_most_images(official: Any, terms: Terms) -> None:
    planned = plan(CHOICE, terms)
    assert planned.files == 1 + 2 * (6 + 3)
    assert planned.size_bytes == len(official.files[ANNOTATIONS]) + 18 * 165_000
    assert {each.method for each in official.asked} == {"HEAD"}
