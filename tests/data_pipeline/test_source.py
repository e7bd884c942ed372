"""Opening data: splits by policy, limits, what is kept of them, and what cannot be opened."""

import shutil
from pathlib import Path

import pytest
import torch

from data_pipeline import source
from data_pipeline.cache import cache_folder
from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.generated import NoData, StreetScenesData
from data_pipeline.datasets.settings.pictures import CamVidData, ImageFolderData, IsbiData
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.errors import (
    DataError,
    InvalidDataError,
    MissingDataError,
    UnsupportedTaskError,
)
from data_pipeline.integrity import examined
from data_pipeline.samples import ClipBatch
from data_pipeline.settings import DataSettings, Limit, Split
from data_pipeline.source import DataSource, open_data
from data_pipeline.splitting.splits import SPLITS

TASK = "semantic_segmentation"


@pytest.fixture(autouse=True)
def _workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "workspace"))


def opened(settings: DataSettings, **changes: object) -> DataSource:
    return open_data(settings.model_copy(update={"workers": 0, **changes}), TASK, seed=0)


def kept_folders() -> set[str]:
    samples = cache_folder() / "samples"
    return {folder.name for folder in samples.iterdir() if folder.is_dir()}


def load(source: DataSource) -> int:
    return sum(len(batch) for batch in source.validation(4).epoch(1))


def test_given_split_is_the_folders(coco: CocoData) -> None:
    source = opened(coco, classes=["person"])
    assert (source.training(8).images, source.validation(8).images) == (81, 55)
    assert source.test(8) is None
    assert source.image_ids("test") == ()
    assert source.class_names == ("background", "person")


def test_data_is_fingerprinted_once_for_all_splits(
    monkeypatch: pytest.MonkeyPatch, camvid: CamVidData
) -> None:
    asked: list[str] = []

    def noted(settings: DataSettings) -> str:
        asked.append(settings.dataset)
        return "fingerprint"

    for module in (source, examined):
        monkeypatch.setattr(module, "data_fingerprint", noted)
    data = opened(camvid, split=Split(policy="random"))
    for loader in (data.training(4), data.validation(4), data.test(4)):
        assert loader is not None
        next(loader.epoch(1))
    assert asked == ["camvid"]


def test_random_split_pools_all_images_and_has_a_test_part(camvid: CamVidData) -> None:
    source = opened(camvid, split=Split(policy="random"))
    parts = [source.image_ids(name) for name in SPLITS]
    assert [len(part) for part in parts] == [39, 10, 12]  # of 61
    assert len({i for part in parts for i in part}) == 61
    test = source.test(4)
    assert test is not None
    assert len(list(test.epoch(1))) == 3


def test_validation_is_cut_from_training_where_the_dataset_has_none(real_data: Path) -> None:
    isbi = IsbiData(root=real_data / "isbi2012", image_size=32)
    source = opened(isbi, split=Split(val=0.25))
    parts = {name: set(source.image_ids(name)) for name in SPLITS}
    assert len(parts["train"] | parts["val"]) == 24
    assert 4 <= len(parts["val"]) <= 8  # about a quarter: neighbouring slices stay together
    assert not parts["test"]
    assert not parts["train"] & parts["val"]


def test_folds_share_the_given_test_split_and_cover_the_rest(scenes: StreetScenesData) -> None:
    plain = opened(scenes)
    rest = {*plain.image_ids("train"), *plain.image_ids("val")}
    seen: list[str] = []
    for fold in range(4):
        source = opened(scenes, split=Split(folds=4, fold=fold))
        assert source.image_ids("test") == plain.image_ids("test")
        assert {*source.image_ids("train"), *source.image_ids("val")} == rest
        seen += source.image_ids("val")
    assert sorted(seen) == sorted(rest)


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
        assert len(limited.image_ids(name)) == len(limited.dataset(name)) == count
        assert set(limited.image_ids(name)) < set(everything.image_ids(name))


def test_limit_per_class_takes_as_many_of_each(real_data: Path) -> None:
    folders = ImageFolderData(
        root=real_data / "hymenoptera_mini", limit=Limit(train=4, per_class=True)
    )
    items = open_data(folders, "image_classification", 0).dataset("train").items
    assert sorted(item.classes for item in items) == [("ants",)] * 4 + [("bees",)] * 4


def test_picture_that_cannot_be_decoded_is_left_out_or_an_error(
    camvid: CamVidData, tmp_path: Path
) -> None:
    root = tmp_path / "camvid"
    shutil.copytree(camvid.root, root)
    broken = camvid.model_copy(update={"root": root})
    victim = opened(broken).dataset("val").items[3]
    victim.files[0].write_bytes(b"no picture")
    assert load(opened(broken)) == len(opened(camvid).dataset("val")) - 1
    assert victim.image_id in opened(broken).image_ids("val")
    strict = open_data(broken, TASK, 0, examines=False)
    with pytest.raises(InvalidDataError, match="cannot decode image"):
        load(strict)


