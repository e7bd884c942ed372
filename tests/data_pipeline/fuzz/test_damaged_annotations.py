"""Whatever an annotation file holds, reading it ends in samples, faults or a clear error.

Each example damages one file of a small valid dataset: cut off, a token replaced by what no one
should write there, or bytes changed. Then everything is read that a study would read.
"""

import re
import shutil
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_pipeline.catalog import DATASETS, check_data, label_names, resolve
from data_pipeline.datasets.dataset import Listed
from data_pipeline.errors import DataError
from data_pipeline.settings import DataSettings
from data_pipeline.splitting.splits import SPLITS

EXAMPLES = 25  # of each format
TOKEN = re.compile(rb"[\w.\-+/]+")
NASTY = (
    b"NaN",
    b"-1",
    b"-1e9",
    b"1e308",
    b"999999999999999999999999",
    b"null",
    b'"x"',
    b"[]",
    b"{}",
    b"true",
    b"",
    b"\x00",
    b"\xff\xfe",
    b"../../outside.jpg",
    b"../outside.jpg",
    b"/outside.jpg",
    b"&lol;",
    b"<a>",
    b"0",
)


@dataclass(frozen=True, slots=True)
class Format:
    """A small valid dataset and the files that are damaged."""

    task: str
    write: Callable[[Path, Path], dict[str, Any]]  # (real data, root) -> settings fields
    damaged: str  # glob below the root


def picture(file: Path, size_hw: tuple[int, int] = (40, 60)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    cv2.imwrite(str(file), pixels)


def coco(_: Path, root: Path) -> dict[str, Any]:
    for split in ("train", "val"):
        picture(root / f"{split}2017" / "000000000001.jpg")
        picture(root / f"{split}2017" / "000000000002.jpg")
    (root / "annotations").mkdir()
    text = """{"images": [
 {"id": 1, "file_name": "000000000001.jpg", "height": 40, "width": 60},
 {"id": 2, "file_name": "000000000002.jpg", "height": 40, "width": 60}],
"annotations": [
 {"id": 1, "image_id": 1, "category_id": 3, "bbox": [5.0, 6.0, 20.0, 10.0], "area": 180.5,
  "iscrowd": 0, "segmentation": [[5.0, 6.0, 25.0, 6.0, 25.0, 16.0, 5.0, 16.0]]},
 {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0.0, 0.0, 6.0, 4.0], "area": 24.0,
  "iscrowd": 1, "segmentation": {"counts": [0, 4, 36, 4, 2356], "size": [40, 60]}},
 {"id": 3, "image_id": 2, "category_id": 1, "bbox": [1.0, 2.0, 3.0, 4.0], "area": 12.0,
  "iscrowd": 0, "segmentation": {"counts": "0440000", "size": [40, 60]}}],
"categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "car"}]}"""
    for split in ("train", "val"):
        (root / "annotations" / f"instances_{split}2017.json").write_text(text)
    return {"root": root}


def open_images(_: Path, root: Path) -> dict[str, Any]:
    (root / "class-descriptions-boxable.csv").write_text("/m/01g317,Person\n/m/0k4j,Car\n")
    head = (
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
        "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
    )
    rows = (
        "0000000000000017,xclick,/m/01g317,1,0.1,0.5,0.2,0.6,0,0,0,0,0\n"
        "0000000000000017,xclick,/m/0k4j,1,0.5,0.9,0.2,0.6,0,0,1,0,0\n"
        "00000000000000e2,xclick,/m/0k4j,1,0.0,1.0,0.0,1.0,-1,-1,-1,-1,-1\n"
    )
    for split in ("train", "validation"):
        (root / f"{split}-annotations-bbox.csv").write_text(head + rows)
        picture(root / split / "0000000000000017.jpg")
        picture(root / split / "00000000000000e2.jpg")
    return {"root": root}


def box_list(_: Path, root: Path) -> dict[str, Any]:
    for split in ("train", "val", "test"):
        rows = [
            f"{split}/{n}.jpg,{box}\n" for n in "ab" for box in ("5,6,25,16,car", "1,2,9,9,bus")
        ]
        (root / f"{split}.txt").write_text("".join(rows))
        for name in "ab":
            picture(root / split / f"{name}.jpg")
    return {"root": root}


def voc(_: Path, root: Path) -> dict[str, Any]:
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (root / "Annotations").mkdir()
    for number, split in ((1, "train"), (2, "val")):
        (lists / f"{split}.txt").write_text(f"00000{number}\n")
        picture(root / "JPEGImages" / f"00000{number}.jpg")
        (root / "Annotations" / f"00000{number}.xml").write_text(
            f"""<?xml version="1.0"?><annotation><filename>00000{number}.jpg</filename>
<owner><name>someone</name></owner><size><width>60</width><height>40</height><depth>3</depth></size>
<object><name>car</name><difficult>0</difficult>
<bndbox><xmin>5</xmin><ymin>6.</ymin><xmax>25</xmax><ymax>16</ymax></bndbox></object>
<object><name>person</name><difficult>1</difficult>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>22.</ymax></bndbox></object></annotation>"""
        )
    return {"root": root}


def yolo(_: Path, root: Path) -> dict[str, Any]:
    (root / "data.yaml").write_text("names:\n  0: person\n  1: car\n")
    for split in ("train", "val"):
        (root / "labels" / split).mkdir(parents=True)
        for name in "ab":
            picture(root / "images" / split / f"{name}.jpg")
            (root / "labels" / split / f"{name}.txt").write_text(
                "0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.9 0.1 0.9 0.9\n"
            )
    return {"root": root}


def camvid(_: Path, root: Path) -> dict[str, Any]:
    for split in ("train", "val"):
        picture(root / split / "0001TP_1.png")
        (root / f"{split}annot").mkdir()
        labels = np.random.default_rng(1).integers(0, 12, (40, 60), dtype=np.uint8)
        cv2.imwrite(str(root / f"{split}annot" / "0001TP_1.png"), labels)
        (root / f"{split}.txt").write_text(f"{split}/0001TP_1.png {split}annot/0001TP_1.png\n")
    return {"root": root}


def image_folder(_: Path, root: Path) -> dict[str, Any]:
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            picture(root / split / name / "1.jpg")
            picture(root / split / name / "2.png")
    return {"root": root}


def mnist(_: Path, root: Path) -> dict[str, Any]:
    for name in ("train", "t10k"):
        head = struct.pack(">IIII", 2051, 6, 28, 28)
        (root / f"{name}-images-idx3-ubyte").write_bytes(head + bytes(6 * 784))
        (root / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, 6) + bytes(6))
    return {"root": root}


