"""Each kind of fault is planted once in a small dataset, and found: that one, and no other."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.integrity import examined as examined_module
from data_pipeline.integrity.checking import check_dataset, given_splits, sound
from data_pipeline.integrity.findings import DataFindings
from data_pipeline.settings import DataSettings

HEIGHT, WIDTH = 48, 64
Plant = Callable[["Coco"], None]
BOX = [8.0, 8.0, 20.0, 16.0]  # x, y, width, height
OUTLINE = [[8.0, 8.0, 28.0, 8.0, 28.0, 24.0, 8.0, 24.0]]


class Coco:
    """A dataset of four training and two validation pictures, with nothing wrong."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.content: dict[str, dict[str, Any]] = {}
        for split, ids in {"train": (1, 2, 3, 4), "val": (5, 6)}.items():
            (root / f"{split}2017").mkdir(parents=True)
            for number in ids:
                write_picture(self.picture(number, split), seed=number)
            self.content[split] = {
                "images": [
                    {"id": n, "file_name": f"{n}.jpg", "height": HEIGHT, "width": WIDTH}
                    for n in ids
                ],
                "annotations": [annotation(n) for n in ids],
                "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "bus"}],
            }
        self.content["train"]["annotations"].append(annotation(1, category_id=2, id=100))

    def picture(self, number: int, split: str = "train") -> Path:
        return self.root / f"{split}2017" / f"{number}.jpg"

    def settings(self, classes: list[str] | None = None) -> CocoData:
        for split, content in self.content.items():
            file = self.root / "annotations" / f"instances_{split}2017.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(content))
        return CocoData(root=self.root, classes=classes or [], image_size=32)

    def first(self) -> dict[str, Any]:
        """The annotation of picture 1, to be spoilt."""
        found: dict[str, Any] = self.content["train"]["annotations"][0]
        return found


def annotation(image_id: int, **changes: object) -> dict[str, Any]:
    return {
        "id": image_id,
        "image_id": image_id,
        "category_id": 1,
        "bbox": BOX,
        "area": 320.0,
        "iscrowd": 0,
        "segmentation": OUTLINE,
        **changes,
    }


def noise(seed: int, channels: int = 3) -> NDArray[np.uint8]:
    drawn = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, channels))
    return drawn.astype(np.uint8)


def write_picture(file: Path, *, seed: int, channels: int = 3) -> None:
    assert cv2.imwrite(str(file), noise(seed, channels))


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runs"
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(folder))
    return folder


@pytest.fixture
def coco(tmp_path: Path) -> Coco:
    return Coco(tmp_path / "coco")


@pytest.fixture
def camvid(tmp_path: Path) -> CamVidData:
    """Two training pairs and one of validation, with nothing wrong."""
    root = tmp_path / "camvid"
    for split, names in {"train": ("a", "b"), "val": ("c",)}.items():
        lines = []
        for seed, name in enumerate(names):
            image, label = f"{split}/{name}.png", f"{split}annot/{name}.png"
            (root / image).parent.mkdir(parents=True, exist_ok=True)
            (root / label).parent.mkdir(parents=True, exist_ok=True)
            write_picture(root / image, seed=seed)
            cv2.imwrite(
                str(root / label), np.arange(12, dtype=np.uint8).reshape(1, 12).repeat(9, 0)
            )
            cv2.imwrite(str(root / image), noise(seed)[:9, :12])
            lines.append(f"{image} {label}")
        (root / f"{split}.txt").write_text("\n".join(lines))
    return CamVidData(root=root, image_size=32)


def kinds(findings: DataFindings) -> list[tuple[str, str, str, int]]:
    return [(f.kind, f.where, f.leaves_out, f.count) for f in findings.faults]


def check(settings: DataSettings, task: str = "object_detection") -> DataFindings:
    return check_dataset(settings, task)


def delete(coco: Coco) -> None:
    coco.picture(1).unlink()


def overwrite(coco: Coco) -> None:
    coco.picture(1).write_text("<html>404 Not Found</html>")


def empty(coco: Coco) -> None:
    coco.picture(1).write_bytes(b"")


def cut_off(coco: Coco) -> None:
    coco.picture(1).write_bytes(coco.picture(1).read_bytes()[:-300])


def pierce(coco: Coco) -> None:
    content = coco.picture(1).read_bytes()
    coco.picture(1).write_bytes(content[:1500] + content[1800:])


def turn(coco: Coco) -> None:
    cv2.imwrite(str(coco.picture(1)), noise(1).transpose(1, 0, 2))


def lead_out(coco: Coco) -> None:
    coco.content["train"]["images"][0]["file_name"] = "../../outside.jpg"


