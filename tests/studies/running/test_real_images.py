"""The loop learns on real images, through the command line."""

from pathlib import Path
from typing import Any

import pytest

EPOCHS = 40


@pytest.mark.slow
def test_unet_overfits_four_camvid_images(workshop: Any, real_data: Path) -> None:
    shop = workshop(
        {
            "study": "overfit",
            "task": "semantic_segmentation",
            "data": {
                "dataset": "camvid",
                "root": str(real_data / "camvid_mini"),
                "classes": ["sky", "building", "road"],
                "image_size": 64,
                "limit": {"train": 4, "val": 4},
            },
            "model": {"name": "unet", "base_channels": 16, "depth": 3, "batch_norm": True},
            "training": {
                "learning_rate": 1e-3,
                "batch_size": 1,
                "epochs": EPOCHS,
                "loss": "cross_entropy",
            },
            "objective": {"metric": "val/iou", "direction": "maximize"},
            "search": {"tree": [{"stage": "batch size", "vary": {"training.batch_size": [1]}}]},
        }
    )
    shop.launch()
    (cell,) = shop.record().cells.values()

    assert cell.epochs[-1].metrics["train/iou"] >= 0.9
    assert cell.epochs[0].metrics["train/iou"] < 0.3
