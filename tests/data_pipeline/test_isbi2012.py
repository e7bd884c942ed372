"""The ISBI 2012 reader on the real slices and on damaged copies."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.catalog import check_data, class_names, data_fingerprint, label_names
from data_pipeline.datasets import isbi2012 as reader
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.label_maps import LabelledPicture
from data_pipeline.datasets.settings.pictures import IsbiData
from data_pipeline.errors import InvalidDataError
from data_pipeline.samples import SegmentationSample
from data_pipeline.settings import Split
from data_pipeline.splitting.splits import validation_cuts

TASK = "semantic_segmentation"


def built(settings: IsbiData) -> Dataset:
    dataset = reader.build(settings, TASK, "train")
    assert dataset is not None
    return dataset


def first_sample(settings: IsbiData) -> SegmentationSample:
    item = built(settings).items[0]
    assert isinstance(item, LabelledPicture)
    return item.read()


@pytest.fixture(scope="module")
def isbi(real_data: Path) -> IsbiData:
    return IsbiData(root=real_data / "isbi2012")


@pytest.fixture
def made(tmp_path: Path) -> IsbiData:
    """Slices 0 to 11; of each the left half is cell."""
    label = np.zeros((4, 6), dtype=np.uint8)
    label[:, :3] = 255
    for kind in ("image", "label"):
        (tmp_path / "train" / kind).mkdir(parents=True)
        for number in range(12):
            cv2.imwrite(str(tmp_path / "train" / kind / f"{number}.png"), label)
    return IsbiData(root=tmp_path)


def test_real_folder_has_24_training_slices_and_no_other_split(isbi: IsbiData) -> None:
    assert check_data(isbi) == []
    assert len(built(isbi)) == 24
    assert reader.build(isbi, TASK, "val") is None
    assert reader.build(isbi, TASK, "test") is None
    assert built(isbi).faults == ()


def test_real_label_is_cell_where_the_stored_one_is_white(isbi: IsbiData) -> None:
    sample = first_sample(isbi)
    stored = cv2.imread(str(isbi.root / "train" / "label" / f"{sample.image_id}.png"), -1)
    assert stored is not None
    assert sample.image.shape == (512, 512, 3)
    assert ((sample.mask == 1) == (stored == 255)).all()
    assert set(np.unique(sample.mask)) == {0, 1}


def test_both_classes_are_labels_without_a_background(made: IsbiData) -> None:
    assert class_names(made) == label_names(made, TASK) == ("membrane", "cell")


def test_chosen_class_stands_before_a_background_of_the_other(made: IsbiData) -> None:
    settings = made.model_copy(update={"classes": ["membrane"]})
    assert label_names(settings, TASK) == ("background", "membrane")
    assert first_sample(settings).mask[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert built(settings).items[0].classes == ("membrane",)


def test_five_slices_in_a_row_are_a_group(made: IsbiData) -> None:
    groups = Counter(item.group for item in built(made).items)
    assert groups == {"slices 0": 5, "slices 1": 5, "slices 2": 2}
    by_id = {item.image_id: item.group for item in built(made).items}
    assert by_id["4"] == by_id["0"] != by_id["5"] == by_id["9"] != by_id["10"]


def test_validation_is_cut_from_training_in_whole_groups(isbi: IsbiData) -> None:
    items = built(isbi).items
    parts = validation_cuts(items, Split()).of(0)
    groups = [{i.group for i in items if i.image_id in part} for part in parts.values()]
    assert not groups[0] & groups[1]
    assert len(parts["val"]) in (4, 5)


def test_slice_without_a_label_is_left_out_and_named(made: IsbiData) -> None:
    (made.root / "train" / "label" / "7.png").unlink()
    dataset = built(made)
    assert len(dataset) == 11
    assert [(fault.kind, fault.where) for fault in dataset.faults] == [("absent", "7")]


def test_link_out_of_the_folder_is_left_out_and_named(made: IsbiData, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside.png"
    (made.root / "train" / "image" / "7.png").rename(outside)
    (made.root / "train" / "image" / "7.png").symlink_to(outside)
    dataset = built(made)
    assert [fault.kind for fault in dataset.faults] == ["unsafe_path"]
    assert len(dataset) == 11


def test_grey_label_value_is_named(made: IsbiData) -> None:
    file = made.root / "train" / "label" / "0.png"
    cv2.imwrite(str(file), np.full((4, 6), 128, dtype=np.uint8))
    with pytest.raises(InvalidDataError, match="must hold only 0, 255, got 128 at 24 pixels"):
        first_sample(made)


def test_empty_folder_and_unknown_class_are_named(tmp_path: Path) -> None:
    first, second, third = check_data(IsbiData(root=tmp_path, classes=["cel"]))
    assert str(tmp_path / "train" / "image") in first
    assert str(tmp_path / "train" / "label") in second
    assert "did you mean 'cell'?" in third


def test_fingerprint_follows_the_content(made: IsbiData) -> None:
    before = data_fingerprint(made)
    assert data_fingerprint(made) == before
    cv2.imwrite(str(made.root / "train" / "label" / "0.png"), np.zeros((4, 6), dtype=np.uint8))
    assert data_fingerprint(made) != before
