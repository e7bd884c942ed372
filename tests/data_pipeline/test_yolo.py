"""The YOLO reader on real COCO images and on the forms its text files take."""

import json
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import annotation_index
from data_pipeline.datasets import yolo as reader
from data_pipeline.datasets.dataset import Dataset, Item
from data_pipeline.datasets.settings.boxes import YoloData, YoloFolders
from data_pipeline.errors import InvalidDataError
from data_pipeline.samples import DetectionSample, InstanceSample, SegmentationSample
from data_pipeline.splitting.splits import SplitName

BOXES, OUTLINES, LABEL_MAPS = (
    *("object_detection", "instance_segmentation", "semantic_segmentation"),
)
POLYGON = "7 0.25 0.5 0.5 0.5 0.5 1 0.25 1"  # 10 to 20, 10 to 20 in a picture of 40 x 20


def built(settings: YoloData, task: str = BOXES, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, task, split)
    assert dataset is not None
    return dataset


def samples(dataset: Dataset) -> dict[str, DetectionSample]:
    found = {}
    for item in dataset.items:
        sample = cast(Item, item).read()
        assert isinstance(sample, DetectionSample)
        found[item.image_id] = sample
    return found


def write_labels(settings: YoloData, name: str, *lines: str) -> None:
    (settings.root / "labels" / "train" / f"{name}.txt").write_text("\n".join(lines))


@pytest.fixture
def made(tmp_path: Path) -> YoloData:
    """Two training pictures of 40 x 20 pixels: one with a box and a polygon, one without."""
    for folder in ("images/train", "labels/train"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("a", "b"):
        picture = np.full((20, 40, 3), 90, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "images" / "train" / f"{name}.jpg"), picture)
    (tmp_path / "data.yaml").write_text("path: /elsewhere\nnames: {7: cat, 2: no}\n")
    settings = YoloData(root=tmp_path)
    write_labels(settings, "a", "2 0.5 0.5 0.25 0.5", POLYGON, "")
    return settings


@pytest.fixture(scope="module")
def real(real_data: Path) -> YoloData:
    return YoloData(
        root=real_data / "coco128_yolo_mini",
        names="coco128.yaml",
        folders=YoloFolders(train="train2017", val="val2017"),
        keep_empty=True,
    )


@pytest.fixture(scope="module")
def real_outlines(real: YoloData) -> YoloData:
    changes = {"names": "coco128_seg.yaml", "labels": "labels_seg/{split}"}
    return real.model_copy(update=changes)


def things(real: YoloData, split: SplitName) -> dict[str, list[tuple[str, list[float]]]]:
    """Read the class and the corners of every thing in the panoptic JSON, by image."""
    file = real.root / "panoptic" / f"panoptic_{split}2017.json"
    content: dict[str, Any] = json.loads(file.read_text())
    names = {c["id"]: c["name"] for c in content["categories"] if c["isthing"]}
    found: dict[str, list[tuple[str, list[float]]]] = {}
    for annotation in content["annotations"]:
        found[f"{split}2017/{annotation['image_id']:012d}"] = [
            (names[s["category_id"]], [s["bbox"][0], s["bbox"][1], *_ends(s["bbox"])])
            for s in annotation["segments_info"]
            if s["category_id"] in names and not s["iscrowd"]
        ]
    return found


def _ends(bbox: list[float]) -> tuple[float, float]:
    return bbox[0] + bbox[2], bbox[1] + bbox[3]


def gaps_to_things(settings: YoloData, real: YoloData) -> NDArray[np.float64]:
    """Return for each of our boxes how far the nearest thing of its class is off, in pixels."""
    gaps = []
    for split in ("train", "val"):
        dataset = built(settings, split=split)
        expected = things(real, split)
        assert list(dataset.image_ids) == sorted(expected)
        for image_id, sample in samples(dataset).items():
            for box, label in zip(sample.boxes_xyxy, sample.labels, strict=True):
                name = dataset.class_names[label]
                near = [corners for thing, corners in expected[image_id] if thing == name]
                gaps.append(np.abs(np.array(near) - box).max(axis=1).min())
    return np.array(gaps)


def test_real_folder_has_16_training_and_10_validation_images(real: YoloData) -> None:
    assert check_data(real) == []
    assert (len(built(real)), len(built(real, split="val"))) == (16, 10)
    assert reader.build(real, BOXES, "test") is None
    assert len(class_names(real)) == 80
    dataset = built(real)
    assert dataset.faults == ()
    assert [fault for item in dataset.items for fault in item.faults()] == []


def test_real_boxes_are_those_of_the_panoptic_annotation(real: YoloData) -> None:
    gaps = gaps_to_things(real, real)
    assert len(gaps) == 224
    # they were drawn apart from the masks, and around what is hidden too
    assert np.median(gaps) < 0.5
    assert np.mean(gaps < 2) > 0.95


def test_real_polygons_have_the_boxes_of_the_panoptic_masks(
    real: YoloData, real_outlines: YoloData
) -> None:
    gaps = gaps_to_things(real_outlines, real)
    # their corners are middles of border pixels, so that a box is one pixel short
    assert np.mean(gaps < 1.01) > 0.95


