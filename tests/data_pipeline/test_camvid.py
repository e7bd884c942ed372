"""The CamVid reader on real images and on the forms its lists take."""

import os
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import camvid as reader
from data_pipeline.datasets.camvid import CLASSES
from data_pipeline.datasets.dataset import Dataset, Listed
from data_pipeline.datasets.label_maps import LabelledPicture
from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.samples import IGNORE, SegmentationSample
from data_pipeline.splitting.splits import SplitName

TASK = "semantic_segmentation"


def built(settings: CamVidData, split: SplitName = "train") -> Dataset:
    dataset = reader.build(settings, TASK, split)
    assert dataset is not None
    return dataset


def sample_of(item: Listed) -> SegmentationSample:
    assert isinstance(item, LabelledPicture)
    return item.read()


def first_sample(settings: CamVidData) -> SegmentationSample:
    return sample_of(built(settings).items[0])


@pytest.fixture
def made(tmp_path: Path) -> CamVidData:
    """A folder with one pair per split whose labels are all values from 0 to 11."""
    for split in ("train", "val"):
        for folder in (split, f"{split}annot"):
            (tmp_path / folder).mkdir()
        image = np.full((3, 4, 3), 50, dtype=np.uint8)
        cv2.imwrite(str(tmp_path / split / f"{split}.png"), image)
        labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
        cv2.imwrite(str(tmp_path / f"{split}annot" / f"{split}.png"), labels)
        line = f"{split}/{split}.png {split}annot/{split}.png\n"
        (tmp_path / f"{split}.txt").write_text(line)
    return CamVidData(root=tmp_path)


def choosing(settings: CamVidData, **changes: object) -> CamVidData:
    return settings.model_copy(update=changes)


def test_real_folder_has_46_training_and_15_validation_images(camvid: CamVidData) -> None:
    assert check_data(camvid) == []
    assert (len(built(camvid)), len(built(camvid, "val"))) == (46, 15)
    assert reader.build(camvid, TASK, "test") is None


def test_real_labels_are_as_stored_but_for_void(camvid: CamVidData) -> None:
    for item in built(camvid, "val").items:
        sample = sample_of(item)
        file = camvid.root / "valannot" / f"{sample.image_id}.png"
        stored = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert stored is not None
        assert sample.image.shape == (360, 480, 3)
        assert (sample.mask == np.where(stored == 11, IGNORE, stored)).all()


def test_all_classes_have_no_background(made: CamVidData) -> None:
    assert class_names(made) == CLASSES
    assert label_names(made, TASK) == CLASSES
    assert first_sample(made).mask.ravel().tolist() == [*range(11), IGNORE]


def test_chosen_classes_stand_before_a_background_of_the_others(made: CamVidData) -> None:
    settings = choosing(made, classes=["car", "sky"])
    assert label_names(settings, TASK) == ("background", "car", "sky")
    expected = [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, IGNORE]
    assert first_sample(settings).mask.ravel().tolist() == expected


def test_all_classes_in_another_order_are_labelled_in_it(made: CamVidData) -> None:
    settings = choosing(made, classes=list(reversed(CLASSES)))
    assert first_sample(settings).mask.ravel().tolist() == [*range(10, -1, -1), IGNORE]


def test_paths_of_the_authors_machine_are_found_by_their_last_two_parts(made: CamVidData) -> None:
    line = "/SegNet/CamVid/train/train.png /SegNet/CamVid/trainannot/train.png\n\n"
    (made.root / "train.txt").write_text(line)
    assert check_data(made) == []
    assert first_sample(made).image_id == "train"


def test_everything_missing_is_named_at_once(made: CamVidData) -> None:
    (made.root / "val" / "val.png").unlink()
    first, second = check_data(choosing(made, classes=["cat"]))
    assert first.startswith(f"list {made.root / 'val.txt'} must name an image and a label image")
    assert first.endswith("val.png is listed in val.txt and must be a file; restore it")
    assert second.startswith("unknown class of dataset 'camvid' 'cat'; did you mean 'car'?")


