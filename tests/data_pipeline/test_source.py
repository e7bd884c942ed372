"""Opening data: splits by policy, limits, and what cannot be opened."""

import pytest

from data_pipeline.datasets.settings import CamVidData, CocoData, NoData, StreetScenesData
from data_pipeline.errors import DataError, MissingDataError, UnsupportedTaskError
from data_pipeline.settings import DataSettings, Limit, Split
from data_pipeline.source import DataSource, open_data
from data_pipeline.splits import SPLITS

TASK = "semantic_segmentation"


def opened(settings: DataSettings, **changes: object) -> DataSource:
    return open_data(settings.model_copy(update=changes), TASK, seed=0)


def test_given_split_is_the_folders(coco: CocoData) -> None:
    source = opened(coco, classes=["person"])
    assert (source.training(8).images, source.validation(8).images) == (81, 55)
    assert source.test(8) is None
    assert source.image_ids("test") == ()
    assert source.class_names == ("background", "person")


def test_random_split_pools_all_images_and_has_a_test_part(camvid: CamVidData) -> None:
    source = opened(camvid, split=Split(policy="random"))
    parts = [source.image_ids(name) for name in SPLITS]
    assert [len(part) for part in parts] == [39, 10, 12]  # of 61
    assert len({i for part in parts for i in part}) == 61
    test = source.test(4)
    assert test is not None
    assert len(list(test.epoch(1))) == 3


def test_split_depends_on_its_own_seed_and_not_on_the_cells(camvid: CamVidData) -> None:
    random = camvid.model_copy(update={"split": Split(policy="random")})
    first, second = (open_data(random, TASK, seed=seed) for seed in (0, 1))
    assert first.image_ids("val") == second.image_ids("val")
    other = opened(camvid, split=Split(policy="random", seed=1))
    assert first.image_ids("val") != other.image_ids("val")


def test_limit_is_applied_after_the_split(scenes: StreetScenesData) -> None:
    everything = opened(scenes)
    limited = opened(scenes, limit=Limit(train=3, val=2, test=1))
    for name, count in zip(SPLITS, (3, 2, 1), strict=True):
        assert len(limited.image_ids(name)) == count
        assert set(limited.image_ids(name)) < set(everything.image_ids(name))


def test_everything_missing_is_one_error(coco: CocoData) -> None:
    with pytest.raises(MissingDataError, match=r"'persn'; did you mean 'person'\?.*; .*'caar'"):
        opened(coco, classes=["persn", "caar"])


def test_empty_split_names_dataset_split_and_classes(coco: CocoData) -> None:
    source = opened(coco, classes=["hot dog"])
    assert source.training(1).images >= 1
    with pytest.raises(
        MissingDataError,
        match=r"split 'val' of dataset 'coco' \(policy 'given'\) .* background, hot dog, got none",
    ):
        source.validation(1)


def test_one_model_per_class_takes_one_class(coco: CocoData) -> None:
    with pytest.raises(DataError, match="must name the one class"):
        opened(coco, classes=["car", "bus"], one_model_per_class=True)
    source = opened(coco, classes=["bus"], one_model_per_class=True)
    assert source.class_names == ("background", "bus")


def test_task_without_labels_is_refused(camvid: CamVidData) -> None:
    with pytest.raises(UnsupportedTaskError, match="no labels for task 'detection', only for"):
        open_data(camvid, "detection", seed=0)


def test_no_data_opens_and_refuses_to_be_loaded() -> None:
    source = opened(NoData())
    with pytest.raises(MissingDataError, match="dataset 'none' holds no images"):
        source.training(1)