def test_real_outlines_cover_the_panoptic_masks(real_outlines: YoloData) -> None:
    dataset = built(real_outlines, OUTLINES, "val")
    shares = []
    for image_id, sample in samples(dataset).items():
        assert isinstance(sample, InstanceSample)
        file = Path(image_id).with_suffix(".png").name
        segments = cv2.imread(str(real_outlines.root / "panoptic" / "panoptic_val2017" / file))
        assert segments is not None
        numbers = segments.astype(np.int64) @ [65536, 256, 1]  # stored as red, green, blue
        for mask in sample.masks:
            inside, pixels = np.unique(numbers[mask], return_counts=True)
            segment = numbers == inside[pixels.argmax()]
            shares.append((mask & segment).sum() / (mask | segment).sum())
    assert len(shares) == 79
    assert np.median(shares) > 0.8  # half a pixel is missing all around, and most are small


def test_class_numbers_may_have_gaps_and_yaml_reads_no_as_a_name(made: YoloData) -> None:
    assert class_names(made) == label_names(made, BOXES) == ("no", "cat")


def test_names_may_be_a_list(made: YoloData) -> None:
    (made.root / "data.yaml").write_text("names: [a, b, c, d, e, f, g, h]\n")
    assert class_names(made) == tuple("abcdefgh")
    assert samples(built(made))["train/a"].labels.tolist() == [2, 7]


def test_boxes_and_polygons_may_be_mixed(made: YoloData) -> None:
    sample = samples(built(made))["train/a"]
    assert sample.boxes_xyxy.tolist() == [[15, 5, 25, 15], [10, 10, 20, 20]]
    assert sample.labels.tolist() == [0, 1]


def test_polygon_is_an_outline_and_a_box_is_none(made: YoloData) -> None:
    dataset = built(made, OUTLINES)
    [item] = dataset.items
    assert [(f.kind, f.leaves_out) for f in item.faults()] == [("malformed", "box")]
    sample = samples(dataset)["train/a"]
    assert isinstance(sample, InstanceSample)
    assert sample.labels.tolist() == [1]
    expected = np.zeros((20, 40), dtype=np.bool_)
    expected[10:20, 10:20] = True
    assert (sample.masks[0] == expected).all()


def test_polygons_are_drawn_in_label_maps(made: YoloData) -> None:
    [item] = built(made, LABEL_MAPS).items
    sample = cast(Item, item).read()
    assert isinstance(sample, SegmentationSample)
    assert sample.mask.sum() == 2 * 100  # "cat" is label 2, after background and "no"


def test_picture_without_a_text_file_has_no_objects(made: YoloData) -> None:
    assert built(made).image_ids == ("train/a",)
    kept = built(made.model_copy(update={"keep_empty": True}))
    assert kept.image_ids == ("train/a", "train/b")
    assert [f.kind for f in kept.items[1].faults()] == ["no_annotation"]


def test_text_files_without_a_picture_are_counted(made: YoloData) -> None:
    for name in ("gone", "lost", "classes"):
        write_labels(made, name, POLYGON)
    [fault] = [fault for fault in built(made).faults if fault.kind == "absent"]
    assert (fault.count, fault.leaves_out) == (2, "sample")
    assert "the first is gone.txt" in fault.message


@pytest.mark.parametrize(
    "bad",
    [
        "7 0.5 0.5 0.25",
        "7 0.5 0.5 0.25 0.5 0.9",
        "7 0 0 1 1 0 1 1",
        "7 0.5 nan 0.25 0.5",
        "7 0.5 0.5 1e999 0.5",
        "7.5 0.5 0.5 0.25 0.5",
        "cat 0.5 0.5 0.25 0.5",
        "7",
        "\x00",
        "9" * 5000,
    ],
)
def test_line_that_is_none_is_counted_and_the_rest_is_used(made: YoloData, bad: str) -> None:
    write_labels(made, "a", bad, POLYGON, bad)
    dataset = built(made)
    [fault] = [fault for fault in dataset.faults if fault.kind == "malformed"]
    assert (fault.where, fault.leaves_out, fault.count) == ("train/a", "box", 2)
    assert samples(dataset)["train/a"].labels.tolist() == [1]


def test_class_number_without_a_name_is_an_unknown_label(made: YoloData) -> None:
    write_labels(made, "a", "3 0.5 0.5 0.25 0.5", POLYGON)
    [item] = built(made).items
    [fault] = item.faults()
    assert (fault.kind, fault.leaves_out) == ("unknown_label", "box")
    assert "class 'number 3'" in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "names:",
        "names: 5",
        "names: []",
        "names: [a, a]",
        "names: [a, 5]",
        "names: {x: a}",
        "names: {-1: a}",
        "names: [a",
        "- names",
        "\x00",
        "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nnames: [*b, *b, *b]",
    ],
)
def test_yaml_without_class_names_is_named(made: YoloData, text: str) -> None:
    (made.root / "data.yaml").write_text(text)
    with pytest.raises(InvalidDataError, match=r"data\.yaml must be"):
        class_names(made)
    assert len(check_data(made)) == 1


