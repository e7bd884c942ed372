"""Every detector learns eight real images by heart: what it cannot fit, it cannot learn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from models.catalog import MODELS
from models.resolve import resolve

ENOUGH = 0.9  # AP50
EVERY = 20  # steps between two looks at it
REGIONS: dict[str, Any] = {
    "head_width": 128,
    "sampled_regions": 64,
    "foreground_share": 0.5,
    "proposals_training": 200,
    "proposals": 100,
}
PRIORS = [(side, side) for side in (6, 9, 12, 16, 20, 24, 26, 32, 44)]  # pixels
PYRAMID: dict[str, Any] = {"backbone": "resnet18", "pyramid_channels": 64}
THREE_MAPS: dict[str, Any] = {
    "aspect_ratios": ((2,), (2, 3), (2, 3)),
    "scales": (0.12, 0.25, 0.45, 0.7),
}


@dataclass(frozen=True)
class Case:
    """A network small enough to learn here, and how; steps are the most it may take."""

    settings: dict[str, Any]
    steps: int
    side: int = 128  # pixels
    batch: int = 4  # images of a step
    learning_rate: float = 2e-3  # the highest of a cycle up and down


# Add a detector: one line, on the smallest settings that learn within 40 s of one CPU.
CASES: dict[str, Case] = {
    "fast_rcnn_resnet": Case(
        {
            "search_side": 256,  # at 160 pixels platelets are too small to be found
            "proposals": 1000,
            "head_width": 128,
            "pyramid_channels": 64,
            "sampled_regions": 128,
            "foreground_share": 0.5,
            "foreground_iou": 0.4,  # so that boxes a little off learn where to move to
            "background_iou": 0.4,
            "least_background_iou": 0.0,
        },
        steps=100,
        side=160,
        learning_rate=3e-3,
    ),
    "faster_rcnn_resnet": Case(
        {
            **REGIONS,
            "backbone": "resnet18",
            "pyramid_channels": 64,
            "anchor_sizes": (12, 24, 32, 48, 80),
        },
        steps=80,
    ),
    "faster_rcnn_vgg16": Case(
        {
            **REGIONS,
            "form": "thesis",
            "dropout": 0.0,  # which keeps from learning by heart
            "base_channels": 8,
            "anchor_sizes": (10, 20, 40),
        },
        steps=300,
    ),
    "retinanet": Case(
        {**PYRAMID, "head_layers": 1, "anchor_sizes": (10, 20, 36, 60, 90)},
        steps=80,
    ),
    "fcos": Case(
        {**PYRAMID, "head_layers": 1, "level_reaches": (16, 32, 64, 100)},
        steps=80,
    ),
    "ssd300": Case({"base_channels": 16, **THREE_MAPS}, 140, side=96),
    "ssdlite": Case({"norm_momentum": 0.1, **THREE_MAPS}, 120, side=96),
    "yolov1": Case(
        {"width": 0.0625, "grid": 5, "dropout": 0.0}, 80, side=320, batch=8, learning_rate=1e-3
    ),
    "yolov2": Case(
        {"width": 0.125, "priors": [(side, side) for side in (0.4, 0.6, 0.8, 1.0, 1.2)]},
        80,
        side=160,
        batch=8,
        learning_rate=5e-3,
    ),
    "yolov3": Case({"width": 0.0625, "priors": PRIORS}, 100, batch=8, learning_rate=1e-2),
    "yolov3_tiny": Case({"width": 0.125, "priors": PRIORS[:6]}, 80, batch=8, learning_rate=1e-2),
}


# Their pyramid is learnt with in retinanet as well, their regions in faster_rcnn_vgg16.
LONGEST = ("fast_rcnn_resnet", "faster_rcnn_resnet", "fcos")


def _cases() -> list[Any]:
    marks = {name: [pytest.mark.exhaustive] for name in LONGEST}
    return [pytest.param(name, marks=marks.get(name, [])) for name in sorted(CASES)]


@pytest.mark.slow
@pytest.mark.parametrize("name", _cases())
def test_eight_real_images_are_learnt(name: str, eight_images: Callable[[int], Any]) -> None:
    case = CASES[name]
    data = eight_images(case.side)
    torch.manual_seed(0)
    settings = MODELS[name].settings.model_validate({"name": name, **case.settings})
    network: nn.Module = resolve(str(MODELS[name].builder))(settings, len(data.class_names) + 1)
    optimizer = torch.optim.AdamW(network.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, case.learning_rate, total_steps=case.steps
    )
    reached: list[float] = []
    for step in range(1, case.steps + 1):
        network.train()
        losses = network(*data.batch(*torch.randperm(8)[: case.batch].tolist())).losses
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        cycle.step()
        if step % EVERY == 0:
            reached.append(data.ap50(network))
            if reached[-1] >= ENOUGH:
                break
    assert max(reached) >= ENOUGH, reached
