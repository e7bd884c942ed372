"""Which triplets of a batch are mined, and what each of them costs."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from models.loss_settings import Mining
from models.losses import triplets
from models.losses.triplets import squared_distances, triplet_loss

MININGS = get_args(Mining)
LABELS = torch.tensor([0, 0, 0, 1, 1])
ANGLES = (0, 31, 90, 63, 104)  # degrees on a circle; no two are equally far apart


def planted() -> Tensor:
    """Return embeddings of various lengths, whose squared distances are 2 - 2 cos of angles."""
    radians = torch.tensor(ANGLES, dtype=torch.float64) * math.pi / 180
    lengths = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0], dtype=torch.float64)
    return lengths[:, None] * torch.stack([radians.cos(), radians.sin()], dim=1)


def apart(degrees: float) -> float:
    return 2 - 2 * math.cos(math.radians(degrees))


def cost(positive: float, negative: float, margin: float) -> float:
    return max(0.0, apart(positive) - apart(negative) + margin)


def written_out(
    distances: Tensor, labels: list[int], mining: Mining, margin: float
) -> list[Tensor]:
    """Return the cost of each triplet that counts, one by one."""
    costs = []
    for a, row in enumerate(distances):
        positives = [p for p, label in enumerate(labels) if label == labels[a] and p != a]
        negatives = [n for n, label in enumerate(labels) if label != labels[a]]
        if mining == "batch_hard":
            pairs = [(max(positives, key=lambda p: row[p]), min(negatives, key=lambda n: row[n]))]
        elif mining == "batch_all":
            pairs = [(p, n) for p in positives for n in negatives if row[p] - row[n] + margin > 0]
        else:
            farther = {p: [n for n in negatives if row[n] > row[p]] for p in positives}
            nearest = {p: min(all_, key=lambda n: row[n]) for p, all_ in farther.items() if all_}
            pairs = [(p, n) for p, n in nearest.items() if row[n] < row[p] + margin]
        costs += [(row[p] - row[n] + margin).relu() for p, n in pairs]
    return costs


def test_distance_is_of_embeddings_of_length_one() -> None:
    expected = [[apart(a - b) for b in ANGLES] for a in ANGLES]
    np.testing.assert_allclose(squared_distances(planted()).numpy(), expected, atol=1e-12)


def test_hard_mining_takes_the_farthest_positive_and_the_nearest_negative() -> None:
    # anchor: degrees to its farthest positive, to its nearest negative
    mined = [(90, 63), (59, 32), (90, 14), (41, 27), (41, 14)]
    expected = np.mean([cost(*each, 0.2) for each in mined])
    value, triplets = triplet_loss(planted(), LABELS, margin=0.2, mining="batch_hard")
    assert value.item() == pytest.approx(expected)
    assert triplets.item() == 5


def test_all_mining_is_the_mean_over_triplets_that_cost_something() -> None:
    costs = [
        cost(ANGLES[a] - ANGLES[p], ANGLES[a] - ANGLES[n], 0.2)
        for a in range(5)
        for p in range(5)
        for n in range(5)
        if a != p and LABELS[a] == LABELS[p] and LABELS[a] != LABELS[n]
    ]
    assert len(costs) == 3 * 2 * 2 + 2 * 1 * 3
    above = [each for each in costs if each > 0]
    assert 0 < len(above) < len(costs)
    value, triplets = triplet_loss(planted(), LABELS, margin=0.2, mining="batch_all")
    assert value.item() == pytest.approx(np.mean(above))
    assert triplets.item() == len(above)


def test_semi_hard_mining_takes_the_nearest_negative_beyond_the_positive() -> None:
    # Degrees to a positive and to that negative, of the anchors at 0, at 31 twice, and so on;
    # the anchor at 90 has no negative beyond its positives.
    pairs = [(31, 63), (90, 104), (31, 32), (59, 73), (41, 63), (41, 73)]
    within = [each for each in pairs if apart(each[1]) < apart(each[0]) + 0.5]
    assert within == [(90, 104), (31, 32), (59, 73)]
    expected = np.mean([cost(*each, 0.5) for each in within])
    value, triplets = triplet_loss(planted(), LABELS, margin=0.5, mining="semi_hard")
    assert value.item() == pytest.approx(expected)
    assert triplets.item() == 3


@pytest.mark.parametrize("mining", MININGS)
def test_batch_is_mined_alike_in_parts(mining: Mining, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(0, 4, (30,), generator=generator)
    embeddings = torch.randn(30, 5, generator=generator, requires_grad=True)
    whole = triplet_loss(embeddings, labels, margin=0.5, mining=mining)
    monkeypatch.setattr(triplets, "MOST_AT_ONCE", 7 * 30 * 30)  # seven anchors, and two at last
    parts = triplet_loss(embeddings, labels, margin=0.5, mining=mining)
    assert whole.triplets > 10
    torch.testing.assert_close(parts, whole)
    ours, theirs = (torch.autograd.grad(each.loss, embeddings) for each in (parts, whole))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mining", MININGS)
def test_loss_and_gradient_are_those_of_every_triplet_written_out(mining: Mining) -> None:
    generator = torch.Generator().manual_seed(4)
    labels = torch.randint(0, 3, (14,), generator=generator)
    embeddings = torch.randn(14, 3, generator=generator, requires_grad=True)
    distances = squared_distances(embeddings)
    costs = written_out(distances, labels.tolist(), mining, margin=0.4)
    expected = torch.stack(costs).mean()
    found = triplet_loss(embeddings, labels, margin=0.4, mining=mining)
    assert found.triplets == len(costs)
    torch.testing.assert_close(found.loss, expected)
    ours, theirs = (torch.autograd.grad(each, embeddings) for each in (found.loss, expected))
    torch.testing.assert_close(ours, theirs)


def test_gradient_of_a_large_batch_keeps_pairs_and_no_triplets() -> None:
    kept: list[int] = []

    def keep(values: Tensor) -> Tensor:
        kept.append(values.numel())
        return values

    labels = torch.arange(100) % 4
    embeddings = torch.randn(100, 5, requires_grad=True)
    for mining in MININGS:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda values: values):
            triplet_loss(embeddings, labels, margin=0.2, mining=mining)
    assert max(kept) == 100 * 100


@pytest.mark.parametrize("mining", MININGS)
def test_classes_far_apart_cost_nothing(mining: Mining) -> None:
    embeddings = torch.tensor([[1.0, 0], [1, 0], [-1, 0], [-1, 0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert triplet_loss(embeddings, labels, margin=0.2, mining=mining).loss.item() == 0


@pytest.mark.parametrize("mining", MININGS)
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]])
def test_batch_without_a_triplet_costs_nothing_and_moves_nothing(
    mining: Mining, labels: list[int]
) -> None:
    embeddings = torch.randn(len(labels), 2, requires_grad=True)
    value, triplets = triplet_loss(embeddings, torch.tensor(labels), margin=0.2, mining=mining)
    (gradient,) = torch.autograd.grad(value, embeddings)
    assert (value.item(), triplets.item()) == (0, 0)
    assert not gradient.any()


@pytest.mark.parametrize("mining", MININGS)
def test_gradient_is_that_of_finite_differences(mining: Mining) -> None:
    point = planted().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda each: triplet_loss(each, LABELS, margin=0.37, mining=mining).loss, point
    )


@pytest.mark.parametrize("mining", MININGS)
def test_embeddings_that_are_all_zero_have_a_finite_gradient(mining: Mining) -> None:
    embeddings = torch.zeros(5, 3, requires_grad=True)
    value, _ = triplet_loss(embeddings, LABELS, margin=0.2, mining=mining)
    (gradient,) = torch.autograd.grad(value, embeddings)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("mining", MININGS)
def test_length_and_order_of_embeddings_do_not_matter(mining: Mining) -> None:
    order = torch.tensor([3, 0, 4, 2, 1])
    value = triplet_loss(planted(), LABELS, margin=0.5, mining=mining)
    again = triplet_loss(5 * planted()[order], LABELS[order], margin=0.5, mining=mining)
    torch.testing.assert_close(again, value)


@pytest.mark.parametrize("mining", MININGS)
def test_embedding_learns_to_tell_classes_apart(mining: Mining) -> None:
    torch.manual_seed(0)
    embeddings = torch.randn(12, 3, requires_grad=True)
    labels = torch.arange(12) % 3
    optimizer = torch.optim.Adam([embeddings], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        triplet_loss(embeddings, labels, margin=0.5, mining=mining).loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    distances = squared_distances(embeddings.detach())
    same = labels[:, None] == labels
    assert distances[same].max() < distances[~same].min()