def test_folders_may_be_laid_out_the_other_way_round(made: YoloData) -> None:
    root = made.root
    (root / "valid").mkdir()
    for folder in ("images", "labels"):
        (root / folder / "train").rename(root / "valid" / folder)
    settings = YoloData(
        root=root,
        images="{split}/images",
        labels="{split}/labels",
        folders=YoloFolders(val="valid"),
    )
    assert built(settings, split="val").image_ids == ("valid/a",)
    assert reader.build(settings, BOXES, "train") is None


def test_folders_below_a_split_are_read_too(made: YoloData) -> None:
    for folder, name in (("images", "a.jpg"), ("labels", "a.txt")):
        place = made.root / folder / "train"
        (place / "below").mkdir()
        (place / name).rename(place / "below" / name)
    assert list(samples(built(made))) == ["train/below/a"]


def test_text_file_that_is_a_link_out_of_its_folder_is_not_opened(made: YoloData) -> None:
    (made.root / "labels" / "train" / "b.txt").symlink_to("/etc/hostname")
    with pytest.raises(InvalidDataError, match=r"file name 'b\.txt' .* by a link"):
        built(made)


def test_index_gives_the_same_dataset_as_the_files(
    made: YoloData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_labels(made, "gone", "x")
    parsed = built(made)
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(annotation_index, "SMALL_BYTES", 0)
    for _ in range(2):  # made, then opened
        opened = built(made)
        assert opened.image_ids == parsed.image_ids
        assert set(opened.faults) == set(parsed.faults)
        boxes = samples(opened)["train/a"].boxes_xyxy
        assert (boxes == samples(parsed)["train/a"].boxes_xyxy).all()
    (made.root / "data.yaml").write_text("names: {7: no, 2: cat}\n")
    assert samples(built(made))["train/a"].labels.tolist() == [0, 1]


def test_everything_missing_is_named(made: YoloData) -> None:
    [problem] = check_data(made.model_copy(update={"classes": ["cet"]}))
    assert "did you mean 'cat'?" in problem
    (made.root / "labels").rename(made.root / "elsewhere")
    (made.root / "data.yaml").unlink()
    labels, names = check_data(made)
    assert labels.startswith(f"labels folder {made.root / 'labels' / 'train'} does not exist")
    assert names.startswith(f"cannot read {made.root / 'data.yaml'}")
    (made.root / "images").rename(made.root / "gone")
    assert "correct data.root, data.images or data.folders" in check_data(made)[0]


def test_fingerprint_follows_names_pictures_and_labels(made: YoloData) -> None:
    prints = [data_fingerprint(made), data_fingerprint(made)]
    write_labels(made, "a", POLYGON)
    prints.append(data_fingerprint(made))
    (made.root / "images" / "train" / "b.jpg").unlink()
    prints.append(data_fingerprint(made))
    (made.root / "data.yaml").write_text("names: {7: cat}\n")
    prints.append(data_fingerprint(made))
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4


def test_line_of_many_points_is_one_polygon(made: YoloData) -> None:
    angles = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    points = np.stack((0.5 + 0.4 * np.cos(angles), 0.5 + 0.4 * np.sin(angles)), axis=1)
    line = "7 " + " ".join(f"{value:.17f}" for value in points.ravel())
    assert len(line) > 2 * 65_536
    write_labels(made, "a", line)
    [sample] = samples(built(made, OUTLINES)).values()
    assert np.allclose(sample.boxes_xyxy, [[4, 2, 36, 18]])
    assert isinstance(sample, InstanceSample)
    assert sample.masks.sum() == pytest.approx(np.pi * 16 * 8, rel=0.1)


def test_class_number_may_be_a_whole_float(made: YoloData) -> None:
    write_labels(made, "a", "7.0 0.5 0.5 0.25 0.5", "7.5 0.5 0.5 0.25 0.5")
    dataset = built(made)
    assert dataset.items[0].classes == ("cat",)
    assert [(fault.kind, fault.count) for fault in dataset.faults if fault.where == "train/a"] == [
        ("malformed", 1)
    ]


def test_labels_are_for_the_picture_turned_by_exif(made: YoloData) -> None:
    file, exif = made.root / "images" / "train" / "a.jpg", Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(file, exif=exif)
    write_labels(made, "a", "7 0.5 0.5 0.25 0.5")
    [sample] = samples(built(made)).values()
    assert sample.image.shape == (40, 20, 3)
    assert np.allclose(sample.boxes_xyxy, [[7.5, 10, 12.5, 30]])
    as_stored = made.model_copy(update={"orientation": "stored"})
    [sample] = samples(built(as_stored)).values()
    assert sample.image.shape == (20, 40, 3)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {k: v}\nb: {<<: *a}\nnames: [x]",
        "a: &a [x]\nnames: *a",
        "names: {<<: {0: x}}",
    ],
)
def test_yaml_that_refers_to_itself_is_refused_before_it_is_built(
    made: YoloData, text: str
) -> None:
    (made.root / "data.yaml").write_text(text)
    with pytest.raises(InvalidDataError, match=r"anchors \(&\), aliases \(\*\) and merge keys"):
        class_names(made)