def ucf101(real: Path, root: Path) -> dict[str, Any]:
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Biking\n2 Punch\n")
    (lists / "trainlist01.txt").write_text("Biking/v_Biking_g05_c02.avi 1\n")
    (lists / "testlist01.txt").write_text("Punch/v_Punch_g03_c01.avi\n")
    for name in ("Biking/v_Biking_g05_c02.avi", "Punch/v_Punch_g03_c01.avi"):
        target = root / "UCF-101" / name
        target.parent.mkdir(parents=True)
        shutil.copyfile(real / "ucf101_mini" / "UCF-101" / name, target)
    return {"root": root}


FORMATS: Mapping[str, Format] = {
    "coco": Format("instance_segmentation", coco, "annotations/*.json"),
    "open_images": Format("object_detection", open_images, "*.csv"),
    "box_list": Format("object_detection", box_list, "*.txt"),
    "voc": Format("object_detection", voc, "*/*.xml"),
    "yolo": Format("object_detection", yolo, "**/*.[ty]*[tl]"),
    "camvid": Format("semantic_segmentation", camvid, "**/*.[tp][xn]*"),
    "image_folder": Format("image_classification", image_folder, "*/*/*"),
    "mnist": Format("image_classification", mnist, "*"),
    "ucf101": Format("action_recognition", ucf101, "ucfTrainTestlist/*.txt"),
}


@pytest.fixture(scope="module")
def originals(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every format's dataset, valid; beside each root lies a picture that no one may open."""
    folder = tmp_path_factory.mktemp("originals")
    for name, fmt in FORMATS.items():
        (folder / name / "root").mkdir(parents=True)
        fmt.write(real_data, folder / name / "root")
        picture(folder / name / "outside.jpg")
    return folder


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))


opened: list[str] = []
watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if watching and event == "open" and isinstance(arguments[0], str):
        opened.append(arguments[0])


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[None]:
    """Collect the names of the files that are opened."""
    global watching  # an audit hook cannot be removed, only told to rest
    opened.clear()
    watching = True
    try:
        yield
    finally:
        watching = False


def read_all(chosen: DataSettings, task: str) -> int:
    """Read what a study would, and count the samples; `DataError` is an answer like another."""
    count = 0
    try:
        check_data(chosen)
        label_names(chosen, task)
    except DataError:
        return 0
    build = resolve(DATASETS[chosen.dataset].builder)
    for split in SPLITS:
        try:
            dataset = build(chosen, task, split)
        except DataError:
            continue
        for item in dataset.items if dataset is not None else ():
            count += read_one(item)
    return count


def read_one(item: Listed) -> int:
    item.faults()
    try:
        if hasattr(item, "frames"):
            item.frames(np.arange(2), 32)
        else:
            item.read()  # type: ignore[attr-defined]  # an Item where it is no VideoItem
    except DataError:
        return 0
    return 1


@pytest.mark.parametrize("name", FORMATS)
def test_the_valid_dataset_is_read(name: str, originals: Path) -> None:
    chosen = chosen_settings(name, originals / name / "root")
    assert read_all(chosen, FORMATS[name].task) >= 2


def chosen_settings(name: str, root: Path) -> DataSettings:
    return DATASETS[name].settings.model_validate({"dataset": name, "root": root})


@st.composite
def damage(draw: st.DrawFn, content: bytes) -> bytes:
    """Return the content cut, with one to three tokens replaced, or with bytes changed."""
    kind = draw(st.sampled_from(["cut", "token", "token", "token", "bytes"]))
    if kind == "cut":
        return content[: draw(st.integers(0, max(0, len(content) - 1)))]
    if kind == "bytes":
        changed = bytearray(content or b"x")
        for place in draw(st.lists(st.integers(0, len(changed) - 1), min_size=1, max_size=8)):
            changed[place] = draw(st.integers(0, 255))
        return bytes(changed)
    for _ in range(draw(st.integers(1, 3))):
        tokens = list(TOKEN.finditer(content))
        if not tokens:
            return content
        found = tokens[draw(st.integers(0, len(tokens) - 1))]
        content = content[: found.start()] + draw(st.sampled_from(NASTY)) + content[found.end() :]
    return content


@pytest.mark.parametrize("name", FORMATS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_damaged_file_gives_samples_faults_or_a_clear_error(
    name: str, originals: Path, tmp_path: Path, data: st.DataObject
) -> None:
    place = tmp_path / "damaged"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(originals / name, place)
    root = place / "root"
    files = sorted(file for file in root.glob(FORMATS[name].damaged) if file.is_file())
    victim = data.draw(st.sampled_from(files), label="file")
    victim.write_bytes(data.draw(damage(victim.read_bytes()), label="content"))
    with watched():
        read_all(chosen_settings(name, root), FORMATS[name].task)
    strays = [file for file in opened if "outside" in file and Path(file).is_file()]
    assert not strays
