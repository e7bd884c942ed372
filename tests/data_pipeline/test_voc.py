"""The PASCAL VOC reader on real folders and on the forms that XML files take."""

from collections import Counter
from pathlib import Path
from typing import cast
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import annotation_index
from data_pipeline.datasets import voc as reader
from data_pipeline.datasets.dataset import Dataset, Item
from data_pipeline.datasets.settings.boxes import VocData
from data_pipeline.datasets.voc_xml import MAX_BYTES
from data_pipeline.errors import InvalidDataError
from data_pipeline.faults import FaultKind
from data_pipeline.samples import DetectionSample
from data_pipeline.splitting.splits import SplitName

TASK = "object_detection"
CAT = "<object><name>cat</name><bndbox>{box}</bndbox></object>"
BOMB = (
    '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<annotation><object><name>&b;</name></object></annotation>"
)
OUTSIDE = (
    '<!DOCTYPE a [<!ENTITY file SYSTEM "file:///etc/hostname">]>'
    "<annotation><object><name>&file;</name></object></annotation>"
)


def built(settings: VocData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


def samples(dataset: Dataset) -> dict[str, DetectionSample]:
    found = {}
    for item in dataset.items:
        sample = cast(Item, item).read()
        assert isinstance(sample, DetectionSample)
        found[item.image_id] = sample
    return found


def faults(dataset: Dataset) -> Counter[FaultKind]:
    counts: Counter[FaultKind] = Counter()
    for fault in (*dataset.faults, *(f for item in dataset.items for f in item.faults())):
        counts[fault.kind] += fault.count
    return counts


def corners(xmin: object, ymin: object, xmax: object, ymax: object) -> str:
    """A bndbox whose tags are in another order than usual."""
    return f"<xmax>{xmax}</xmax><xmin>{xmin}</xmin><ymax>{ymax}</ymax><ymin>{ymin}</ymin>"


def write_xml(settings: VocData, image_id: str, objects: str) -> None:
    size = "<size><width>40</width><height>20</height><depth>3</depth></size>"
    text = f"<annotation>{size}{objects}</annotation>"
    (settings.root / "Annotations" / f"{image_id}.xml").write_text(text)


@pytest.fixture
def made(tmp_path: Path) -> VocData:
    """Two training pictures of 40 x 20 pixels, a cat in each; the folder itself is the home."""
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    settings = VocData(root=tmp_path)
    for image_id in ("a", "b"):
        picture = np.full((20, 40, 3), 90, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "JPEGImages" / f"{image_id}.jpg"), picture)
        write_xml(settings, image_id, CAT.format(box=corners(11, 3, 20, 18)))
    (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("a\nb\n")
    return settings


def choosing(settings: VocData, **changes: object) -> VocData:
    return settings.model_copy(update=changes)


def test_real_blood_cells_have_the_counts_of_their_sources(real_data: Path) -> None:
    settings = VocData(root=real_data / "bccd", corners="edges")
    assert check_data(settings) == []
    assert class_names(settings) == ("Platelets", "RBC", "WBC")
    boxes: Counter[str] = Counter()
    sizes, found = {}, Counter[FaultKind]()
    for split in ("train", "val", "test"):
        dataset = built(settings, split)
        sizes[split] = len(dataset)
        found += faults(dataset)
        for sample in samples(dataset).values():
            boxes.update(dataset.class_names[label] for label in sample.labels)
    assert sizes == {"train": 205, "val": 87, "test": 72}
    assert found == {"zero_area_box": 2}
    assert boxes == {"RBC": 4155 - 2, "WBC": 372, "Platelets": 361}


def test_real_boxes_are_as_written_where_corners_are_edges(real_data: Path) -> None:
    root = real_data / "bccd"
    tree = ElementTree.parse(root / "Annotations" / "BloodImage_00001.xml")
    written = [
        [float(box.findtext(name) or "") for name in ("xmin", "ymin", "xmax", "ymax")]
        for box in tree.iter("bndbox")
    ]
    edges = samples(built(VocData(root=root, corners="edges")))["BloodImage_00001"]
    pixels = samples(built(VocData(root=root)))["BloodImage_00001"]
    assert edges.boxes_xyxy.tolist() == written
    assert (edges.boxes_xyxy - pixels.boxes_xyxy == [1, 1, 0, 0]).all()


def test_real_pascal_image_has_its_four_objects(real_data: Path) -> None:
    settings = VocData(root=real_data / "voc_sample")
    assert check_data(settings) == []
    assert class_names(settings) == ("chair", "diningtable", "person")
    for split in ("train", "val"):
        dataset = built(settings, split)
        assert faults(dataset) == {}
        [sample] = samples(dataset).values()
        assert [dataset.class_names[label] for label in sample.labels] == [
            *("chair", "diningtable", "person", "person")
        ]
        assert sample.is_difficult.tolist() == [False, True, False, True]
        assert sample.boxes_xyxy[2].tolist() == [21, 69, 254, 327]  # written as "22." to "327."
        assert sample.stored_hw == (330, 500)
    assert reader.build(settings, TASK, "test") is None


def test_first_and_last_pixel_from_1_are_a_box_of_both(made: VocData) -> None:
    assert samples(built(made))["a"].boxes_xyxy.tolist() == [[10, 2, 20, 18]]
    write_xml(made, "a", CAT.format(box=corners(1, 1, 40, 20)))
    assert samples(built(made))["a"].boxes_xyxy.tolist() == [[0, 0, 40, 20]]


def test_corners_as_edges_are_used_as_written(made: VocData) -> None:
    edges = choosing(made, corners="edges")
    assert samples(built(edges))["a"].boxes_xyxy.tolist() == [[11, 3, 20, 18]]


@pytest.mark.parametrize("box", [corners(11, 3, 11, 18), corners(11, 18, 20, 3)])
@pytest.mark.parametrize("meaning", ["pixels_from_1", "edges"])
def test_box_that_is_empty_as_written_has_no_area(made: VocData, box: str, meaning: str) -> None:
    write_xml(made, "a", CAT.format(box=box) + CAT.format(box=corners(1, 1, 9, 9)))
    dataset = built(choosing(made, corners=meaning))
    assert faults(dataset) == {"zero_area_box": 1}
    assert len(samples(dataset)["a"].labels) == 1


def test_names_and_boxes_of_owners_and_parts_are_not_the_objects(made: VocData) -> None:
    part = f"<part><name>head</name><bndbox>{corners(1, 1, 2, 2)}</bndbox></part>"
    owner = "<owner><name>Matt</name></owner>"
    thing = f"<object>{part}<name>dog</name><bndbox>{corners(11, 3, 20, 18)}</bndbox></object>"
    write_xml(made, "a", owner + thing)
    assert class_names(made) == ("cat", "dog")
    sample = samples(built(made))["a"]
    assert sample.labels.tolist() == [1]
    assert sample.boxes_xyxy.tolist() == [[10, 2, 20, 18]]


def test_difficult_and_truncated_objects_are_kept(made: VocData) -> None:
    flags = "<truncated>1</truncated><difficult>1</difficult></object>"
    hard = CAT.format(box=corners(1, 1, 9, 9)).replace("</object>", flags)
    write_xml(made, "a", hard + CAT.format(box=corners(1, 1, 9, 9)))
    assert samples(built(made))["a"].is_difficult.tolist() == [True, False]


@pytest.mark.parametrize(
    "bad",
    [
        CAT.format(box=corners("nan", 3, 20, 18)),
        CAT.format(box=corners(11, 3, "inf", 18)),
        CAT.format(box=corners(11, 3, "", 18)),
        CAT.format(box=corners(11, 3, "x", 18)),
        "<object><name>cat</name></object>",
        f"<object><bndbox>{corners(1, 1, 9, 9)}</bndbox></object>",
        "<object/>",
    ],
)
def test_object_that_is_none_is_counted_and_the_rest_is_used(made: VocData, bad: str) -> None:
    write_xml(made, "a", bad + CAT.format(box=corners(1, 1, 9, 9)) + bad)
    dataset = built(made)
    [fault] = dataset.faults
    assert (fault.kind, fault.where, fault.leaves_out, fault.count) == ("malformed", "a", "box", 2)
    assert len(samples(dataset)["a"].labels) == 1


@pytest.mark.parametrize("text", ["", "<annotation>", "{}", "\x00", BOMB, OUTSIDE])
def test_annotation_that_is_no_plain_xml_leaves_out_its_picture(made: VocData, text: str) -> None:
    (made.root / "Annotations" / "a.xml").write_text(text)
    dataset = built(made)
    assert dataset.image_ids == ("b",)
    [fault] = dataset.faults
    assert (fault.kind, fault.where, fault.leaves_out) == ("malformed", "a", "sample")
    assert check_data(made) == []


def test_annotation_of_unreasonable_size_is_not_read_whole(
    made: VocData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))
    with (made.root / "Annotations" / "a.xml").open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)  # of holes: takes no room
    dataset = built(made)
    assert dataset.image_ids == ("b",)
    assert "must have at most" in dataset.faults[0].message