def test_split_without_one_usable_picture_says_that_all_are_damaged(
    camvid: CamVidData, tmp_path: Path
) -> None:
    root = tmp_path / "camvid"
    shutil.copytree(camvid.root, root)
    broken = camvid.model_copy(update={"root": root})
    victims = opened(broken).dataset("val").items
    for victim in victims:
        victim.files[0].write_bytes(b"no picture")
    with pytest.raises(MissingDataError, match=f"all {len(victims)} are damaged or absent"):
        opened(broken).validation(1)


def test_bound_of_the_cache_that_is_no_number_is_refused_at_once(
    camvid: CamVidData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", "lots")
    with pytest.raises(DataError, match="VISIONSTUDY_CACHE_GB must be a number of gigabytes"):
        opened(camvid)
    assert opened(camvid, cache="off").class_names


def test_samples_are_kept_for_other_trials_whatever_comes_after_decoding(
    camvid: CamVidData,
) -> None:
    same: tuple[dict[str, object], ...] = (
        {},
        {"augment": []},
        {"workers": 1},
        {"cache": "on"},
        {"split": Split(seed=5)},
        {"limit": Limit(train=3)},  # not of the split that is loaded
    )
    for changes in same:
        load(opened(camvid, **changes))
    assert len(kept_folders()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 40},
        {"resize": "letterbox"},
        {"classes": ["car"]},
        {"limit": Limit(val=3)},
        {"split": Split(policy="random")},
    ],
)
def test_other_samples_are_kept_apart(camvid: CamVidData, changes: dict[str, object]) -> None:
    load(opened(camvid))
    load(opened(camvid, **changes))
    assert len(kept_folders()) == 2


def test_changed_file_is_decoded_again(camvid: CamVidData, tmp_path: Path) -> None:
    root = tmp_path / "camvid"
    shutil.copytree(camvid.root, root)
    copied = camvid.model_copy(update={"root": root})
    load(opened(copied))
    item = opened(copied).dataset("val").items[0]
    shutil.copy(opened(copied).dataset("val").items[1].files[0], item.files[0])
    load(opened(copied))
    assert len(kept_folders()) == 2


def test_off_keeps_nothing(camvid: CamVidData) -> None:
    load(opened(camvid, cache="off"))
    assert not (cache_folder() / "samples").exists()


def test_clips_of_all_sizes_are_cut_from_the_same_kept_video(real_data: Path) -> None:
    settings = UCF101Data(root=real_data / "ucf101_mini", image_size=32, workers=0)
    for frames, size in ((4, 32), (8, 24)):
        changed = settings.model_copy(
            update={
                "image_size": size,
                "clip": settings.clip.model_copy(update={"frames": frames, "shorter_side": 36}),
            }
        )
        source = open_data(changed, "action_recognition", 0)
        test = source.test(5)
        assert test is not None
        [batch] = test.epoch(1)
        assert isinstance(batch, ClipBatch)
        assert batch.clips.shape == (5, 3, frames, size, size)
    assert len(kept_folders()) == 1


def test_progress_is_told_while_samples_are_examined_and_kept(camvid: CamVidData) -> None:
    told: list[tuple[int, int]] = []
    source = open_data(camvid, TASK, 0, progress=lambda done, count: told.append((done, count)))
    load(source)
    examined, kept = told[:15], told[15:]
    assert examined == [(done, 15) for done in range(1, 16)]
    assert kept[-1] == (15, 15)
    assert kept == sorted(kept)  # as many as its time makes them: it is told now and then


def test_what_progress_raises_ends_the_work_and_loses_nothing(camvid: CamVidData) -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(open_data(camvid, TASK, 0, progress=stop))
    told: list[tuple[int, int]] = []
    source = open_data(camvid, TASK, 0, progress=lambda done, count: told.append((done, count)))
    load(source)
    assert told[-1] == (15, 15)


def test_batches_come_on_the_device_asked_for(camvid: CamVidData) -> None:
    source = open_data(camvid, TASK, 0, device=torch.device("meta"))
    batch = next(source.validation(2).epoch(1))
    assert batch.images.device.type == "meta"  # type: ignore[union-attr]  # of its task


def test_pictures_of_different_sizes_are_for_detection(camvid: CamVidData) -> None:
    with pytest.raises(DataError, match=r"data\.resize shorter_side .* task 'semantic_segm"):
        opened(camvid, resize="shorter_side")


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