def link_out(coco: Coco) -> None:
    outside = coco.root.parent / "outside.jpg"
    write_picture(outside, seed=9)
    coco.picture(1).unlink()
    coco.picture(1).symlink_to(outside)


def make_grey(coco: Coco) -> None:
    write_picture(coco.picture(1), seed=1, channels=1)


def flatten_box(coco: Coco) -> None:
    coco.first()["bbox"] = [8.0, 8.0, 0.0, 16.0]


def shift_box(coco: Coco) -> None:
    coco.first()["bbox"] = [WIDTH - 8.0, 8.0, 20.0, 16.0]


def make_crowd(coco: Coco) -> None:
    runs = {"counts": [100, 200, HEIGHT * WIDTH - 300], "size": [HEIGHT, WIDTH]}
    crowd = annotation(2, id=101, iscrowd=1, segmentation=runs)
    coco.content["train"]["annotations"].append(crowd)


def forget(coco: Coco) -> None:
    del coco.content["val"]["annotations"][1]


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        (delete, ("absent", "1", "sample", 1)),
        (overwrite, ("undecodable", "1", "sample", 1)),
        (empty, ("undecodable", "1", "sample", 1)),
        (cut_off, ("truncated", "1", "sample", 1)),
        (pierce, ("damaged_jpeg", "1", "nothing", 1)),
        (turn, ("image_size", "1", "sample", 1)),
        (lead_out, ("unsafe_path", "1", "sample", 1)),
        (link_out, ("unsafe_path", "1", "sample", 1)),
        (make_grey, ("grey_image", "1", "nothing", 1)),
        (flatten_box, ("zero_area_box", "1", "box", 1)),
        (shift_box, ("outside_box", "1", "nothing", 1)),
        (make_crowd, ("crowd", "2", "nothing", 1)),
        (forget, ("no_annotation", "6", "unused", 1)),
    ],
)
def test_a_planted_fault_is_found_and_no_other(
    coco: Coco, plant: Plant, expected: tuple[str, str, str, int]
) -> None:
    plant(coco)
    assert kinds(check(coco.settings())) == [expected]


def test_sound_data_has_no_faults(coco: Coco) -> None:
    findings = check(coco.settings())
    assert findings.faults == ()
    assert findings.is_sound
    assert [(s.name, s.usable) for s in findings.splits] == [("train", 4), ("val", 2)]


def test_a_named_class_that_does_not_occur_is_noted(coco: Coco) -> None:
    coco.content["train"]["annotations"].pop()  # the only bus
    assert kinds(check(coco.settings(["bus", "car"]))) == [("empty_class", "train", "nothing", 1)]


def test_classes_that_were_not_named_may_be_empty(coco: Coco) -> None:
    coco.content["train"]["annotations"].pop()
    assert check(coco.settings()).faults == ()


def test_pictures_that_are_all_grey_are_as_they_should_be(coco: Coco) -> None:
    for split, numbers in {"train": (1, 2, 3, 4), "val": (5, 6)}.items():
        for number in numbers:
            write_picture(coco.picture(number, split), seed=number, channels=1)
    assert check(coco.settings()).faults == ()


def test_label_map_of_another_size_is_found(camvid: CamVidData) -> None:
    cv2.imwrite(str(camvid.root / "trainannot" / "a.png"), np.zeros((5, 5), np.uint8))
    found = kinds(check(camvid, "semantic_segmentation"))
    assert found == [("mask_size", "a", "sample", 1)]


def test_label_map_with_a_value_that_is_no_class_is_found(camvid: CamVidData) -> None:
    cv2.imwrite(str(camvid.root / "trainannot" / "a.png"), np.full((9, 12), 77, np.uint8))
    found = kinds(check(camvid, "semantic_segmentation"))
    assert found == [("mask_value", "a", "sample", 1)]


def test_label_map_that_is_cut_off_is_found(camvid: CamVidData) -> None:
    file = camvid.root / "trainannot" / "a.png"
    file.write_bytes(file.read_bytes()[:50])
    found = kinds(check(camvid, "semantic_segmentation"))
    assert found == [("truncated", "a", "sample", 1)]


def test_sound_label_maps_have_no_faults(camvid: CamVidData) -> None:
    assert check(camvid, "semantic_segmentation").faults == ()