def test_training_list_must_be_there(made: CamVidData) -> None:
    (made.root / "train.txt").unlink()
    [problem] = check_data(made)
    assert problem.startswith(f"{made.root / 'train.txt'} does not exist; restore it or correct")


def test_list_without_validation_is_ready_for_validation_is_cut_from_training(
    made: CamVidData,
) -> None:
    (made.root / "val.txt").unlink()
    assert check_data(made) == []
    assert reader.build(made, TASK, "val") is None


def test_frames_of_one_drive_are_a_group(camvid: CamVidData) -> None:
    groups = Counter(item.group for item in built(camvid).items)
    assert groups == {"0001TP": 8, "0006R0": 13, "0016E5": 25}
    assert {item.group for item in built(camvid, "val").items} == {"0016E5"}


def test_classes_of_an_image_are_the_chosen_ones_in_its_label_image(made: CamVidData) -> None:
    settings = choosing(made, classes=["car", "sky"])
    assert built(settings).items[0].classes == ("car", "sky")
    labels = np.full((3, 4), 8, dtype=np.uint8)
    cv2.imwrite(str(made.root / "trainannot" / "train.png"), labels)
    os.utime(made.root / "trainannot" / "train.png", (1, 1))  # in the same instant otherwise
    assert built(settings).items[0].classes == ("car",)


def test_listed_images_that_are_absent_are_left_out_and_named(made: CamVidData) -> None:
    with (made.root / "train.txt").open("a") as stream:
        stream.write("train/gone.png trainannot/train.png\n")
    dataset = built(made)
    assert dataset.image_ids == ("train",)
    [fault] = dataset.faults
    assert (fault.kind, fault.where, fault.leaves_out) == ("absent", "gone", "sample")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("train/train.png", "malformed"),
        ("../secret.png trainannot/train.png", "unsafe_path"),
        ("/x/../../secret.png trainannot/train.png", "unsafe_path"),
    ],
)
def test_line_that_cannot_be_used_is_left_out_and_named(
    made: CamVidData, line: str, kind: str
) -> None:
    (made.root.parent / "secret.png").write_bytes((made.root / "train/train.png").read_bytes())
    with (made.root / "train.txt").open("a") as stream:
        stream.write(f"{line}\n")
    dataset = built(made)
    assert dataset.image_ids == ("train",)
    assert [fault.kind for fault in dataset.faults] == [kind]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    [problem] = check_data(CamVidData(root=tmp_path / "nowhere"))
    assert "must be CamVid's folder with train.txt and val.txt" in problem


@pytest.mark.parametrize("text", ["train/train.png\n", "\n"])
def test_list_that_cannot_be_used_is_named(made: CamVidData, text: str) -> None:
    (made.root / "train.txt").write_text(text)
    with pytest.raises(MissingDataError, match=r"train\.txt must name an image and a label image"):
        built(made)
    assert len(check_data(made)) == 1


def test_unknown_stored_label_is_named(made: CamVidData) -> None:
    cv2.imwrite(str(made.root / "trainannot" / "train.png"), np.full((3, 4), 12, dtype=np.uint8))
    with pytest.raises(
        InvalidDataError, match=r"train\.png must hold only 0 to 11, got 12 at 12 pixels"
    ):
        first_sample(made)


def test_label_image_of_another_size_is_named(made: CamVidData) -> None:
    cv2.imwrite(str(made.root / "trainannot" / "train.png"), np.zeros((3, 5), dtype=np.uint8))
    with pytest.raises(InvalidDataError, match=r"height and width \(3, 4\), got \(3, 5\)"):
        first_sample(made)


def test_fingerprint_follows_lists_and_file_sizes(made: CamVidData) -> None:
    before = data_fingerprint(made)
    assert data_fingerprint(made) == before
    with (made.root / "train" / "train.png").open("ab") as stream:
        stream.write(b" ")
    grown = data_fingerprint(made)
    (made.root / "train.txt").write_text("train/train.png  trainannot/train.png\n")
    assert len({before, grown, data_fingerprint(made)}) == 3
