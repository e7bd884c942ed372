"""Records of annotated pictures as samples of each task."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.datasets.annotated import (
    ImageRecord,
    ObjectRecord,
    Outline,
    annotated_dataset,
)
from data_pipeline.datasets.annotated_image import AnnotatedImage
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.settings.boxes import BoxData
from data_pipeline.errors import InvalidDataError, UnknownClassError
from data_pipeline.faults import Fault, bounded
from data_pipeline.samples import DetectionSample, InstanceSample, SegmentationSample

KNOWN = ("cat", "dog", "emu")
TRIANGLE: Outline = [[10.0, 5.0, 30.0, 5.0, 30.0, 25.0]]
DETECTION, INSTANCES, SEMANTIC = (
    "object_detection",
    "instance_segmentation",
    "semantic_segmentation",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures a.png to d.png of height 40 and width 60."""
    for name in "abcd":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((40, 60), 9, dtype=np.uint8))
    return tmp_path


def thing(
    class_name: str = "cat",
    box: tuple[float, float, float, float] = (10, 5, 30, 25),
    *,
    area: float | None = None,
    outline: Outline | None = None,
    is_crowd: bool = False,
    is_difficult: bool = False,
) -> ObjectRecord:
    return ObjectRecord(class_name, box, area, is_crowd, is_difficult, outline)


def image(
    image_id: str, *objects: ObjectRecord, file_name: str = "", is_normalised: bool = False
) -> ImageRecord:
    name = file_name or f"{image_id}.png"
    return ImageRecord(image_id, name, None, objects, is_normalised)


def made(
    folder: Path,
    *records: ImageRecord,
    task: str = DETECTION,
    classes: Sequence[str] = (),
    keep_empty: bool = False,
    faults: Sequence[Fault] = (),
) -> Dataset:
    settings = BoxData(dataset="pets", root=folder, classes=list(classes), keep_empty=keep_empty)
    return annotated_dataset(settings, task, records, folder=folder, known=KNOWN, faults=faults)


def only(dataset: Dataset) -> AnnotatedImage:
    [item] = dataset.items
    assert isinstance(item, AnnotatedImage)
    return item


def boxed(dataset: Dataset) -> DetectionSample:
    sample = only(dataset).read()
    assert isinstance(sample, DetectionSample)
    return sample


def test_detection_sample_holds_what_the_record_says(folder: Path) -> None:
    sample = boxed(
        made(
            folder,
            image(
                "a",
                thing("dog", (1, 2, 3.5, 4), is_difficult=True),
                thing("cat", (10, 5, 30, 25), area=123.5, is_crowd=True),
            ),
        )
    )
    assert sample.boxes_xyxy.tolist() == [[1, 2, 3.5, 4], [10, 5, 30, 25]]
    assert sample.labels.tolist() == [1, 0]
    assert sample.areas.tolist() == [5, 123.5]
    assert sample.is_crowd.tolist() == [False, True]
    assert sample.is_difficult.tolist() == [True, False]
    assert sample.stored_hw == (40, 60)
    assert sample.image.shape == (40, 60, 3)
    assert sample.boxes_xyxy.dtype == sample.areas.dtype == np.float32
    assert sample.labels.dtype == np.int64


def test_labels_follow_the_order_that_the_study_names(folder: Path) -> None:
    dataset = made(folder, image("a", thing("cat"), thing("emu")), classes=["emu", "cat"])
    assert dataset.class_names == ("emu", "cat")
    assert only(dataset).classes == ("emu", "cat")
    assert boxed(dataset).labels.tolist() == [1, 0]


def test_objects_of_other_classes_are_not_in_the_sample(folder: Path) -> None:
    dataset = made(folder, image("a", thing("cat"), thing("dog")), classes=["dog"])
    assert boxed(dataset).labels.tolist() == [0]


