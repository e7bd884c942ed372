"""YOLOv3's loss against Darknet's gradients, number by number, and against hand-worked values."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.detection.outputs import Target
from models.detection.yolo.places import Places
from models.detection.yolo.settings import YOLOv3TinySettings
from models.detection.yolo.yolov3 import YOLOv3, build_yolov3_tiny

CLASSES = 3
PRIORS = ((10.0, 12.0), (24.0, 16.0), (30.0, 40.0), (70.0, 50.0))  # two for each map
SIDE = 64  # pixels: 2 x 2 cells of 32, 4 x 4 of 16
COARSE = 8  # places of the first map


def built(**settings: Any) -> YOLOv3:
    torch.manual_seed(0)
    given = YOLOv3TinySettings.model_validate({"width": 0.1, "priors": PRIORS, **settings})
    return build_yolov3_tiny(given, CLASSES + 1)


@pytest.fixture(scope="module")
def network() -> YOLOv3:
    return built()


def places_of(network: YOLOv3) -> Places:
    return Places.of(network.prior_maps, [(2, 2), (4, 4)], torch.device("cpu"))


def iou(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, width) * max(0.0, height)
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (one, other)]
    return both / (sum(areas) - both)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def rows() -> list[tuple[tuple[float, float], int, int, int]]:
    """Return prior, stride, row and column of every place, as the maps leave the network."""
    return [
        (prior, stride, row, column)
        for stride, priors in ((32, PRIORS[2:]), (16, PRIORS[:2]))
        for prior in priors
        for row in range(SIDE // stride)
        for column in range(SIDE // stride)
    ]


def darknets_deltas(numbers: Tensor, target: Target, ignore: float) -> Tensor:
    """Return what Darknet's `yolo` layer subtracts its outputs from, loop by loop."""
    values, deltas = numbers.double().tolist(), torch.zeros_like(numbers, dtype=torch.float64)
    truths = list(zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True))
    for place, (prior, stride, row, column) in enumerate(rows()):
        x, y = ((sigmoid(values[place][i]) + (column, row)[i]) * stride for i in (0, 1))
        w, h = (prior[i] * math.exp(values[place][2 + i]) for i in (0, 1))
        box = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        best = max((iou(box, truth) for truth, _ in truths), default=0.0)
        deltas[place, 4] = 0.0 if best > ignore else -sigmoid(values[place][4])
    for truth, label in truths:
        w, h = truth[2] - truth[0], truth[3] - truth[1]
        shapes = [
            iou([-a / 2, -b / 2, a / 2, b / 2], [-w / 2, -h / 2, w / 2, h / 2]) for a, b in PRIORS
        ]
        prior = PRIORS[shapes.index(max(shapes))]
        stride = 32 if prior in PRIORS[2:] else 16
        x, y = (truth[0] + truth[2]) / 2 / stride, (truth[1] + truth[3]) / 2 / stride
        place = rows().index((prior, stride, int(y), int(x)))
        out, scale = values[place], 2 - w * h / SIDE**2
        deltas[place, 0] = scale * (x - int(x) - sigmoid(out[0]))
        deltas[place, 1] = scale * (y - int(y) - sigmoid(out[1]))
        deltas[place, 2] = scale * (math.log(w / prior[0]) - out[2])
        deltas[place, 3] = scale * (math.log(h / prior[1]) - out[3])
        deltas[place, 4] = 1 - sigmoid(out[4])
        if deltas[place, 4 + label] != 0:  # another object has the place
            deltas[place, 4 + label] = 1 - sigmoid(out[4 + label])
            continue
        for each in range(CLASSES):
            deltas[place, 5 + each] = (each + 1 == label) - sigmoid(out[5 + each])
    return deltas