def test_lists_may_have_a_flag_per_line_and_repeat_an_id(made: VocData) -> None:
    (made.root / "ImageSets" / "Main" / "cat_train.txt").write_text("a -1\nb  1\n\nb  1\n")
    assert built(choosing(made, lists="cat_{split}.txt")).image_ids == ("a", "b")


def test_what_a_list_names_and_is_not_there_is_a_fault(made: VocData) -> None:
    (made.root / "Annotations" / "a.xml").unlink()
    (made.root / "JPEGImages" / "b.jpg").unlink()
    (made.root / "ImageSets" / "Main" / "train.txt").write_text("a\nb\nnowhere\n")
    dataset = built(made)
    assert len(dataset) == 0
    assert [(f.kind, f.where) for f in dataset.faults] == [
        *(("absent", "a"), ("absent", "b"), ("absent", "nowhere"))
    ]


def test_id_that_leads_out_of_the_folder_is_not_opened(made: VocData, tmp_path: Path) -> None:
    (tmp_path / "outside.xml").write_text("<annotation/>")
    (made.root / "Annotations" / "linked.xml").symlink_to("/etc/hostname")
    for name in ("../outside", "linked"):
        (made.root / "JPEGImages" / f"{Path(name).name}.jpg").write_bytes(b"")
    (made.root / "ImageSets" / "Main" / "train.txt").write_text("a\n../outside\nlinked\n")
    dataset = built(made)
    assert dataset.image_ids == ("a",)
    assert [(f.kind, f.where) for f in dataset.faults] == [
        *(("absent", "../outside"), ("unsafe_path", "linked"))
    ]


