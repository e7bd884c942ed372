import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.suppression import (
    Candidates,
    best_of_all,
    best_of_each_class,
    joined,
    suppressed,
)


def boxes(count: int) -> Tensor:
    return torch.arange(count * 4.0).view(-1, 4)


SCORES = torch.tensor([[0.9, 0.1], [0.4, 0.8], [0.05, 0.7]])


def rows(candidates: Candidates) -> list[tuple[float, int, float]]:
    return [
        (float(box[0]) / 4, int(label), round(float(score), 6))
        for box, label, score in zip(*candidates, strict=True)
    ]


@pytest.mark.parametrize(
    ("count", "above", "expected"),
    [
        (3, 0.0, [(0, 1, 0.9), (1, 2, 0.8), (2, 2, 0.7)]),
        (100, 0.3, [(0, 1, 0.9), (1, 2, 0.8), (2, 2, 0.7), (1, 1, 0.4)]),
        (2, 0.85, [(0, 1, 0.9)]),
        (3, 0.95, []),
    ],
)
def test_best_of_all_are_the_best_pairs_of_box_and_class(
    count: int, above: float, expected: list[tuple[float, int, float]]
) -> None:
    assert rows(best_of_all(boxes(3), SCORES, count=count, above=above)) == expected


@pytest.mark.parametrize(
    ("count", "above", "expected"),
    [
        (1, 0.0, [(0, 1, 0.9), (1, 2, 0.8)]),
        (2, 0.0, [(0, 1, 0.9), (1, 2, 0.8), (1, 1, 0.4), (2, 2, 0.7)]),
        (100, 0.5, [(0, 1, 0.9), (1, 2, 0.8), (2, 2, 0.7)]),
    ],
)
def test_best_of_each_class_does_not_let_a_class_crowd_out_another(
    count: int, above: float, expected: list[tuple[float, int, float]]
) -> None:
    assert rows(best_of_each_class(boxes(3), SCORES, count=count, above=above)) == expected


def test_groups_are_joined_in_order() -> None:
    first, second = (best_of_all(boxes(3), SCORES, count=count, above=0.0) for count in (1, 2))
    assert rows(joined([first, second])) == rows(first) + rows(second)


def greedy(candidates: Candidates, nms: float) -> list[int]:
    """Keep the best, drop what overlaps it in its class, and so on."""
    left = torch.argsort(candidates.scores, descending=True).tolist()
    kept: list[int] = []
    while left:
        best, *left = left
        kept.append(best)
        overlaps = box_iou(candidates.boxes[best][None], candidates.boxes)[0]
        same = candidates.labels == candidates.labels[best]
        left = [each for each in left if not (same[each] and overlaps[each] > nms)]
    return kept


def test_suppression_is_greedy_and_of_each_class_by_itself() -> None:
    generator = torch.Generator().manual_seed(3)
    for nms in (0.2, 0.5, 0.8):
        corners = torch.rand(60, 2, generator=generator) * 20
        sides = torch.rand(60, 2, generator=generator) * 20 + 30
        candidates = Candidates(
            torch.cat([corners, corners + sides], dim=1),
            torch.randint(1, 4, (60,), generator=generator),
            torch.rand(60, generator=generator),
        )
        found = suppressed(candidates, (200, 200), nms=nms, detections=60)
        kept = greedy(candidates, nms)
        assert 3 < len(kept) < 60
        assert torch.equal(found["scores"], candidates.scores[kept])
        assert torch.equal(found["boxes"], candidates.boxes[kept])
        assert torch.equal(found["labels"], candidates.labels[kept])


def test_boxes_are_cut_to_the_image_and_dropped_outside_it() -> None:
    candidates = Candidates(
        torch.tensor([[-5.0, -5, 20, 90], [101, 10, 120, 20]]),
        torch.tensor([1, 1]),
        torch.tensor([0.5, 0.9]),
    )
    found = suppressed(candidates, (80, 100), nms=0.5, detections=10)
    assert found["boxes"].tolist() == [[0, 0, 20, 80]]


def test_no_more_detections_are_left_than_asked_for() -> None:
    places = torch.arange(30.0)[:, None] * 10
    apart = torch.cat([places, places, places + 5, places + 5], dim=1)
    candidates = Candidates(apart, torch.ones(30, dtype=torch.int64), torch.rand(30))
    found = suppressed(candidates, (400, 400), nms=0.5, detections=7)
    assert torch.equal(found["scores"], candidates.scores.topk(7).values)


def test_no_candidates_are_no_detections() -> None:
    found = suppressed(
        best_of_all(boxes(3), SCORES, count=5, above=1.0), (10, 10), nms=0.5, detections=5
    )
    assert found["boxes"].shape == (0, 4)
