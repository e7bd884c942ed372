"""The preview shows what a trial's loader delivers, for samples of every task."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data_pipeline.catalog import DATASETS
from data_pipeline.samples import ClipBatch, DetectionBatch, InstanceBatch, SegmentationBatch
from data_pipeline.settings import DataSettings
from data_pipeline.source import open_data
from data_pipeline.transforms.settings import NAMES
from reports.preview_record import IGNORED, PreviewRecord
from studies.running.data_preview import (
    TIMES,
    PreviewOrder,
    augmentation_in_words,
    preview_record,
    settings_in_words,
)

AUGMENT = ["horizontal_flip", {"name": "rotate", "degrees": 20}, "color_jitter"]
ORDER = PreviewOrder("demo", "base settings", batch_size=4, seed=3, samples=3, epochs=2)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preview")


@pytest.fixture(autouse=True)
def _kept_there(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(workspace))


def scenes(workspace: Path, **changes: Any) -> DataSettings:
    values = {
        "dataset": "street_scenes",
        "images": 12,
        "picture_width": 96,
        "picture_height": 72,
        "image_size": 32,
        "drawn_in": workspace / "scenes",
        "augment": AUGMENT,
        "workers": 0,
        **changes,
    }
    return DATASETS["street_scenes"].settings.model_validate(values)


def actions(workspace: Path) -> DataSettings:
    values = {
        "dataset": "street_actions",
        "groups": 3,
        "videos_per_group": 1,
        "video_width": 64,
        "video_height": 64,
        "image_size": 32,
        "drawn_in": workspace / "actions",
        "augment": AUGMENT,
        "workers": 0,
    }
    return DATASETS["street_actions"].settings.model_validate(values)


def folders(workspace: Path) -> DataSettings:
    """Two classes of noise in folders."""
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("ants", "bees"):
            folder = workspace / "folders" / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(3):
                pixels = random.integers(0, 256, (40, 50, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{split}_{name}_{number}.png")
    values = {
        "dataset": "image_folder",
        "root": workspace / "folders",
        "image_size": 32,
        "augment": AUGMENT,
        "workers": 0,
    }
    return DATASETS["image_folder"].settings.model_validate(values)


def loaded(data: DataSettings, task: str, epoch: int) -> dict[str, tuple[Any, int]]:
    """Return the batch and the place in it of every sample of a loader's epoch."""
    found: dict[str, tuple[Any, int]] = {}
    for batch in open_data(data, task, ORDER.seed).training(ORDER.batch_size).epoch(epoch):
        ids = batch.video_ids if isinstance(batch, ClipBatch) else batch.image_ids
        found |= {sample_id: (batch, place) for place, sample_id in enumerate(ids)}
    return found


def images(frames: tuple[np.ndarray[Any, np.dtype[np.uint8]], ...]) -> torch.Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    "task", ["semantic_segmentation", "object_detection", "instance_segmentation"]
)
def test_a_preview_shows_the_pixels_and_labels_of_the_loader(workspace: Path, task: str) -> None:
    data = scenes(workspace)
    record = preview_record(data, task, ORDER)
    assert len(record.samples) == 3
    for epoch in (1, 2):
        delivered = loaded(data, task, epoch)
        for sample in record.samples:
            view = sample.views[1 + epoch]
            batch, place = delivered[sample.sample_id]
            assert view.title == f"epoch {epoch}"
            assert torch.equal(images(view.frames)[0], batch.images[place])
            if isinstance(batch, SegmentationBatch):
                assert view.labels is not None
                expected = batch.masks[place].numpy().astype(np.int16)
                assert (np.where(view.labels == IGNORED, 255, view.labels) == expected).all()
            if isinstance(batch, DetectionBatch):
                boxes = [list(each.box_xyxy) for each in view.objects]
                assert boxes == batch.boxes_xyxy[place].tolist()
            if isinstance(batch, InstanceBatch):
                for shown, mask in zip(view.objects, batch.masks[place], strict=True):
                    assert (shown.mask == mask.numpy()).all()


def test_a_preview_shows_the_frames_of_the_loader(workspace: Path) -> None:
    data = actions(workspace)
    record = preview_record(data, "action_recognition", ORDER)
    delivered = loaded(data, "action_recognition", 2)
    for sample in record.samples:
        batch, place = delivered[sample.sample_id]
        clip = batch.clips[place].transpose(0, 1)
        view = sample.views[3]
        assert view.note == f"{len(view.frames)} of {len(clip)} frames"
        assert torch.equal(images(view.frames)[0], clip[0])
        assert torch.equal(images(view.frames)[-1], clip[-1])


def test_a_preview_shows_classified_pictures_as_the_loader_does(workspace: Path) -> None:
    data = folders(workspace)
    record = preview_record(data, "image_classification", ORDER)
    delivered = loaded(data, "image_classification", 1)
    for sample in record.samples:
        batch, place = delivered[sample.sample_id]
        assert sample.classes == (record.class_names[batch.labels[place]],)
        assert torch.equal(images(sample.views[2].frames)[0], batch.images[place])


def test_before_the_changes_a_sample_is_as_on_disk_and_at_the_input_size(workspace: Path) -> None:
    record = preview_record(scenes(workspace), "object_detection", ORDER)
    for sample in record.samples:
        disk, prepared = sample.views[:2]
        assert disk.frames[0].shape == (72, 96, 3)
        assert prepared.frames[0].shape == (32, 32, 3)
        assert len(disk.objects) == len(prepared.objects)
        for before, after in zip(disk.objects, prepared.objects, strict=True):
            scale = np.array([32 / 96, 32 / 72] * 2)
            assert np.allclose(np.array(before.box_xyxy) * scale, after.box_xyxy, atol=1e-3)


def facts(record: PreviewRecord) -> tuple[tuple[str, ...], str, bool, bool]:
    batch = record.batch
    return tuple(batch.shape.split(TIMES)), batch.dtype, batch.low < 0, batch.high > 3


def test_the_tensor_is_described_as_it_is_delivered(workspace: Path) -> None:
    task = "semantic_segmentation"
    plain = preview_record(scenes(workspace), task, ORDER)
    normalised = preview_record(scenes(workspace, normalize="imagenet"), task, ORDER)
    assert facts(plain) == (("4", "3", "32", "32"), "uint8", False, True)
    assert facts(normalised) == (("4", "3", "32", "32"), "float32", True, False)
    shown = [record.samples[0].views[2].frames[0] for record in (plain, normalised)]
    assert (shown[0] == shown[1]).all()  # what is shown is not yet normalised


def test_settings_are_told_in_words(workspace: Path) -> None:
    told = dict(settings_in_words(scenes(workspace, normalize="imagenet")))
    assert told["input size"] == "32 pixels"
    assert told["augment 2"] == "rotate: Turn about the middle. degrees 20, p 1"
    assert told["normalize"] == "mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225"


@pytest.mark.parametrize("name", NAMES)
def test_every_random_change_is_told_in_words(workspace: Path, name: str) -> None:
    (augmentation,) = scenes(workspace, augment=[name]).augment
    words = augmentation_in_words(augmentation)
    assert words.startswith(name.replace("_", " ") + ": ")
    assert words.endswith(f"p {augmentation.p:g}")
