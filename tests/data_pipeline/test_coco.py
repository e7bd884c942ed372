"""The COCO reader against pycocotools and the counts of the real data pack."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO  # type: ignore[import-untyped]

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import coco as reader
from data_pipeline.datasets.annotated_image import AnnotatedImage
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.samples import (
    IGNORE,
    DetectionSample,
    InstanceSample,
    SegmentationSample,
)
from data_pipeline.settings import Split
from data_pipeline.splitting.splits import SplitName

# pycocotools 2.0.11 on NumPy 2; the reader itself silences it
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TASK = "semantic_segmentation"
THESIS = ["person", "traffic light", "stop sign", "car", "bus"]


def built(settings: CocoData, split: SplitName = "train", task: str = TASK) -> Dataset:
    dataset = reader.build(settings, task, split)
    assert dataset is not None
    return dataset


def images(dataset: Dataset) -> list[AnnotatedImage]:
    assert all(isinstance(item, AnnotatedImage) for item in dataset.items)
    return list(dataset.items)  # type: ignore[arg-type]  # just checked


def truth_of(settings: CocoData, split: SplitName) -> dict[str, Any]:
    file = reader.annotations_file(settings, split)
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def choosing(settings: CocoData, **changes: object) -> CocoData:
    return settings.model_copy(update=changes)


def expected_labels(truth: COCO, image_id: int, classes: list[str]) -> NDArray[np.uint8]:
    """Build a label map pixel by pixel from annToMask: the smallest object there is wins."""
    image = truth.loadImgs([image_id])[0]
    shape = (image["height"], image["width"])
    labels, smallest = np.zeros(shape, np.uint8), np.full(shape, np.inf)
    crowd = np.zeros(shape, bool)
    for label, name in enumerate(classes, start=1):
        category = truth.getCatIds(catNms=[name])
        for annotation in truth.loadAnns(truth.getAnnIds([image_id], catIds=category)):
            mask = truth.annToMask(annotation).astype(bool)
            if annotation["iscrowd"]:
                crowd |= mask
                continue
            closer = mask & (annotation["area"] <= smallest)
            labels[closer], smallest[closer] = label, annotation["area"]
    labels[crowd & (labels == 0)] = IGNORE
    return labels


@pytest.mark.parametrize("classes", [["person"], ["car"], THESIS], ids=["person", "car", "all"])
def test_label_maps_equal_pycocotools_on_every_validation_image(
    coco: CocoData, classes: list[str]
) -> None:
    truth = COCO(coco.root / "annotations" / "instances_val2017.json")
    settings = choosing(coco, classes=classes)
    ignored = 0
    for item in images(built(settings, "val")):
        sample = item.read()
        assert isinstance(sample, SegmentationSample)
        expected = expected_labels(truth, int(sample.image_id), classes)
        assert (sample.mask == expected).all(), sample.image_id
        ignored += int((expected == IGNORE).sum())
    assert ignored > 0 or classes == ["car"]  # crowds were among them


@pytest.mark.parametrize(
    ("name", "train", "val"),
    [
        ("person", 81, 55),
        ("car", 19, 14),
        ("bus", 4, 7),
        ("traffic light", 8, 5),
        ("stop sign", 4, 1),
    ],
)
def test_images_of_a_class_are_those_with_an_object_of_it(
    coco: CocoData, name: str, train: int, val: int
) -> None:
    """The data pack counts images with any annotation; those with crowds alone are left out."""
    settings = choosing(coco, classes=[name])
    counts: dict[SplitName, int] = {"train": train, "val": val}
    for split, count in counts.items():
        content = json.loads(
            (coco.root / "annotations" / f"instances_{split}2017.json").read_text()
        )
        [category] = [c["id"] for c in content["categories"] if c["name"] == name]
        of_class = [a for a in content["annotations"] if a["category_id"] == category]
        with_any = {a["image_id"] for a in of_class}
        with_object = {a["image_id"] for a in of_class if not a["iscrowd"]}
        assert set(built(settings, split).image_ids) == {str(i) for i in with_object}
        assert len(with_any) == count


def test_all_classes_are_read_when_none_is_chosen(coco: CocoData) -> None:
    names = class_names(coco)
    assert len(names) == 80
    assert names[:3] == ("person", "bicycle", "car")
    assert label_names(coco, TASK) == ("background", *names)


def test_permissive_annotations_may_be_chosen(coco: CocoData) -> None:
    settings = choosing(coco, annotations="instances_{split}{year}_permissive.json")
    assert check_data(settings) == []
    assert 0 < len(built(settings)) < 47 + 1
    assert set(built(settings).image_ids) < set(built(coco).image_ids)


def test_there_is_no_test_split(coco: CocoData) -> None:
    assert reader.build(coco, TASK, "test") is None


def test_reading_prints_nothing(coco: CocoData, capfd: pytest.CaptureFixture[str]) -> None:
    images(built(choosing(coco, classes=["bus"])))[0].read()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.fixture
def broken(coco: CocoData, tmp_path: Path) -> CocoData:
    """A copy of the annotations with the pictures of one split that may be damaged."""
    shutil.copytree(coco.root / "annotations", tmp_path / "annotations")
    (tmp_path / "train2017").mkdir()
    (tmp_path / "val2017").mkdir()
    for folder in (tmp_path, *tmp_path.rglob("*")):
        folder.chmod(0o755)
    return choosing(coco, root=tmp_path, classes=["bus"])


def test_missing_picture_is_named_when_it_is_read(broken: CocoData) -> None:
    item = images(built(broken))[0]
    with pytest.raises(MissingDataError, match=rf"{item.image_id}\.jpg: No such file"):
        item.read()


def test_truncated_picture_is_named(broken: CocoData, coco: CocoData) -> None:
    item = images(built(broken))[0]
    [file] = item.files
    whole = (coco.root / "train2017" / file.name).read_bytes()
    file.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InvalidDataError, match=file.name):
        item.read()


def test_picture_of_another_size_is_named(broken: CocoData, coco: CocoData) -> None:
    first, *others = images(built(broken))
    size = first.place.record().size_hw
    other = next(o for o in others if o.place.record().size_hw != size)
    shutil.copy(coco.root / "train2017" / other.file_name, first.files[0])
    with pytest.raises(InvalidDataError, match="must have the annotated height") as caught:
        first.read()
    assert caught.value.kind == "image_size"


def test_damaged_annotations_are_named(broken: CocoData) -> None:
    file = broken.root / "annotations" / "instances_train2017.json"
    file.write_text(file.read_text()[:1000])
    [problem] = check_data(broken)
    assert "instances_train2017.json must be COCO JSON" in problem
    with pytest.raises(DataError, match=r"instances_train2017\.json"):
        built(broken)


def test_annotations_of_another_kind_are_refused(broken: CocoData) -> None:
    file = broken.root / "annotations" / "instances_train2017.json"
    file.write_text('{"captions": []}')
    assert "must have images, annotations and categories, got ['captions']" in str(
        check_data(broken)
    )


def test_categories_are_found_wherever_they_stand(broken: CocoData) -> None:
    file = broken.root / "annotations" / "instances_train2017.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({"categories": content.pop("categories"), **content}))
    assert len(class_names(broken)) == 80
    file.write_text(json.dumps(content | {"categories": [{"id": 1, "name": "bus"}]}, indent=1))
    assert class_names(broken) == ("bus",)


def test_categories_at_the_end_of_a_large_file_are_read_without_the_rest(
    broken: CocoData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "TAIL_BYTES", 16_384)
    monkeypatch.setattr(reader, "coco_class_names", None)  # parsing everything would fail
    assert len(class_names(broken)) == 80


def test_categories_of_an_inner_object_are_not_those_of_the_file(broken: CocoData) -> None:
    file = broken.root / "annotations" / "instances_train2017.json"
    inner = {"categories": [{"id": 1, "name": "none of ours"}]}
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"added last": inner}))
    assert len(class_names(broken)) == 80


def test_everything_missing_is_named_at_once(broken: CocoData) -> None:
    (broken.root / "annotations" / "instances_train2017.json").unlink()
    (broken.root / "val2017").rmdir()
    problems = check_data(choosing(broken, classes=["buss", "car", "car"]))
    assert [problem.split(";")[0] for problem in problems] == [
        f"{broken.root}/annotations/instances_train2017.json does not exist",
        f"images folder {broken.root}/val2017 does not exist",
        "unknown class of dataset 'coco' 'buss'",
        "class 'car' must be named once in data.classes, got 2 times",
    ]
    assert "did you mean 'bus'?" in problems[2]


def test_training_annotations_are_not_needed_for_a_random_split(broken: CocoData) -> None:
    (broken.root / "annotations" / "instances_train2017.json").unlink()
    assert check_data(choosing(broken, split=Split(policy="random"))) == []


def test_missing_folder_is_the_only_problem_named(coco: CocoData, tmp_path: Path) -> None:
    [problem] = check_data(choosing(coco, root=tmp_path / "nowhere", classes=["buss"]))
    assert f"data.root {tmp_path / 'nowhere'} must be a folder" in problem


def test_folder_without_annotations_is_a_problem(tmp_path: Path) -> None:
    for split in (Split(), Split(policy="random")):
        [problem] = check_data(CocoData(root=tmp_path, split=split))
        assert "instances_train2017.json does not exist; restore it or correct" in problem


def test_fingerprint_follows_the_content_and_not_the_place(
    coco: CocoData, broken: CocoData
) -> None:
    assert data_fingerprint(broken) == data_fingerprint(coco)
    with (broken.root / "annotations" / "instances_val2017.json").open("a") as stream:
        stream.write(" ")
    assert data_fingerprint(broken) != data_fingerprint(coco)


@pytest.mark.parametrize(
    ("split", "listed", "annotations", "crowds", "empty"),
    [("train", 166, 1580, 15, 0), ("val", 110, 893, 9, 2)],
)
def test_every_annotation_of_the_data_pack_is_a_box(
    coco: CocoData, split: SplitName, listed: int, annotations: int, crowds: int, empty: int
) -> None:
    dataset = built(choosing(coco, keep_empty=True), split, "object_detection")
    samples = [item.read() for item in images(dataset)]
    boxed = [sample for sample in samples if isinstance(sample, DetectionSample)]
    assert len(boxed) == len(dataset) == listed
    assert sum(len(sample.labels) for sample in boxed) == annotations
    assert sum(int(sample.is_crowd.sum()) for sample in boxed) == crowds
    assert sum(len(sample.labels) == 0 for sample in boxed) == empty


@pytest.mark.parametrize(
    ("name", "train", "val"),
    [
        ("person", 342, 200),
        ("car", 80, 49),
        ("bus", 13, 9),
        ("traffic light", 23, 11),
        ("stop sign", 4, 1),
    ],
)
def test_boxes_of_a_class_are_as_many_as_its_annotations(
    coco: CocoData, name: str, train: int, val: int
) -> None:
    counts: dict[SplitName, int] = {"train": train, "val": val}
    for split, count in counts.items():
        dataset = built(choosing(coco, classes=[name]), split, "object_detection")
        records = [item.place.record() for item in images(dataset)]
        assert sum(o.class_name == name for r in records for o in r.objects) == count
        assert all(item.classes == (name,) for item in dataset.items)


def test_boxes_areas_and_labels_are_those_of_the_json(coco: CocoData) -> None:
    content = truth_of(coco, "val")
    labels = {c["id"]: n for n, c in enumerate(content["categories"])}
    for item in images(built(coco, "val", "object_detection")):
        sample = item.read()
        assert isinstance(sample, DetectionSample)
        of_image = sorted(
            (a for a in content["annotations"] if str(a["image_id"]) == item.image_id),
            key=lambda annotation: annotation["id"],
        )
        xywh = np.array([annotation["bbox"] for annotation in of_image])
        assert np.abs(sample.boxes_xyxy[:, :2] - xywh[:, :2]).max() < 1e-3
        assert np.abs(sample.boxes_xyxy[:, 2:] - xywh[:, :2] - xywh[:, 2:]).max() < 1e-3
        assert sample.labels.tolist() == [labels[a["category_id"]] for a in of_image]
        assert sample.areas == pytest.approx([a["area"] for a in of_image])
        assert sample.is_crowd.tolist() == [bool(a["iscrowd"]) for a in of_image]
        assert not sample.is_difficult.any()
        assert sample.stored_hw == sample.image.shape[:2]


def test_instance_masks_equal_pycocotools_and_have_the_annotated_area(coco: CocoData) -> None:
    settings = choosing(coco, classes=["bus", "person"])
    truth = COCO(reader.annotations_file(settings, "val"))
    differences = []
    for item in images(built(settings, "val", "instance_segmentation"))[:25]:
        sample = item.read()
        assert isinstance(sample, InstanceSample)
        ids = truth.getAnnIds([int(item.image_id)], catIds=truth.getCatIds(["bus", "person"]))
        annotations = sorted(truth.loadAnns(ids), key=lambda annotation: annotation["id"])
        for mask, annotation in zip(sample.masks, annotations, strict=True):
            assert (mask == truth.annToMask(annotation).astype(bool)).all()
            differences.append(abs(mask.sum() - annotation["area"]) / annotation["area"])
        assert sample.masks.shape == (len(annotations), *sample.stored_hw)
    assert len(differences) > 50
    assert np.median(differences) < 0.01


def test_person_keypoints_are_read_as_instances_of_person(coco: CocoData, tmp_path: Path) -> None:
    shutil.copytree(coco.root / "annotations_extra", tmp_path / "annotations")
    [file] = (tmp_path / "annotations").glob("person_keypoints_val2017*.json")
    settings = choosing(
        coco, root=tmp_path, annotations=file.name.replace("val2017", "{split}{year}")
    )
    assert class_names(settings) == ("person",)
    content = json.loads(file.read_text())
    dataset = built(settings, "val", "instance_segmentation")
    people = [a for a in content["annotations"] if not a["iscrowd"]]
    assert set(dataset.image_ids) == {str(a["image_id"]) for a in people}
    records = [item.place.record() for item in images(dataset)]
    assert sum(not o.is_crowd for record in records for o in record.objects) == len(people)


def test_captions_are_refused_with_the_way_out(coco: CocoData, tmp_path: Path) -> None:
    shutil.copytree(coco.root / "annotations_extra", tmp_path / "annotations")
    [file] = (tmp_path / "annotations").glob("captions_val2017*.json")
    pattern = file.name.replace("val2017", "{split}{year}")
    settings = choosing(coco, root=tmp_path, annotations=pattern)
    with pytest.raises(InvalidDataError, match="captions have no objects; name a file of inst"):
        reader.build(settings, "object_detection", "val")


def test_faults_of_the_data_pack_are_its_crowds_and_two_images_without_annotation(
    coco: CocoData,
) -> None:
    tasks = ("object_detection", "instance_segmentation", "semantic_segmentation")
    expected: dict[SplitName, dict[str, int]] = {
        "train": {"crowd": 15},
        "val": {"crowd": 9, "no_annotation": 2},
    }
    for task in tasks:
        for split, counts in expected.items():
            dataset = built(coco, split, task)
            found: Counter[str] = Counter()
            of_items = [fault for item in dataset.items for fault in item.faults()]
            for fault in (*dataset.faults, *of_items):
                found[fault.kind] += fault.count
            assert found == counts, (task, split)


def test_images_come_with_their_own_fault_when_empty_ones_are_kept(coco: CocoData) -> None:
    dataset = built(choosing(coco, keep_empty=True), "val", "object_detection")
    empty = [item for item in dataset.items if not item.classes]
    assert dataset.faults == ()
    kinds = [[fault.kind for fault in item.faults()] for item in empty]
    assert kinds == [["no_annotation"]] * 2
