"""On real data the natural faults are found, as their sources state them, and nothing else."""

import csv
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from data_pipeline.datasets.settings.boxes import (
    CocoData,
    OpenImagesData,
    VocData,
    YoloData,
    YoloFolders,
)
from data_pipeline.datasets.settings.pictures import CamVidData, ImageFolderData, IsbiData
from data_pipeline.datasets.settings.videos import HMDB51Data, UCF101Data
from data_pipeline.integrity.checking import check_dataset
from data_pipeline.integrity.findings import DataFindings
from data_pipeline.settings import DataSettings

OFFICIAL = YoloFolders(train="train2017", val="val2017")
Make = Callable[[Path], DataSettings]
# kind -> split -> how many
Natural = Mapping[str, Mapping[str, int]]
DETECTION, SEGMENTATION = "object_detection", "semantic_segmentation"
INSTANCES = "instance_segmentation"
COCO: Natural = {"crowd": {"train": 15, "val": 9}, "no_annotation": {"val": 2}}
EXPECTED: Mapping[str, tuple[Make, str, Natural]] = {
    "coco boxes": (lambda data: CocoData(root=data / "coco_mini"), DETECTION, COCO),
    "coco masks": (lambda data: CocoData(root=data / "coco_mini"), INSTANCES, COCO),
    "coco label maps": (lambda data: CocoData(root=data / "coco_mini"), SEGMENTATION, COCO),
    "coco, chosen classes": (
        lambda data: CocoData(root=data / "coco_mini", classes=["stop sign", "traffic light"]),
        DETECTION,
        {"no_annotation": {"val": 2}},
    ),
    "yolo boxes": (
        lambda data: YoloData(
            root=data / "coco128_yolo_mini", names="coco128.yaml", folders=OFFICIAL
        ),
        DETECTION,
        {},
    ),
    "yolo polygons": (
        lambda data: YoloData(
            root=data / "coco128_yolo_mini",
            names="coco128_seg.yaml",
            labels="labels_seg/{split}",
            folders=OFFICIAL,
        ),
        INSTANCES,
        {},
    ),
    "open images": (
        lambda data: OpenImagesData(root=data / "openimages_mini"),
        DETECTION,
        {"crowd": {"train": 2, "val": 3}, "grey_image": {"train": 1, "val": 1}},
    ),
    "open images from coco": (
        lambda data: OpenImagesData(root=data / "openimages_from_coco"),
        DETECTION,
        {"crowd": {"train": 5}},
    ),
    "bccd": (
        lambda data: VocData(root=data / "bccd"),
        DETECTION,
        {"zero_area_box": {"train": 1, "val": 1}},
    ),
    "voc": (lambda data: VocData(root=data / "voc_sample" / "VOCdevkit"), DETECTION, {}),
    "camvid": (lambda data: CamVidData(root=data / "camvid_mini"), SEGMENTATION, {}),
    "isbi2012": (lambda data: IsbiData(root=data / "isbi2012"), SEGMENTATION, {}),
    "hymenoptera": (
        lambda data: ImageFolderData(root=data / "hymenoptera_mini"),
        "image_classification",
        {},
    ),
    "ucf101": (
        lambda data: UCF101Data(root=data / "ucf101_mini"),
        "action_recognition",
        {"absent": {"train": 9537 - 2, "test": 3783 - 5}},
    ),
    "ucf101, second split": (
        lambda data: UCF101Data(root=data / "ucf101_mini", split_list=2),
        "action_recognition",
        {"absent": {"train": 9586 - 7, "test": 3734}},
    ),
    "hmdb51": (
        lambda data: HMDB51Data(root=data / "hmdb51_mini"),
        "action_recognition",
        {"absent": {"train": 138, "test": 59}, "metadata_encoding": {"train": 1}},
    ),
}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))


def counts(findings: DataFindings) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for split in findings.splits:
        of_split: Counter[str] = Counter()
        for fault in split.faults:
            of_split[fault.kind] += fault.count
        for kind, count in of_split.items():
            found.setdefault(kind, {})[split.name] = count
    return found


def places(findings: DataFindings, kind: str) -> set[str]:
    return {fault.where for fault in findings.faults if fault.kind == kind}


@pytest.mark.parametrize("name", EXPECTED)
def test_exactly_the_natural_faults_are_found(name: str, real_data: Path) -> None:
    make, task, natural = EXPECTED[name]
    findings = check_dataset(make(real_data), task)
    assert counts(findings) == natural
    assert findings.left_out == ()  # every file there is decodes


def test_zero_area_boxes_are_where_the_source_says(real_data: Path) -> None:
    findings = check_dataset(VocData(root=real_data / "bccd"), DETECTION)
    assert places(findings, "zero_area_box") == {"BloodImage_00338", "BloodImage_00343"}


def test_grey_images_are_those_of_one_channel(real_data: Path) -> None:
    root = real_data / "openimages_mini"
    grey = set()
    for split in ("train", "validation"):
        for file in (root / split).glob("*.jpg"):
            with Image.open(file) as picture:
                grey |= {file.stem} if picture.mode == "L" else set()
    findings = check_dataset(OpenImagesData(root=root), DETECTION)
    assert len(grey) == 2
    assert places(findings, "grey_image") == grey


def test_crowds_are_the_boxes_marked_as_groups(real_data: Path) -> None:
    root = real_data / "openimages_from_coco"
    groups: Counter[str] = Counter()
    for file in root.glob("*annotations-bbox.csv"):
        with file.open(newline="") as stream:
            groups.update(
                row["ImageID"] for row in csv.DictReader(stream) if row["IsGroupOf"] == "1"
            )
    findings = check_dataset(OpenImagesData(root=root), DETECTION)
    crowds = {f.where: f.count for f in findings.faults if f.kind == "crowd"}
    assert crowds == dict(groups)


def test_the_clip_with_foreign_metadata_is_the_cartwheel(real_data: Path) -> None:
    findings = check_dataset(HMDB51Data(root=real_data / "hmdb51_mini"), "action_recognition")
    [where] = places(findings, "metadata_encoding")
    assert "cartwheel" in where
