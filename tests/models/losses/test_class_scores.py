"""Losses of one class per picture are their formulas, and torch's where torch has them."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.losses.class_scores import class_cross_entropy, class_focal, class_huber, class_mse

Loss = Callable[[Tensor, Tensor], Tensor]
LOGITS = 2 * torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 3, 0])
LOSSES: dict[str, Loss] = {
    "cross_entropy": class_cross_entropy,
    "smoothed": partial(class_cross_entropy, smoothing=0.1),
    "focal": partial(class_focal, gamma=2),
    "mse": class_mse,
    "huber": partial(class_huber, delta=0.3),
}


def softmax(logits: Tensor) -> NDArray[np.float64]:
    powers = np.exp(np.asarray(logits, np.float64))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def formula(name: str) -> NDArray[np.float64]:
    p, y = softmax(LOGITS), np.eye(4)[LABELS]
    right = (p * y).sum(axis=1)
    difference = np.abs(p - y)
    values = {
        "cross_entropy": -np.log(right),
        "smoothed": -((0.9 * y + 0.1 / 4) * np.log(p)).sum(axis=1),
        "focal": -((1 - right) ** 2) * np.log(right),
        "mse": (difference**2).mean(axis=1),
        "huber": np.where(difference <= 0.3, difference**2 / 2, 0.3 * (difference - 0.3 / 2)).mean(
            axis=1
        ),
    }
    return np.asarray(values[name])


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_its_formula(name: str) -> None:
    values = LOSSES[name](LOGITS, LABELS).numpy()
    np.testing.assert_allclose(values, formula(name), rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_that_of_finite_differences(name: str) -> None:
    point = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: LOSSES[name](each, LABELS), point)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothed_cross_entropy_is_torchs(smoothing: float) -> None:
    expected = functional.cross_entropy(
        LOGITS, LABELS, label_smoothing=smoothing, reduction="none"
    )
    torch.testing.assert_close(class_cross_entropy(LOGITS, LABELS, smoothing=smoothing), expected)


def test_focal_loss_without_gamma_is_cross_entropy() -> None:
    plain = class_cross_entropy(LOGITS, LABELS)
    torch.testing.assert_close(class_focal(LOGITS, LABELS, gamma=0.0), plain)


@pytest.mark.parametrize("delta", [0.05, 0.3, 0.9])
def test_huber_is_torchs_of_probabilities_and_truth(delta: float) -> None:
    truth = functional.one_hot(LABELS, 4).double()
    each = functional.huber_loss(LOGITS.softmax(dim=1), truth, reduction="none", delta=delta)
    torch.testing.assert_close(class_huber(LOGITS, LABELS, delta=delta), each.mean(dim=1))


def test_huber_below_and_above_its_delta() -> None:
    logits = torch.log(torch.tensor([[0.75, 0.25]], dtype=torch.float64))
    label = torch.tensor([0])
    # Both probabilities are 1/4 off: (1/4)^2 / 2, and 0.1 (1/4 - 0.05).
    assert class_huber(logits, label, delta=0.5).item() == pytest.approx(0.03125)
    assert class_huber(logits, label, delta=0.1).item() == pytest.approx(0.02)
    # The probability too low counts as the one too high: the printed formula lacks the modulus.
    assert class_huber(logits, 1 - label, delta=0.1).item() == pytest.approx(0.1 * (0.75 - 0.05))


def test_label_255_is_a_class_like_the_others() -> None:
    logits = torch.zeros(1, 300)
    for loss in LOSSES.values():
        torch.testing.assert_close(
            loss(logits, torch.tensor([255])), loss(logits, torch.tensor([0]))
        )
        assert loss(logits, torch.tensor([255])).item() > 0


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_logits_of_half_precision_are_computed_in_single(
    name: str, precision: torch.dtype
) -> None:
    half = LOGITS.to(precision)
    losses = LOSSES[name](half, LABELS)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, LOSSES[name](half.float(), LABELS))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [20.0, 200.0])
def test_gradient_is_finite_where_the_network_is_sure(name: str, size: float) -> None:
    logits = torch.tensor([[size, -size], [-size, size]], requires_grad=True)
    losses = LOSSES[name](logits, torch.tensor([0, 0]))
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert gradient.isfinite().all()
    assert losses[0] < losses[1]
