"""The boxes that a class usually has, and the network that says them of every image."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from data_pipeline.samples import DetectionBatch
from models.detection.outputs import Learned, Scored, Targets
from models.metrics.box_groups import box_groups, pairwise_iou
from models.reference_boxes import ConstantBoxes, TrainingBoxes, fit_boxes, hit_rates

Box = tuple[float, float, float, float]


def random_boxes(count: int, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    generator = np.random.default_rng(seed)
    corners = generator.random((count, 2, 2))
    corners.sort(axis=1)
    corners[:, 1] += 0.01
    return corners.reshape(count, 4)


def batch(images: Sequence[Sequence[Box]], size_hw: tuple[int, int] = (40, 80)) -> DetectionBatch:
    """Return images of one class whose boxes are given in pixels."""
    boxes = tuple(torch.tensor(each, dtype=torch.float32).reshape(-1, 4) for each in images)
    return DetectionBatch(
        image_ids=tuple(str(index) for index in range(len(images))),
        images=tuple(torch.zeros(3, *size_hw, dtype=torch.uint8) for _ in images),
        stored_hw=(size_hw,) * len(images),
        boxes_xyxy=boxes,
        labels=tuple(torch.zeros(len(each), dtype=torch.int64) for each in boxes),
        areas=tuple(torch.ones(len(each)) for each in boxes),
        is_crowd=tuple(torch.zeros(len(each), dtype=torch.bool) for each in boxes),
        is_difficult=tuple(torch.zeros(len(each), dtype=torch.bool) for each in boxes),
    )


def test_overlaps_are_torchvisions() -> None:
    first, second = random_boxes(40), random_boxes(60, seed=1)
    expected = box_iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    assert pairwise_iou(first, second) == pytest.approx(expected, abs=1e-12)


def test_groups_of_equal_boxes_are_found_exactly() -> None:
    kinds = np.array([[0.0, 0.0, 0.3, 0.3], [0.5, 0.5, 1.0, 0.9], [0.1, 0.6, 0.2, 1.0]])
    boxes = np.repeat(kinds, (50, 20, 5), axis=0)
    found = box_groups(boxes, 3)
    assert sorted(found.tolist()) == sorted(kinds.tolist())
    assert len(box_groups(boxes, 7)) == 3  # no more than differ


def test_more_groups_cover_more_and_all_boxes_cover_themselves() -> None:
    boxes = random_boxes(30)
    covers = [
        pairwise_iou(box_groups(boxes, count), boxes).max(axis=0).mean()
        for count in (1, 2, 5, 10, 30)
    ]
    assert covers == sorted(covers)
    assert covers[-1] == pytest.approx(1.0)


def test_groups_are_near_the_best_pair_of_boxes() -> None:
    """No two of the boxes themselves cover all much better than the groups that were found."""
    boxes = random_boxes(25)
    overlaps = pairwise_iou(boxes, boxes)
    best = max(np.maximum(*overlaps[list(pair)]).mean() for pair in product(range(25), repeat=2))
    found = pairwise_iou(box_groups(boxes, 2), boxes).max(axis=0).mean()
    assert found >= 0.98 * best


def test_many_boxes_are_grouped_alike_every_time() -> None:
    boxes = random_boxes(5000)
    first, second = box_groups(boxes, 8), box_groups(boxes, 8)
    assert first.shape == (8, 4)
    assert (first == second).all()


def test_score_is_the_share_of_images_in_which_a_box_finds_an_object() -> None:
    place, elsewhere = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]
    nearly = [0.1, 0.1, 0.5, 0.4]
    training = TrainingBoxes(
        np.array([place, nearly, elsewhere, place]), image=np.array([0, 0, 1, 2])
    )
    rates = hit_rates(np.array([place, elsewhere]), training, images=4)
    assert rates.tolist() == [0.5, 0.25]


class TestNetwork:
    def fitted(self) -> ConstantBoxes:
        """Objects of the class are at one place in three of four images, elsewhere in one."""
        usual, other = (8.0, 4.0, 24.0, 20.0), (40.0, 20.0, 80.0, 40.0)
        network = ConstantBoxes(classes=2, count=3)
        fit_boxes(network, [batch([[usual], [usual, other]]), batch([[usual], []])])
        return network.eval()

    def test_every_image_has_the_usual_boxes_in_its_own_size(self) -> None:
        with torch.no_grad():
            small, large = self.fitted()([torch.zeros(3, 40, 80), torch.zeros(3, 80, 240)])
        assert small["scores"].tolist() == large["scores"].tolist() == [0.75, 0.25]
        assert small["labels"].tolist() == [1, 1]
        assert small["boxes"][0].tolist() == pytest.approx([8, 4, 24, 20], abs=1e-5)
        assert large["boxes"][0].tolist() == pytest.approx([24, 8, 72, 40], abs=1e-5)

    def test_loss_is_how_far_objects_are_from_the_nearest_box(self) -> None:
        network = self.fitted()
        targets = Targets(
            [
                {"boxes": torch.tensor([[8.0, 4.0, 24.0, 12.0]]), "labels": torch.tensor([1])},
                {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
                {"boxes": torch.tensor([[8.0, 4.0, 24.0, 20.0]]), "labels": torch.tensor([2])},
            ]
        )
        images = [torch.zeros(3, 40, 80)] * 3
        scored: Scored = network(images, targets)
        # Half covered; nothing to find; a class that training had no object of.
        assert scored.losses["loss_cover"].tolist() == pytest.approx([0.5, 0.0, 1.0], abs=1e-6)
        learned: Learned = network.train()(images, targets)
        assert float(learned.losses["loss_cover"]) == pytest.approx(0.5, abs=1e-6)

    def test_without_objects_nothing_is_found(self) -> None:
        network = ConstantBoxes(classes=1, count=2)
        fit_boxes(network, [batch([[], []])])
        (found,) = network.eval()([torch.zeros(3, 40, 80)])
        assert len(found["scores"]) == 0
