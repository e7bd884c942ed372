"""The COCO reader against pycocotools and the counts of the real data pack."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO  # type: ignore[import-untyped]

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import coco as reader
from data_pipeline.datasets.coco import Region, label_map
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.settings import CocoData
from data_pipeline.errors import DataError, InvalidDataError, MissingDataError
from data_pipeline.samples import IGNORE, SegmentationSample
from data_pipeline.settings import Split
from data_pipeline.splits import SplitName

# pycocotools 2.0.11 on NumPy 2; the reader itself silences it
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TASK = "semantic_segmentation"
THESIS = ["person", "traffic light", "stop sign", "car", "bus"]


def built(settings: CocoData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


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
    for item in built(settings, "val").items:
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
    built(choosing(coco, classes=["bus"])).items[0].read()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


SQUARE = [[0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]]
PART = [[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]]


def test_smaller_object_is_on_top_whatever_the_order() -> None:
    large = Region(1, label=1, area=16, is_crowd=False, segmentation=SQUARE)
    small = Region(2, label=2, area=4, is_crowd=False, segmentation=PART)
    for order in ([large, small], [small, large]):
        labels = label_map(order, (4, 6))
        assert labels[:2, :2].tolist() == [[2, 2], [2, 2]]
        assert labels[2:, :4].tolist() == [[1] * 4] * 2
        assert (labels[:, 4:] == 0).all()


def test_later_object_is_on_top_of_an_equal_one() -> None:
    first = Region(1, label=1, area=4, is_crowd=False, segmentation=PART)
    second = Region(2, label=2, area=4, is_crowd=False, segmentation=PART)
    assert label_map([second, first], (4, 6))[0, 0] == 2


def test_crowd_is_ignored_but_not_where_an_object_is() -> None:
    runs = {"size": [4, 6], "counts": [0, 16, 8]}  # the four left columns
    crowd = Region(1, label=1, area=1, is_crowd=True, segmentation=runs)
    person = Region(2, label=1, area=16, is_crowd=False, segmentation=PART)
    labels = label_map([person, crowd], (4, 6))
    assert (labels[:2, :2] == 1).all()
    assert (labels[2:, :4] == IGNORE).all()
    assert (labels[:, 4:] == 0).all()


def test_annotation_without_polygon_covers_nothing() -> None:
    empty = Region(1, label=1, area=1, is_crowd=False, segmentation=[])
    assert (label_map([empty], (4, 6)) == 0).all()


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
    item = built(broken).items[0]
    with pytest.raises(MissingDataError, match=rf"{item.image_id}\.jpg: No such file"):
        item.read()


def test_truncated_picture_is_named(broken: CocoData, coco: CocoData) -> None:
    item = built(broken).items[0]
    assert isinstance(item, reader.CocoImage)
    whole = (coco.root / "train2017" / item.file.name).read_bytes()
    item.file.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InvalidDataError, match=item.file.name):
        item.read()


def test_picture_of_another_size_is_named(broken: CocoData, coco: CocoData) -> None:
    first, *others = built(broken).items
    assert isinstance(first, reader.CocoImage)
    other = next(
        o for o in others if isinstance(o, reader.CocoImage) and o.size_hw != first.size_hw
    )
    shutil.copy(coco.root / "train2017" / other.file.name, first.file)
    with pytest.raises(InvalidDataError, match="must have the annotated height and width"):
        first.read()


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
    monkeypatch.setattr(reader, "_parsed", None)  # parsing everything would fail
    assert len(class_names(broken)) == 80


def test_everything_missing_is_named_at_once(broken: CocoData) -> None:
    (broken.root / "annotations" / "instances_val2017.json").unlink()
    (broken.root / "train2017").rmdir()
    problems = check_data(choosing(broken, classes=["buss", "car", "car"]))
    assert [problem.split(";")[0] for problem in problems] == [
        f"annotations file {broken.root}/annotations/instances_val2017.json does not exist",
        f"images folder {broken.root}/train2017 does not exist",
        "unknown class of dataset 'coco' 'buss'",
        "class 'car' must be named once in data.classes, got 2 times",
    ]
    assert "did you mean 'bus'?" in problems[2]


def test_validation_annotations_are_not_needed_for_a_random_split(broken: CocoData) -> None:
    (broken.root / "annotations" / "instances_val2017.json").unlink()
    assert check_data(choosing(broken, split=Split(policy="random"))) == []


def test_missing_folder_is_the_only_problem_named(coco: CocoData, tmp_path: Path) -> None:
    [problem] = check_data(choosing(coco, root=tmp_path / "nowhere", classes=["buss"]))
    assert f"data.root {tmp_path / 'nowhere'} must be a folder" in problem


def test_folder_without_annotations_is_a_problem(tmp_path: Path) -> None:
    assert len(check_data(CocoData(root=tmp_path))) == 2
    random = CocoData(root=tmp_path, split=Split(policy="random"))
    assert "no annotations file like" in check_data(random)[0]


def test_fingerprint_follows_the_content_and_not_the_place(
    coco: CocoData, broken: CocoData
) -> None:
    assert data_fingerprint(broken) == data_fingerprint(coco)
    with (broken.root / "annotations" / "instances_val2017.json").open("a") as stream:
        stream.write(" ")
    assert data_fingerprint(broken) != data_fingerprint(coco)