def test_boxes_are_clipped_and_those_without_area_dropped(folder: Path) -> None:
    sample = boxed(
        made(
            folder,
            image(
                "a",
                thing(box=(-5, -5, 10, 10)),
                thing(box=(50, 30, 1e300, 45)),
                thing(box=(7, 7, 7, 9)),
                thing(box=(9, 9, 7, 7)),
                thing(box=(70, 0, 80, 10)),
                thing(box=(float("nan"), 0, 8, 8)),
            ),
        )
    )
    assert sample.boxes_xyxy.tolist() == [[0, 0, 10, 10], [50, 30, 60, 40]]
    assert sample.areas.tolist() == [100, 100]


def test_shares_become_pixels_of_the_picture(folder: Path) -> None:
    square: Outline = [[0.5, 0.5, 1.0, 0.5, 1.0, 1.0, 0.5, 1.0]]
    record = image("a", thing(box=(0.5, 0.5, 1, 1), outline=square), is_normalised=True)
    sample = boxed(made(folder, record, task=INSTANCES))
    assert isinstance(sample, InstanceSample)
    assert sample.boxes_xyxy.tolist() == [[30, 20, 60, 40]]
    assert sample.areas.tolist() == [600]
    assert sample.masks.sum() == sample.masks[0, 20:, 30:].sum() == 600


def test_impossible_area_gives_way_to_the_boxes(folder: Path) -> None:
    areas = (float("nan"), -1.0, 1e300, None)
    sample = boxed(made(folder, image("a", *(thing(area=area) for area in areas))))
    assert sample.areas.tolist() == [400] * 4


def test_instances_without_a_drawable_outline_are_dropped_with_their_boxes(folder: Path) -> None:
    garbage: Outline = {"size": [40, 60], "counts": [0, 10**12]}
    record = image("a", thing(outline=TRIANGLE), thing("dog"), thing("emu", outline=garbage))
    sample = boxed(made(folder, record, task=INSTANCES))
    assert isinstance(sample, InstanceSample)
    assert sample.labels.tolist() == [0]
    assert sample.masks.shape == (1, 40, 60)
    assert 150 < sample.masks.sum() < 250
    assert boxed(made(folder, record)).labels.tolist() == [0, 1, 2]  # of use to detection


def test_image_that_is_kept_empty_has_arrays_of_no_object(folder: Path) -> None:
    sample = boxed(made(folder, image("a"), task=INSTANCES, keep_empty=True))
    assert isinstance(sample, InstanceSample)
    assert sample.boxes_xyxy.shape == (0, 4)
    assert sample.masks.shape == (0, 40, 60)


def test_label_map_has_background_and_the_chosen_classes(folder: Path) -> None:
    record = image("a", thing("dog", outline=TRIANGLE), thing("cat", outline=TRIANGLE))
    sample = only(made(folder, record, task=SEMANTIC, classes=["emu", "dog"])).read()
    assert isinstance(sample, SegmentationSample)
    assert set(np.unique(sample.mask)) == {0, 2}


@pytest.mark.parametrize(
    ("objects", "task", "is_kept"),
    [
        ([thing()], DETECTION, True),
        ([thing("dog")], DETECTION, False),
        ([thing(is_crowd=True)], DETECTION, False),
        ([thing(is_crowd=True), thing()], DETECTION, True),
        ([thing(is_difficult=True)], DETECTION, True),
        ([thing(box=(7, 7, 7, 9))], DETECTION, False),
        ([thing(box=(7, 7, 7, 9), outline=TRIANGLE)], SEMANTIC, True),
        ([thing(box=(7, 7, 7, 9), outline=TRIANGLE)], INSTANCES, False),
        ([thing()], INSTANCES, False),
        ([thing()], SEMANTIC, False),
        ([thing(outline=TRIANGLE)], INSTANCES, True),
        ([], DETECTION, False),
    ],
)
def test_an_image_is_kept_for_an_object_that_its_task_can_use(
    folder: Path, objects: list[ObjectRecord], task: str, is_kept: bool
) -> None:
    assert len(made(folder, image("a", *objects), task=task, classes=["cat"])) == is_kept
    assert len(made(folder, image("a", *objects), task=task, keep_empty=True)) == 1


def kinds(faults: Sequence[Fault]) -> list[tuple[str, str, int]]:
    return [(fault.kind, fault.leaves_out, fault.count) for fault in faults]


