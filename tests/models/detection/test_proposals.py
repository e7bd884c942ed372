import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.models.detection.rpn import (  # type: ignore[import-untyped]
    RegionProposalNetwork,
)
from torchvision.ops import batched_nms, nms  # type: ignore[import-untyped]

from models.detection.outputs import Target
from models.detection.proposals import ProposalNetwork, overlapping_boxes, proposal_network
from models.detection.region_settings import ProposalSettings

Boxes = NDArray[np.float64]


def network(sizes: tuple[tuple[int, ...], ...] = ((16,),), **settings: Any) -> ProposalNetwork:
    torch.manual_seed(0)
    return proposal_network(ProposalSettings.model_validate(settings), 8, sizes)


def random_boxes(count: int, generator: np.random.Generator, side: float = 40.0) -> Boxes:
    corners = generator.uniform(0, side, (count, 2))
    sides = generator.uniform(1, side, (count, 2))
    return np.hstack([corners, corners + sides])


def iou(one: Boxes, other: Boxes) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, across) * max(0.0, down)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(shared / (sum(areas) - shared))


def tensor(values: Boxes) -> Tensor:
    return torch.from_numpy(values).float()


def suppressed(boxes: Boxes, scores: Boxes, threshold: float) -> list[int]:
    """Take the best box, drop what overlaps it, and so on (Felzenszwalb et al. 2010)."""
    left, kept = list(np.argsort(-scores)), []
    while left:
        best = left.pop(0)
        kept.append(int(best))
        left = [index for index in left if iou(boxes[best], boxes[index]) <= threshold]
    return kept


class TestNonMaximumSuppression:
    def test_a_thousand_random_cases_come_out_as_taken_one_by_one(self) -> None:
        generator = np.random.default_rng(0)
        for _ in range(1000):
            boxes, scores = random_boxes(10, generator), generator.random(10)
            threshold = float(generator.uniform(0.1, 0.9))
            kept = nms(tensor(boxes), tensor(scores), threshold)
            assert kept.tolist() == suppressed(boxes, scores, threshold)

    def test_classes_do_not_suppress_each_other(self) -> None:
        generator = np.random.default_rng(1)
        for _ in range(300):
            boxes, scores = random_boxes(10, generator), generator.random(10)
            labels = generator.integers(0, 3, 10)
            kept = batched_nms(tensor(boxes), tensor(scores), torch.from_numpy(labels), 0.4)
            expected: set[int] = set()
            for label in range(3):
                own = np.flatnonzero(labels == label)
                expected |= {int(own[i]) for i in suppressed(boxes[own], scores[own], 0.4)}
            assert set(kept.tolist()) == expected
            assert (np.diff(scores[kept.numpy()]) <= 0).all()

    def test_proposals_overlap_less_than_the_setting_and_are_as_many_as_asked_for(self) -> None:
        made = network(proposals=7, candidates=60, proposal_nms=0.3).eval()
        image = ImageList(torch.zeros(1, 3, 64, 64), [(64, 64)])
        generator = torch.Generator().manual_seed(4)
        ((found,), _) = made(image, {"0": 30 * torch.randn(1, 8, 8, 8, generator=generator)})
        assert len(found) == 7
        for one, other in product(range(7), repeat=2):
            overlap = iou(found[one].double().numpy(), found[other].double().numpy())
            assert one == other or overlap <= 0.3 + 1e-5


def test_anchors_of_a_thousand_random_cases_are_those_of_the_paper() -> None:
    """Area s * s, height by width r, one of each in the corner of every place (section 3.1.1).

    torchvision rounds half the sides of an anchor to whole pixels.
    """
    generator = np.random.default_rng(2)
    for _ in range(100):
        sizes = tuple(int(size) for size in generator.integers(8, 300, generator.integers(1, 4)))
        ratios = tuple(generator.uniform(0.25, 4, generator.integers(1, 4)).tolist())
        made = network((sizes,), aspect_ratios=ratios).anchor_generator
        for _ in range(10):
            stride = int(2 ** generator.integers(2, 6))
            down, across = (int(count) for count in generator.integers(1, 4, 2))
            image = ImageList(torch.zeros(1, 3, down * stride, across * stride), [(1, 1)])
            (found,) = made(image, [torch.zeros(1, 8, down, across)])
            expected = [
                [x * stride - width / 2, y * stride - height / 2,
                 x * stride + width / 2, y * stride + height / 2]
                for y in range(down)
                for x in range(across)
                for ratio in ratios
                for size in sizes
                for width, height in [(size / math.sqrt(ratio), size * math.sqrt(ratio))]
            ]  # fmt: skip
            np.testing.assert_allclose(found.numpy(), expected, atol=0.5 + 1e-3)