def test_pictures_may_have_other_endings(made: VocData) -> None:
    (made.root / "JPEGImages" / "a.jpg").rename(made.root / "JPEGImages" / "a.JPEG")
    assert "a" in samples(built(made))


def test_size_that_is_not_the_pictures_is_named(made: VocData) -> None:
    file = made.root / "Annotations" / "a.xml"
    file.write_text(file.read_text().replace("<width>40", "<width>41"))
    with pytest.raises(Exception, match=r"height and width \(20, 41\), got \(20, 40\)"):
        samples(built(made))


def test_size_of_zero_is_no_size(made: VocData) -> None:
    file = made.root / "Annotations" / "a.xml"
    file.write_text(file.read_text().replace("<width>40", "<width>0"))
    assert samples(built(made))["a"].stored_hw == (20, 40)


@pytest.mark.parametrize("home", ["VOCdevkit/VOC2012", "VOC2012"])
def test_pascals_own_folders_are_found_by_year(made: VocData, tmp_path: Path, home: str) -> None:
    root = tmp_path / "copy"
    (root / home).parent.mkdir(parents=True)
    (root / home).symlink_to(made.root)
    assert len(built(VocData(root=root, year=2012))) == 2
    [problem] = check_data(VocData(root=root))
    assert f"{root / 'VOCdevkit' / 'VOC2007'}" in problem
    assert "correct data.root, data.year or data.lists" in problem


