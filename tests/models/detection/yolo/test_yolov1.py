"""YOLOv1's boxes and its loss, equation 3, by hand."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.detection.outputs import Target
from models.detection.yolo.settings import YOLOv1Settings
from models.detection.yolo.yolov1 import GRID, YOLOv1, build_yolov1

CLASSES = 3
CELLS = 2  # rows and columns, of 64 pixels
NUMBERS = 2 * 5 + CLASSES


def built(**settings: Any) -> YOLOv1:
    torch.manual_seed(0)
    given = YOLOv1Settings.model_validate({"width": 0.05, "grid": CELLS, **settings})
    return build_yolov1(given, CLASSES + 1)


@pytest.fixture(scope="module")
def network() -> YOLOv1:
    return built()


def losses_of(network: YOLOv1, numbers: Tensor, target: Target) -> dict[str, float]:
    (losses,) = network.losses_of_images(None, {GRID: numbers[None]}, [target])
    return {name: float(value.detach()) for name, value in losses.items()}


def test_boxes_are_of_cells_and_their_sides_squares_of_numbers(network: YOLOv1) -> None:
    numbers = torch.zeros(CELLS**2, NUMBERS)
    # Second box of the third cell, row 1 and column 0: a quarter right, three quarters down.
    numbers[2, 5:10] = torch.tensor([0.25, 0.75, 0.5, -1.0, 0.8])
    boxes, confidences, classes = network.decoded(numbers)
    assert boxes.shape == (4, 2, 4)
    centre, sides = (0.25 * 64, 1.75 * 64), (0.25 * 128, 1.0 * 128)
    expected = [
        *(c - s / 2 for c, s in zip(centre, sides, strict=True)),
        *(c + s / 2 for c, s in zip(centre, sides, strict=True)),
    ]
    assert boxes[2, 1].tolist() == pytest.approx(expected)
    assert float(confidences[2, 1]) == pytest.approx(0.8)
    assert classes.shape == (4, CLASSES)


class TestLoss:
    """An object of 32 x 64 pixels about (80, 96), in the last cell, at (1/4, 1/2) of it."""

    OBJECT = (64.0, 64.0, 96.0, 128.0)

    def numbers(self, first: list[float], second: list[float]) -> Tensor:
        numbers = torch.full((CELLS**2, NUMBERS), 0.1)
        numbers[3, :5], numbers[3, 5:10] = torch.tensor(first), torch.tensor(second)
        return numbers

    def test_is_equation_3(self, network: YOLOv1, objects: Callable[..., Target]) -> None:
        # The second box is 32 x 32 about (96, 96), half a cell from the left: IoU 16 x 32 of
        # 32 x 64 + 16 x 32. The first is nowhere near.
        numbers = self.numbers([0.0, 0.0, 0.0, 0.0, 0.3], [0.5, 0.5, 0.5, 0.5, 0.6])
        losses = losses_of(network, numbers, objects(self.OBJECT, labels=(2,)))
        root = math.sqrt(1 / 2) - 0.5  # of 64 / 128, against a root of 32 / 128
        assert losses["loss_box_reg"] == pytest.approx(5 * (0.25**2 + root**2), rel=1e-5)
        overlap = 16 * 32 / (32 * 64 + 32 * 32 - 16 * 32)
        others = 6 * 0.1**2 + 0.3**2
        expected = (0.6 - overlap) ** 2 + 0.5 * others
        assert losses["loss_objectness"] == pytest.approx(expected, rel=1e-5)
        assert losses["loss_classifier"] == pytest.approx(0.9**2 + 2 * 0.1**2, rel=1e-5)

    def test_nearest_box_is_responsible_where_none_overlaps(
        self, network: YOLOv1, objects: Callable[..., Target]
    ) -> None:
        far, near = [-1.0, -1.0, 0.1, 0.1, 0.3], [0.9, 0.5, 0.1, 0.1, 0.6]
        for pair, confidence in (((far, near), 0.6), ((near, far), 0.6)):
            losses = losses_of(network, self.numbers(*pair), objects(self.OBJECT))
            expected = confidence**2 + 0.5 * (6 * 0.1**2 + 0.3**2)  # towards an IoU of 0
            assert losses["loss_objectness"] == pytest.approx(expected, rel=1e-5)

    def test_weights_are_settings(self, objects: Callable[..., Target]) -> None:
        numbers = self.numbers([0.5] * 5, [0.4] * 5)
        usual = losses_of(built(), numbers, objects(self.OBJECT))
        changed = losses_of(
            built(coordinate_weight=10, no_object_weight=0), numbers, objects(self.OBJECT)
        )
        assert changed["loss_box_reg"] == pytest.approx(2 * usual["loss_box_reg"])
        assert changed["loss_objectness"] < usual["loss_objectness"]

    def test_one_object_of_a_cell_is_learnt(
        self, network: YOLOv1, objects: Callable[..., Target]
    ) -> None:
        numbers = self.numbers([0.5] * 5, [0.4] * 5)
        both = objects((100, 100, 120, 120), self.OBJECT, labels=(1, 2))
        alone = objects(self.OBJECT, labels=(2,))
        assert losses_of(network, numbers, both) == losses_of(network, numbers, alone)

    def test_perfect_numbers_have_none(
        self, network: YOLOv1, objects: Callable[..., Target]
    ) -> None:
        numbers = torch.zeros(CELLS**2, NUMBERS)
        numbers[3, :5] = torch.tensor([0.25, 0.5, 0.5, math.sqrt(0.5), 1.0])
        numbers[3, 11] = 1.0
        losses = losses_of(network, numbers, objects(self.OBJECT, labels=(2,)))
        assert sum(losses.values()) == pytest.approx(0, abs=1e-9)


def test_score_is_confidence_times_the_probability_of_the_class() -> None:
    network = built(score_threshold=0.01)
    numbers = torch.zeros(1, CELLS**2, NUMBERS)
    numbers[0, 3] = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.8, *[0.0] * 5, 0.1, 0.9, -0.5])
    (found,) = network.detect(ImageList(torch.zeros(1), [(128, 128)]), {GRID: numbers})
    assert found["scores"].tolist() == pytest.approx([0.72, 0.08])
    assert found["labels"].tolist() == [2, 1]
    assert found["boxes"][0].tolist() == [80, 80, 112, 112]


def test_image_of_another_size_is_refused(network: YOLOv1) -> None:
    with pytest.raises(
        ValueError,
        match=r"with grid 2 must have 128x128 pixels, got 128x192; set data\.image_size",
    ):
        network([torch.zeros(3, 128, 150)], None)


def test_boxes_of_a_cell_start_in_its_middle_and_differ_in_size(network: YOLOv1) -> None:
    boxes, _, classes = network.decoded(network.output.bias.detach().reshape(CELLS**2, -1))
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    sides = boxes[..., 2:] - boxes[..., :2]
    assert centres[1].tolist() == [[96, 32]] * 2
    torch.testing.assert_close(sides[3, :, 0], torch.tensor([1 / 9, 4 / 9]) * 128)
    torch.testing.assert_close(classes, torch.full((CELLS**2, CLASSES), 1 / CLASSES))


def test_dropout_is_on_in_training_alone() -> None:
    network, image = built(dropout=0.9), torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        torch.nn.init.normal_(network.output.weight)
        evaluated = [network.eval().maps(image)[GRID] for _ in range(2)]
        trained = [network.train().maps(image)[GRID] for _ in range(2)]
    assert torch.equal(*evaluated)
    assert not torch.equal(*trained)