def test_anchors_are_matched_as_in_the_paper_in_a_thousand_random_cases() -> None:
    """Section 3.1.2: object from the upper IoU on, or best of a true box; background below.

    A true box that no anchor overlaps has no best one.
    """
    generator = np.random.default_rng(3)
    for _ in range(100):
        below, above = np.sort(generator.uniform(0.1, 0.9, 2))
        made = network(anchor_background_iou=below, anchor_foreground_iou=above)
        for _ in range(10):
            anchors, true = random_boxes(8, generator), random_boxes(3, generator)
            labels, boxes = made.assign_targets_to_anchors(
                [tensor(anchors)], [{"boxes": tensor(true)}]
            )
            for index, (label, best) in enumerate(matched(anchors, true, below, above)):
                assert float(labels[0][index]) == label
                if label == 1.0:
                    assert torch.equal(boxes[0][index], tensor(true[best]))


def test_an_object_that_no_anchor_overlaps_has_none() -> None:
    anchors = torch.tensor([[0.0, 0, 8, 8], [16, 16, 24, 24], [0, 16, 8, 24]])
    far, near = (20.0, 4.0, 22.0, 6.0), (16.0, 16.0, 24.0, 26.0)
    grazed = (6.0, 14.0, 24.0, 24.0)  # overlaps the second most and the third a little
    for boxes, expected in (
        ((far,), [0, 0, 0]),
        ((far, near), [0, 1, 0]),
        ((far, grazed), [0, 1, 0]),
    ):
        target: Target = {
            "boxes": torch.tensor(boxes),
            "labels": torch.ones(len(boxes), dtype=torch.int64),
        }
        labels, _ = network().assign_targets_to_anchors([anchors], [target])
        assert labels[0].tolist() == expected


def matched(
    anchors: Boxes, true: Boxes, below: float, above: float
) -> Iterator[tuple[float, int]]:
    """Yield label and best true box of each anchor."""
    table = np.array([[iou(anchor, box) for box in true] for anchor in anchors])
    best = table.max(axis=0)
    for row in table:
        is_best = bool(((row == best) & (best > 0)).any())
        if row.max() >= above or is_best:
            yield 1.0, int(np.argmax(row))
        else:
            yield (0.0 if row.max() < below else -1.0), -1


class TestLoss:
    def arguments(self, *counts: tuple[int, int, int]) -> tuple[Any, ...]:
        """Return logits, deltas, labels and targets of so many objects, background and neither."""
        generator = torch.Generator().manual_seed(5)
        labels = [
            torch.cat([torch.full((n,), v) for n, v in zip(each, (1.0, 0.0, -1.0), strict=True)])
            for each in counts
        ]
        total = sum(len(each) for each in labels)
        return (
            torch.randn(total, 1, generator=generator),
            torch.randn(total, 4, generator=generator),
            labels,
            [torch.randn(len(each), 4, generator=generator) for each in labels],
        )

    def test_of_as_many_anchors_in_each_image_it_is_torchvisions(self) -> None:
        made, arguments = network(sampled_anchors=8), self.arguments((6, 20, 3), (2, 30, 3))
        torch.manual_seed(1)
        ours = made.compute_loss(*arguments)
        torch.manual_seed(1)
        theirs = RegionProposalNetwork.compute_loss(made, *arguments)
        torch.testing.assert_close(ours, theirs)

    def test_it_is_a_mean_over_images_however_many_anchors_each_gives(self) -> None:
        made, (logits, deltas, labels, wanted) = network(), self.arguments((2, 9, 4), (1, 3, 0))
        both = made.compute_loss(logits, deltas, labels, wanted)
        parts = (slice(0, 15), slice(15, 19))
        alone = [
            RegionProposalNetwork.compute_loss(
                made, logits[part], deltas[part], [labels[i]], [wanted[i]]
            )
            for i, part in enumerate(parts)
        ]
        for name in range(2):
            torch.testing.assert_close(both[name], (alone[0][name] + alone[1][name]) / 2)


class TestOverlappingBoxes:
    def target(self, *boxes: list[float]) -> Target:
        return {
            "boxes": torch.tensor(boxes).reshape(-1, 4),
            "labels": torch.ones(len(boxes), dtype=torch.long),
        }

    def test_it_is_the_share_of_proposals_that_reach_half_of_a_true_box(self) -> None:
        proposals = torch.tensor(
            [
                [0.0, 0.0, 10.0, 10.0],  # the box
                [0.0, 0.0, 10.0, 5.0],  # half of it: IoU 0.5
                [0.0, 0.0, 10.0, 4.9],
                [20.0, 20.0, 30.0, 30.0],
                [40.0, 0.0, 50.0, 9.0],  # nine tenths of the other one
            ]
        )
        true = self.target([0.0, 0.0, 10.0, 10.0], [40.0, 0.0, 50.0, 10.0])
        (row,) = overlapping_boxes([proposals], [true])
        assert row.tolist() == [pytest.approx(3 / 5), 1.0]

    def test_images_without_objects_do_not_count(self) -> None:
        (row,) = overlapping_boxes([torch.rand(4, 4)], [self.target()])
        assert row.tolist() == [0.0, 0.0]

    def test_images_without_proposals_count_as_none(self) -> None:
        (row,) = overlapping_boxes([torch.zeros(0, 4)], [self.target([0.0, 0.0, 9.0, 9.0])])
        assert row.tolist() == [0.0, 1.0]