def test_study_may_list_all_classes(made: VocData) -> None:
    settings = choosing(made, all_classes=["dog", "cat"])
    assert label_names(settings, TASK) == ("dog", "cat")
    assert samples(built(settings))["a"].labels.tolist() == [1]
    assert faults(built(choosing(made, all_classes=["dog"], keep_empty=True))) == {
        "unknown_label": 2
    }
    with pytest.raises(ValidationError, match="every class must be named once"):
        VocData(root=made.root, all_classes=["cat", "cat"])


def test_checking_opens_annotations_until_the_chosen_classes_were_seen(made: VocData) -> None:
    (made.root / "Annotations" / "b.xml").unlink()
    (made.root / "Annotations" / "b.xml").mkdir()  # would be noticed
    assert check_data(choosing(made, classes=["cat"])) == []
    [problem] = check_data(choosing(made, classes=["cet"]))
    assert "did you mean 'cat'?" in problem


def test_missing_folders_are_named(made: VocData, tmp_path: Path) -> None:
    (made.root / "JPEGImages").rename(tmp_path / "elsewhere")
    [problem] = check_data(made)
    assert problem.startswith(f"folder {made.root / 'JPEGImages'} does not exist")
    [problem] = check_data(VocData(root=tmp_path / "nowhere"))
    assert "train.txt does not exist" in problem


def test_annotations_without_objects_have_no_classes(made: VocData) -> None:
    for image_id in ("a", "b"):
        write_xml(made, image_id, "")
    [problem] = check_data(choosing(made, classes=["cat"]))
    assert "must have an object with a name, got none" in problem


def test_class_names_are_remembered_until_an_annotation_changes(
    made: VocData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))
    assert class_names(made) == ("cat",)
    assert not (tmp_path / "workspace").exists()  # a few are read anew
    monkeypatch.setattr(reader, "REMEMBERED_FROM_FILES", 1)
    assert class_names(made) == class_names(made) == ("cat",)
    assert len(list((tmp_path / "workspace" / "cache" / "class_names").iterdir())) == 1
    write_xml(made, "b", CAT.format(box=corners(1, 1, 9, 9)).replace("cat", "dog"))
    assert class_names(made) == ("cat", "dog")


def test_index_gives_the_same_dataset_as_the_files(
    made: VocData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made.root / "ImageSets" / "Main" / "train.txt").write_text("a\nb\nnowhere\n")
    parsed = built(made)
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr(annotation_index, "SMALL_BYTES", 0)
    for _ in range(2):  # made, then opened
        opened = built(made)
        assert opened.image_ids == parsed.image_ids
        assert set(opened.faults) == set(parsed.faults)
    edges = samples(built(choosing(made, corners="edges")))["a"]
    assert edges.boxes_xyxy.tolist() == [[11, 3, 20, 18]]


def test_fingerprint_follows_lists_and_annotations(made: VocData) -> None:
    prints = [data_fingerprint(made), data_fingerprint(made)]
    write_xml(made, "a", CAT.format(box=corners(11, 3, 20, 19)))
    prints.append(data_fingerprint(made))
    (made.root / "ImageSets" / "Main" / "train.txt").write_text("a\n")
    prints.append(data_fingerprint(made))
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_ids_may_have_spaces_and_end_with_a_number(made: VocData) -> None:
    for name in ("my pic 1", "my pic"):
        picture = np.full((20, 40, 3), 90, dtype=np.uint8)
        cv2.imwrite(str(made.root / "JPEGImages" / f"{name}.jpg"), picture)
        write_xml(made, name, CAT.format(box=corners(11, 3, 20, 18)))
    lines = "my pic 1\nmy pic  -1\na  1\nb\t0\n"
    (made.root / "ImageSets" / "Main" / "train.txt").write_text(lines)
    assert sorted(built(made).image_ids) == ["a", "b", "my pic", "my pic 1"]


def test_size_that_fits_the_picture_turned_by_exif_names_the_setting(made: VocData) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (20, 40)).save(made.root / "JPEGImages" / "a.jpg", exif=exif)
    first = built(made).items[0]
    with pytest.raises(
        InvalidDataError, match=r"because of its EXIF.*set data.orientation to exi"
    ):
        cast(Item, first).read()
    assert samples(built(choosing(made, orientation="exif")))["a"].image.shape == (20, 40, 3)