def test_classes_sizes_and_boxes_are_counted(coco: Coco) -> None:
    make_crowd(coco)
    train, val = check(coco.settings()).splits
    assert [(c.name, c.images, c.objects) for c in train.classes] == [("car", 4, 4), ("bus", 1, 1)]
    assert [(c.name, c.images, c.objects) for c in val.classes] == [("car", 2, 2), ("bus", 0, 0)]
    assert train.sizes_hw == ((HEIGHT, WIDTH),) * 4
    assert train.boxes_wh == ((20.0, 16.0),) * 5


def test_broken_samples_are_left_out_and_the_rest_is_kept(coco: Coco) -> None:
    cut_off(coco)
    settings = coco.settings()
    train = given_splits(settings, "object_detection")["train"]
    assert sound(train, settings, "object_detection").image_ids == ("2", "3", "4")


def test_sound_dataset_is_returned_as_it_is(coco: Coco) -> None:
    settings = coco.settings()
    train = given_splits(settings, "object_detection")["train"]
    assert sound(train, settings, "object_detection") is train


def test_second_check_decodes_nothing(coco: Coco, monkeypatch: pytest.MonkeyPatch) -> None:
    make_grey(coco)
    cut_off(coco)
    settings = coco.settings()
    first = check(settings)
    monkeypatch.setattr(examined_module, "examine", _must_not_be_called)
    assert check(settings) == first


class StoppedError(Exception):
    """Raised by a progress that ends a check."""


def told_until(count: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:  # noqa: ARG001
        if done == count:
            raise StoppedError

    return progress


def test_interrupted_check_goes_on_where_it_was(coco: Coco) -> None:
    settings = coco.settings()
    with pytest.raises(StoppedError):
        check_dataset(settings, "object_detection", progress=told_until(4))
    told: list[tuple[int, int]] = []
    check_dataset(settings, "object_detection", progress=lambda *now: told.append(now))
    assert told == [(1, 2), (2, 2)]


def test_what_was_examined_is_kept_before_the_check_ends(
    coco: Coco, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examined_module, "KEPT_EVERY_S", 0.0)
    kept: list[int] = []

    def progress(done: int, total: int) -> None:  # noqa: ARG001
        [file] = (workspace / "cache" / "checks").glob("*.json")
        kept.append(len(json.loads(file.read_text())))

    check_dataset(coco.settings(), "object_detection", progress=progress)
    assert kept == [1, 2, 3, 4, 5, 6]


def test_check_that_cannot_be_kept_is_still_made(
    coco: Coco, workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (workspace / "cache").mkdir(parents=True)
    (workspace / "cache" / "checks").write_text("not a folder")
    cut_off(coco)
    assert kinds(check(coco.settings())) == [("truncated", "1", "sample", 1)]
    assert "cannot be kept in" in caplog.text


@pytest.mark.parametrize(("given", "threads"), [("1", 1), ("100000", None), ("", None)])
def test_examining_takes_the_threads_that_a_trial_was_given(
    monkeypatch: pytest.MonkeyPatch, given: str, threads: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert examined_module.own_threads() == (threads or len(os.sched_getaffinity(0)))


def test_only_a_changed_file_is_decoded_again(coco: Coco) -> None:
    settings = coco.settings()
    assert check(settings).faults == ()
    cut_off(coco)
    told: list[tuple[int, int]] = []
    findings = check_dataset(
        settings, "object_detection", progress=lambda done, total: told.append((done, total))
    )
    assert kinds(findings) == [("truncated", "1", "sample", 1)]
    assert told == [(1, 1)]


def test_a_file_changed_within_the_same_size_is_decoded_again(coco: Coco) -> None:
    settings = coco.settings()
    assert check(settings).faults == ()
    file = coco.picture(1)
    before = file.stat()
    file.write_bytes(bytes(before.st_size))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert kinds(check(settings)) == [("undecodable", "1", "sample", 1)]


def test_a_repaired_file_is_used_again(coco: Coco) -> None:
    whole = coco.picture(1).read_bytes()
    cut_off(coco)
    settings = coco.settings()
    assert not check(settings).is_sound
    coco.picture(1).write_bytes(whole)
    assert check(settings).is_sound


def test_progress_counts_every_file_once(coco: Coco) -> None:
    told: list[tuple[int, int]] = []
    check_dataset(
        coco.settings(), "object_detection", progress=lambda *counts: told.append(counts)
    )
    assert told == [(done, 6) for done in range(1, 7)]


def test_a_damaged_cache_is_made_anew(coco: Coco, workspace: Path) -> None:
    settings = coco.settings()
    first = check(settings)
    [file] = (workspace / "cache" / "checks").glob("*.json")
    file.write_text('{"1": [')
    assert check(settings) == first


def _must_not_be_called(item: object) -> None:
    raise AssertionError(f"{item} was decoded again")
