"""What every dataset of the catalog must do; a new entry is enrolled by a line in `MADE`."""

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path

import pytest
import torch

from data_pipeline.catalog import (
    DATASETS,
    check_data,
    class_names,
    data_fingerprint,
    label_names,
)
from data_pipeline.datasets.settings import CamVidData, CocoData, StreetScenesData
from data_pipeline.samples import IGNORE, SegmentationBatch
from data_pipeline.settings import DataSettings, Limit, Split
from data_pipeline.source import DataSource, open_data
from data_pipeline.splits import SPLITS

TASK = "semantic_segmentation"
SIZE = 32
LIMIT = Limit(train=7, val=5, test=4)

Make = Callable[[pytest.FixtureRequest, Path], DataSettings]


def _coco(request: pytest.FixtureRequest, folder: Path) -> DataSettings:  # noqa: ARG001
    real: Path = request.getfixturevalue("real_data")
    return CocoData(root=real / "coco_mini", classes=["person", "car"], limit=LIMIT)


def _camvid(request: pytest.FixtureRequest, folder: Path) -> DataSettings:  # noqa: ARG001
    real: Path = request.getfixturevalue("real_data")
    return CamVidData(root=real / "camvid_mini", limit=LIMIT)


def _street_scenes(request: pytest.FixtureRequest, folder: Path) -> DataSettings:  # noqa: ARG001
    return StreetScenesData(
        images=25, picture_width=96, picture_height=72, cache=folder, limit=LIMIT
    )


MADE: Mapping[str, Make] = {
    "coco": _coco,
    "camvid": _camvid,
    "street_scenes": _street_scenes,
}


@pytest.fixture(scope="module", params=MADE)
def settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> DataSettings:
    """The dataset, small, with every augmentation."""
    made = MADE[request.param](request, tmp_path_factory.mktemp(request.param))
    augment = ["horizontal_flip", "vertical_flip", "rotate_90"]
    return made.model_copy(update={"image_size": SIZE, "augment": augment})


@pytest.fixture(scope="module")
def source(settings: DataSettings) -> DataSource:
    return open_data(settings, TASK, seed=1)


def batches_of(source: DataSource, epoch: int = 1, first: int = 0) -> list[SegmentationBatch]:
    batches = list(source.training(3).epoch(epoch, first_batch=first))
    assert all(isinstance(batch, SegmentationBatch) for batch in batches)
    return batches  # type: ignore[return-value]  # just checked


def assert_equal(first: list[SegmentationBatch], second: list[SegmentationBatch]) -> None:
    assert [batch.image_ids for batch in first] == [batch.image_ids for batch in second]
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.masks, other.masks)


def test_every_dataset_with_images_is_under_contract() -> None:
    assert set(MADE) == set(DATASETS) - {"none"}


def test_dataset_is_ready(settings: DataSettings) -> None:
    assert check_data(settings) == []


def test_fingerprint_is_stable(settings: DataSettings) -> None:
    assert data_fingerprint(settings) == data_fingerprint(settings)
    assert len(data_fingerprint(settings)) == 64


def test_chosen_class_is_a_label_after_the_background(settings: DataSettings) -> None:
    last = class_names(settings)[-1]
    chosen = settings.model_copy(update={"classes": [last]})
    assert label_names(chosen, TASK) == ("background", last)


def test_images_and_labels_have_their_types_and_ranges(source: DataSource) -> None:
    for batch in batches_of(source):
        count = len(batch)
        assert batch.images.shape == (count, 3, SIZE, SIZE)
        assert batch.masks.shape == (count, SIZE, SIZE)
        assert batch.images.dtype == batch.masks.dtype == torch.uint8
        assert batch.images.max() > 60  # not yet scaled to 0 to 1
        known = batch.masks[batch.masks != IGNORE]
        assert known.max() < len(source.class_names)


def test_more_than_one_label_occurs(source: DataSource) -> None:
    labels = torch.cat([batch.masks.flatten() for batch in batches_of(source)])
    assert len(set(labels.tolist()) - {IGNORE}) > 1


@pytest.mark.parametrize("policy", ["given", "random"])
def test_splits_are_disjoint_and_within_their_limits(settings: DataSettings, policy: str) -> None:
    cut = settings.model_copy(update={"split": Split.model_validate({"policy": policy})})
    source = open_data(cut, TASK, seed=1)
    parts = {name: set(source.image_ids(name)) for name in SPLITS}
    assert all(not a & b for a, b in combinations(parts.values(), 2))
    assert len(parts["train"]) == 7
    assert 0 < len(parts["val"]) <= 5
    assert len(parts["test"]) <= 4


def test_same_seed_gives_the_same_batches(settings: DataSettings, source: DataSource) -> None:
    again = open_data(settings, TASK, seed=1)
    assert_equal(batches_of(source, epoch=2), batches_of(again, epoch=2))


def test_another_seed_gives_other_batches(settings: DataSettings, source: DataSource) -> None:
    other = open_data(settings, TASK, seed=2)
    orders = [[b.image_ids for b in batches_of(s)] for s in (source, other)]
    assert orders[0] != orders[1]
    assert sorted(sum(orders[0], ())) == sorted(sum(orders[1], ()))


def test_epoch_may_start_at_any_batch(source: DataSource) -> None:
    assert_equal(batches_of(source, epoch=3)[2:], batches_of(source, epoch=3, first=2))


def test_loader_processes_give_the_same_batches(
    settings: DataSettings, source: DataSource
) -> None:
    helped = open_data(settings.model_copy(update={"workers": 2}), TASK, seed=1)
    assert_equal(batches_of(source), batches_of(helped))


def test_batches_of_one_image(source: DataSource) -> None:
    batches = list(source.validation(1).epoch(1))
    assert all(len(batch) == 1 for batch in batches)
    assert len(batches) == source.validation(1).images == len(source.validation(1))


def test_validation_is_the_same_in_every_epoch(source: DataSource) -> None:
    first, second = (
        [b for b in source.validation(4).epoch(n) if isinstance(b, SegmentationBatch)]
        for n in (1, 2)
    )
    assert_equal(first, second)