@pytest.mark.parametrize("seed", range(6))
def test_gradient_is_darknets(network: YOLOv3, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(5, 2, generator=generator) * 40
    sides = 3 + torch.rand(5, 2, generator=generator) * 20
    target: Target = {
        "boxes": torch.cat((corners, corners + sides), dim=1),
        "labels": torch.randint(1, CLASSES + 1, (5,), generator=generator),
    }
    numbers = torch.randn(len(rows()), 5 + CLASSES, generator=generator).requires_grad_()
    losses = network.image_losses(numbers, places_of(network), target)
    (gradient,) = torch.autograd.grad(torch.stack(list(losses.values())).sum(), [numbers])
    expected = -darknets_deltas(numbers.detach(), target, ignore=0.7)
    torch.testing.assert_close(gradient.double(), expected, atol=1e-5, rtol=1e-4)


class TestSharedPlace:
    def test_box_is_the_later_ones_and_classes_are_of_both(
        self, network: YOLOv3, objects: Callable[..., Target]
    ) -> None:
        pair = objects((2, 2, 12, 14), (4, 3, 15, 15), labels=(1, 3))
        numbers = torch.zeros(len(rows()), 5 + CLASSES, requires_grad=True)
        losses = network.image_losses(numbers, places_of(network), pair)
        later = network.image_losses(
            numbers, places_of(network), objects((4, 3, 15, 15), labels=(3,))
        )
        torch.testing.assert_close(losses["loss_box_reg"], later["loss_box_reg"])
        (gradient,) = torch.autograd.grad(losses["loss_classifier"], [numbers])
        assert gradient[COARSE, 5:].tolist() == [-0.5, 0.5, -0.5]


def test_perfect_boxes_have_no_box_loss(network: YOLOv3, objects: Callable[..., Target]) -> None:
    target = objects((10, 12, 50, 42), (33, 33, 43, 44))
    places = places_of(network)
    own = places.assigned(target["boxes"])
    encoded = places.encoded(target["boxes"], own)
    numbers = torch.zeros(len(rows()), 5 + CLASSES)
    numbers[own, :4] = torch.cat((encoded[:, :2].logit(), encoded[:, 2:]), dim=1)
    assert float(network.image_losses(numbers, places, target)["loss_box_reg"]) < 1e-6


def test_losses_are_those_worked_by_hand(network: YOLOv3, objects: Callable[..., Target]) -> None:
    """One object as large as the second prior, its centre in the middle of a cell; zeros."""
    target = objects((12, 16, 36, 32), labels=(2,))  # centre (24, 24): cell (1, 1) of 16 pixels
    numbers = torch.zeros(len(rows()), 5 + CLASSES)
    losses = network.image_losses(numbers, places_of(network), target)
    # All boxes but the object's own have sigmoid 1/2; of the others, none overlaps by over 0.7.
    assert float(losses["loss_box_reg"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["loss_objectness"]) == pytest.approx(len(rows()) * math.log(2), rel=1e-5)
    assert float(losses["loss_classifier"]) == pytest.approx(CLASSES * math.log(2), rel=1e-5)


def test_box_that_overlaps_enough_counts_neither_as_object_nor_as_none(
    objects: Callable[..., Target],
) -> None:
    numbers = torch.zeros(len(rows()), 5 + CLASSES)
    # The first prior at cell (0, 0) of the fine map is 10 x 12 about (8, 8); the object is 10 x 10
    # about (8.5, 8.5) there, so that the box of the second prior, 24 x 16, overlaps it by 100/384.
    target = objects((3.5, 3.5, 13.5, 13.5))
    strict, lenient = (built(ignore_iou=value) for value in (0.9, 0.2))
    losses = [
        float(each.image_losses(numbers, places_of(each), target)["loss_objectness"])
        for each in (strict, lenient)
    ]
    assert losses[0] == pytest.approx(len(rows()) * math.log(2), rel=1e-5)
    assert losses[1] == pytest.approx((len(rows()) - 1) * math.log(2), rel=1e-5)


def test_score_is_objectness_times_the_classs_own_probability() -> None:
    network = built(score_threshold=0.0, nms=1.0)
    maps = {"stride 32": torch.zeros(1, 16, 2, 2), "stride 16": torch.zeros(1, 16, 4, 4)}
    place = maps["stride 32"].reshape(2, 5 + CLASSES, 2, 2)[1, :, 0, 1]
    place[4:] = torch.tensor([1.0, 2.0, 1.0, -1.0])
    (found,) = network.detect(ImageList(torch.zeros(1), [(SIDE, SIDE)]), maps)
    expected = [sigmoid(1.0) * sigmoid(each) for each in (2.0, 1.0)]
    assert found["scores"][:2].tolist() == pytest.approx(expected)
    assert found["labels"][:2].tolist() == [1, 2]
    assert found["boxes"][0].tolist() == pytest.approx([48 - 35, 0, 64, 16 + 25])
