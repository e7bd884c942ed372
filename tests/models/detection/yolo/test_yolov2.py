"""YOLOv2's loss against Darknet's gradients and against hand-worked values."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from models.detection.outputs import Target
from models.detection.yolo.places import Places
from models.detection.yolo.settings import YOLOv2Settings
from models.detection.yolo.yolov2 import YOLOv2, build_yolov2

CLASSES = 3
PRIORS = ((0.5, 0.5), (1.0, 0.75))  # cells of 32 pixels: 16 x 16 and 32 x 24
CELLS = 3  # rows and columns


def built(**settings: Any) -> YOLOv2:
    torch.manual_seed(0)
    given = YOLOv2Settings.model_validate({"width": 0.1, "priors": PRIORS, **settings})
    return build_yolov2(given, CLASSES + 1)


@pytest.fixture(scope="module")
def network() -> YOLOv2:
    return built()


def places_of(network: YOLOv2) -> Places:
    return Places.of(network.prior_maps, [(CELLS, CELLS)], torch.device("cpu"))


def iou(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, width) * max(0.0, height)
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (one, other)]
    return both / (sum(areas) - both)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def box_of(values: list[float], place: int) -> list[float]:
    """Return a place's box, xyxy, cells."""
    prior, cell = PRIORS[place // CELLS**2], place % CELLS**2
    x, y = sigmoid(values[0]) + cell % CELLS, sigmoid(values[1]) + cell // CELLS
    w, h = prior[0] * math.exp(values[2]), prior[1] * math.exp(values[3])
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def darknets_deltas(numbers: Tensor, target: Target) -> Tensor:
    """Return the deltas of Darknet's `region` layer with yolov2-voc.cfg, loop by loop."""
    values, deltas = numbers.double().tolist(), torch.zeros_like(numbers, dtype=torch.float64)
    boxes = (target["boxes"] / 32).tolist()
    for place, out in enumerate(values):
        best = max((iou(box_of(out, place), truth) for truth in boxes), default=0.0)
        confidence = sigmoid(out[4])
        if best <= 0.6:
            deltas[place, 4] = -confidence * confidence * (1 - confidence)
    for truth, label in zip(boxes, target["labels"].tolist(), strict=True):
        w, h = truth[2] - truth[0], truth[3] - truth[1]
        x, y = (truth[0] + truth[2]) / 2, (truth[1] + truth[3]) / 2
        shapes = [iou([0, 0, a, b], [0, 0, w, h]) for a, b in PRIORS]
        prior = shapes.index(max(shapes))
        place = prior * CELLS**2 + int(y) * CELLS + int(x)
        out = values[place]
        for i, towards in enumerate((x - int(x), y - int(y))):
            now = sigmoid(out[i])
            deltas[place, i] = (towards - now) * now * (1 - now)
        for i, side in enumerate((w, h)):
            deltas[place, 2 + i] = math.log(side / PRIORS[prior][i]) - out[2 + i]
        now = sigmoid(out[4])
        deltas[place, 4] = 5 * (iou(box_of(out, place), truth) - now) * now * (1 - now)
        softmax = torch.tensor(out[5:], dtype=torch.float64).softmax(dim=0)
        deltas[place, 5:] = -softmax
        deltas[place, 4 + label] += 1
    return deltas


@pytest.mark.parametrize("seed", range(6))
def test_gradient_is_darknets(network: YOLOv2, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(5, 2, generator=generator) * 70
    sides = 5 + torch.rand(5, 2, generator=generator) * 20
    target: Target = {
        "boxes": torch.cat((corners, corners + sides), dim=1),
        "labels": torch.randint(1, CLASSES + 1, (5,), generator=generator),
    }
    numbers = torch.randn(2 * CELLS**2, 5 + CLASSES, generator=generator).requires_grad_()
    losses = network.image_losses(numbers, places_of(network), target)
    (gradient,) = torch.autograd.grad(torch.stack(list(losses.values())).sum(), [numbers])
    expected = -darknets_deltas(numbers.detach(), target)
    torch.testing.assert_close(gradient.double(), expected, atol=1e-5, rtol=1e-4)


def test_losses_are_those_worked_by_hand(network: YOLOv2, objects: Callable[..., Target]) -> None:
    """An object of 16 x 32 pixels about (40, 48): cell (1, 1), the first prior by shape."""
    target = objects((32, 32, 48, 64), labels=(2,))
    losses = network.image_losses(
        torch.zeros(2 * CELLS**2, 5 + CLASSES), places_of(network), target
    )
    # x: sigmoid(0) = 1/2 towards 8/32 = 1/4; y: 1/2 is right; w is right; h: log 2 is missing.
    assert float(losses["loss_box_reg"]) == pytest.approx((1 / 16 + math.log(2) ** 2) / 2)
    # Its box is 16 x 16 about (48, 48): 8 x 16 of 16 x 32 + 16 x 8. The 17 others: 1/2 towards 0.
    overlap = 8 * 16 / (16 * 32 + 8 * 16)
    expected = (5 * (overlap - 0.5) ** 2 + 17 * 0.25) / 2
    assert float(losses["loss_objectness"]) == pytest.approx(expected)
    assert float(losses["loss_classifier"]) == pytest.approx(math.log(CLASSES))


def test_weights_of_the_losses_are_settings(
    network: YOLOv2, objects: Callable[..., Target]
) -> None:
    weights = {
        "coordinate_weight": 2.0,
        "class_weight": 3.0,
        "object_weight": 0.0,
        "no_object_weight": 0.0,
    }
    target, numbers = objects((32, 32, 48, 64)), torch.zeros(2 * CELLS**2, 5 + CLASSES)
    usual, changed = (
        each.image_losses(numbers, places_of(each), target) for each in (network, built(**weights))
    )
    torch.testing.assert_close(changed["loss_box_reg"], 2 * usual["loss_box_reg"])
    torch.testing.assert_close(changed["loss_classifier"], 3 * usual["loss_classifier"])
    assert float(changed["loss_objectness"]) == 0.0


def test_class_probabilities_add_up_to_one(network: YOLOv2) -> None:
    found = network.class_probabilities(torch.randn(7, CLASSES))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(7))