def test_every_fault_of_the_objects_is_told_once_with_its_count(folder: Path) -> None:
    record = image(
        "a",
        thing(),
        thing(is_crowd=True),
        thing(box=(7, 7, 7, 9)),
        thing(box=(9, 9, 7, 7)),
        thing(box=(-0.9, 0, 61, 40.5)),
        thing(box=(-2, 0, 30, 30)),
        thing(box=(70, 0, 80, 10)),
        thing(box=(float("inf"), 0, 8, 8)),
        thing("cow"),
    )
    assert kinds(only(made(folder, record)).faults()) == [
        ("crowd", "nothing", 1),
        ("zero_area_box", "box", 2),
        ("outside_box", "nothing", 1),
        ("outside_box", "box", 1),
        ("malformed", "box", 1),
        ("unknown_label", "box", 1),
    ]
    [zero] = [f for f in only(made(folder, record)).faults() if f.kind == "zero_area_box"]
    assert zero.where == "a"
    assert zero.message == "box (7, 7, 7, 9) must have x1 < x2 and y1 < y2 (cat); and 1 more such"


def test_faults_of_classes_that_are_not_chosen_are_not_told(folder: Path) -> None:
    record = image("a", thing("cat"), thing("dog", box=(7, 7, 7, 9)))
    assert only(made(folder, record, classes=["cat"])).faults() == ()
    assert len(only(made(folder, record)).faults()) == 1


def test_missing_outline_is_a_fault_where_one_is_drawn(folder: Path) -> None:
    record = image("a", thing(outline=TRIANGLE), thing("dog"))
    assert only(made(folder, record)).faults() == ()
    for task in (INSTANCES, SEMANTIC):
        assert kinds(only(made(folder, record, task=task)).faults()) == [("malformed", "box", 1)]


def test_images_left_out_by_their_faults_are_in_those_of_the_dataset(folder: Path) -> None:
    dataset = made(
        folder,
        image("a"),
        image("b", thing(is_crowd=True)),
        image("c", thing("cow")),
        image("d", thing("dog")),
        classes=["cat"],
        faults=[Fault("malformed", "list:3", "a line", "box")],
    )
    assert len(dataset) == 0
    assert [(fault.where, fault.kind, fault.leaves_out) for fault in dataset.faults] == [
        ("a", "no_annotation", "unused"),
        ("b", "crowd", "unused"),
        ("c", "unknown_label", "sample"),
        ("list:3", "malformed", "box"),
    ]


def test_name_that_leads_out_is_a_fault_and_no_item(folder: Path) -> None:
    dataset = made(folder, image("a", thing(), file_name="../a.png"), image("b", thing()))
    assert dataset.image_ids == ("b",)
    assert kinds(dataset.faults) == [("unsafe_path", "sample", 1)]


def test_picture_behind_a_link_out_of_the_folder_is_not_opened(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    (folder / "a.png").rename(secret)
    (folder / "a.png").symlink_to(secret)
    item = only(made(folder, image("a", thing())))
    with pytest.raises(InvalidDataError, match="by a link"):
        item.read()


def test_unknown_class_is_named_with_what_was_meant(folder: Path) -> None:
    with pytest.raises(UnknownClassError, match="did you mean 'dog'"):
        made(folder, classes=["dgo"])


def test_image_listed_twice_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidDataError, match="listed once"):
        made(folder, image("a", thing()), image("a", thing()))


def test_item_may_be_sent_to_another_process(folder: Path) -> None:
    item = only(made(folder, image("a", thing(outline=TRIANGLE)), task=INSTANCES))
    copy = pickle.loads(pickle.dumps(item))
    assert copy == item
    assert copy.group == copy.image_id == "a"
    assert copy.files == (folder / "a.png",)


def test_a_flood_of_faults_is_counted_and_not_kept() -> None:
    flood = (Fault("malformed", f"line {n}", "no numbers", "box", 2) for n in range(5000))
    kept = bounded([*flood, Fault("absent", "x", "gone", "sample")], most=10)
    assert len(kept) == 12
    assert sum(fault.count for fault in kept if fault.kind == "malformed") == 10_000
    assert kept[-1].where == "further places"
