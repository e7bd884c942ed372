from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.source import open_data
from models.losses import IGNORE
from models.losses.class_weights import median_frequency_weights
from models.losses.segmentation_loss import SegmentationLoss
from models.settings import TrainingSettings
from models.training import train

CLASSES = 11  # and void, which is stored as 11


def test_worked_example() -> None:
    # Label 0: 6 of 8 pixels; label 1: 2 of the first image's 4; label 2: none.
    masks = torch.tensor([[[0, 0], [1, 1]], [[0, 0], [0, 0]]], dtype=torch.uint8)
    # The median of 6 / 8 and 2 / 4 is 0.625.
    expected = [0.625 / 0.75, 0.625 / 0.5, 1.0]
    assert median_frequency_weights([masks], 3).tolist() == pytest.approx(expected)


def test_unlabelled_pixels_are_not_there() -> None:
    masks = torch.tensor([[[0, 1, 1, IGNORE], [0, 0, 0, IGNORE]]], dtype=torch.uint8)
    shown = masks[:, :, :3]
    assert (median_frequency_weights([masks], 2) == median_frequency_weights([shown], 2)).all()


def test_without_a_labelled_pixel_all_weigh_the_same() -> None:
    nothing = torch.full((2, 3, 3), IGNORE, dtype=torch.uint8)
    assert median_frequency_weights([nothing], 3).tolist() == [1, 1, 1]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_batch_size_changes_nothing(size: int) -> None:
    masks = torch.randint(0, 4, (7, 5, 6), generator=torch.Generator().manual_seed(0))
    whole = median_frequency_weights([masks], 4)
    batches = [masks[start : start + size] for start in range(0, 7, size)]
    assert (median_frequency_weights(batches, 4) == whole).all()


def by_hand(maps: list[Any]) -> list[float]:
    """Weigh the classes of whole label maps of CamVid, void being anything above."""
    frequencies = []
    for label in range(CLASSES):
        own = sum(int((each == label).sum()) for each in maps)
        around = sum(int((each < CLASSES).sum()) for each in maps if (each == label).any())
        frequencies.append(own / around)
    return [float(np.median(frequencies)) / frequency for frequency in frequencies]


def test_camvids_weights_are_those_counted_by_hand(real_data: Path) -> None:
    files = sorted((real_data / "camvid_mini" / "trainannot").glob("*.png"))
    maps = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    masks = torch.from_numpy(np.stack([each for each in maps if each is not None]))
    masks[masks == CLASSES] = IGNORE
    assert len(masks) == 46
    weights = median_frequency_weights([masks[:20], masks[20:]], CLASSES)
    assert weights.tolist() == pytest.approx(by_hand(maps), rel=1e-12)
    assert weights.max() > 5 > 1 > weights.min()  # pole, and road


@pytest.mark.parametrize("batch_size", [2, 3])
def test_weights_come_from_the_training_images_as_they_are(
    batch_size: int, real_data: Path
) -> None:
    settings = CamVidData.model_validate(
        {
            "root": real_data / "camvid_mini",
            "image_size": 32,
            "limit": {"train": 5},
            "augment": ["random_resized_crop"],
            "workers": 0,
        }
    )
    data = open_data(settings, "semantic_segmentation", seed=0)
    training = TrainingSettings(class_weights="median_frequency", batch_size=batch_size)
    loss = SegmentationLoss(training, data.class_names)
    assert loss.class_weights is None
    loss.prepare(data)
    batches: Any = data.training_images(1).epoch(1)
    masks = [mask.numpy() for batch in batches for mask in batch.masks]
    assert len(masks) == 5
    assert loss.class_weights is not None
    assert list(loss.class_weights) == list(data.class_names)
    assert list(loss.class_weights.values()) == pytest.approx(by_hand(masks), rel=1e-12)


def test_weights_are_recorded_with_what_the_training_runs_with(
    attempts: Callable[..., Any],
) -> None:
    cell = attempts(training={"class_weights": "median_frequency", "epochs": 1})
    train(cell.session())
    weights = cell.effective[0]["class_weights"]
    assert set(weights) == {"background", "bright square", "dark square"}
    assert weights["background"] < weights["dark square"]
    assert np.median(list(weights.values())) == pytest.approx(1)


def test_without_class_weights_none_are_recorded(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"epochs": 1})
    train(cell.session())
    assert "class_weights" not in cell.effective[0]
