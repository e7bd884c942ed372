import math

import pytest
import torch
from segmentation_models_pytorch.losses._functional import (  # type: ignore[import-untyped]
    softmax_focal_loss_with_logits,
)
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss  # type: ignore[import-untyped]

from models.losses import IGNORE, cross_entropy, sigmoid_focal, softmax_focal


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_sigmoid_focal_is_torchvisions_mean_over_valid_pixels_and_classes(
    gamma: float, alpha: float | None, logits: Tensor, labels: Tensor
) -> None:
    losses = sigmoid_focal(logits[:, :2], labels, first_label=1, gamma=gamma, alpha=alpha)
    for index in range(2):
        valid = labels[index] != IGNORE
        truth = torch.stack([labels[index] == 1, labels[index] == 2])[:, valid].float()
        expected = sigmoid_focal_loss(
            logits[index, :2][:, valid],
            truth,
            alpha=-1 if alpha is None else alpha,
            gamma=gamma,
            reduction="mean",
        )
        torch.testing.assert_close(losses[index], expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_softmax_focal_is_that_of_segmentation_models_pytorch(
    gamma: float, logits: Tensor, labels: Tensor
) -> None:
    losses = softmax_focal(logits, labels, gamma=gamma)
    for index in range(2):
        valid = labels[index] != IGNORE
        expected = softmax_focal_loss_with_logits(
            logits[index][:, valid].T, labels[index][valid].long(), gamma=gamma
        )
        torch.testing.assert_close(losses[index], expected)


def test_worked_example() -> None:
    label = torch.tensor([[[1]]])
    logit = torch.log(torch.tensor([[[[0.2 / 0.8]]]]))  # p = 0.2 where 1 is right
    expected = 0.8**2 * -math.log(0.2)
    assert sigmoid_focal(logit, label, first_label=1).item() == pytest.approx(expected)
    both = torch.log(torch.tensor([0.8, 0.2])).view(1, 2, 1, 1)
    assert softmax_focal(both, label).item() == pytest.approx(expected)


def test_pixels_are_weighted(logits: Tensor, labels: Tensor, weights: Tensor) -> None:
    once = sigmoid_focal(logits, labels, first_label=0, weights=weights)
    twice = sigmoid_focal(logits, labels, first_label=0, weights=2 * weights)
    torch.testing.assert_close(twice, 2 * once)
    plain = cross_entropy(logits, labels, weights=weights)
    torch.testing.assert_close(softmax_focal(logits, labels, gamma=1e-6, weights=weights), plain)


@pytest.mark.parametrize("size", [20.0, 200.0])
def test_gradient_is_finite_where_the_network_is_sure(size: float) -> None:
    logits = torch.tensor([[size, -size], [-size, size]]).view(1, 2, 1, 2).requires_grad_()
    for label in (0, 1):
        labels = torch.full((1, 1, 2), label)
        both = softmax_focal(logits, labels, gamma=0.5)
        both = both + sigmoid_focal(logits, labels, first_label=0, gamma=0.5)
        (gradient,) = torch.autograd.grad(both.sum(), logits)
        assert gradient.isfinite().all()
