from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.detection.outputs import Target, Targets

Box = tuple[float, float, float, float]


@pytest.fixture(scope="session")
def objects() -> Callable[..., Target]:
    """Make what an image shows: `objects((x1, y1, x2, y2), …, labels=(1, …))`."""

    def made(*boxes: Box, labels: tuple[int, ...] | None = None) -> Target:
        return {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(labels or [1] * len(boxes), dtype=torch.int64),
        }

    return made


@pytest.fixture(scope="session")
def batch() -> Callable[..., tuple[list[Tensor], Targets]]:
    """Make noise images of a side, one for each target: `batch(64, target, …)`."""

    def made(side: int, *targets: Target) -> tuple[list[Tensor], Targets]:
        generator = torch.Generator().manual_seed(5)
        images = [torch.rand(3, side, side, generator=generator) * 2 - 1 for _ in targets]
        return images, Targets(targets)

    return made
