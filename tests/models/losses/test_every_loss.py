"""What holds for each of the losses of pixels that a study may name."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from models.loss_settings import IMAGE_LOSSES, PIXEL_LOSSES, SIGMOID_LOSSES, SOFTMAX_LOSSES, Loss
from models.losses import IGNORE
from models.losses.segmentation_loss import SegmentationLoss
from models.settings import TrainingSettings

NAMES = ("background", "car", "person")
LOSSES = SIGMOID_LOSSES + SOFTMAX_LOSSES


def loss_of(name: str, **settings: object) -> SegmentationLoss:
    training = TrainingSettings.model_validate({"loss": name, **settings})
    return SegmentationLoss(training, NAMES)


def channels_of(name: str, logits: Tensor) -> Tensor:
    return logits[:, 1:] if name in SIGMOID_LOSSES else logits


def test_every_loss_is_of_one_kind() -> None:
    assert not set(SIGMOID_LOSSES) & set(SOFTMAX_LOSSES + IMAGE_LOSSES)
    assert {*LOSSES, *IMAGE_LOSSES} == set(get_args(Loss))


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_is_that_of_finite_differences(name: str, logits: Tensor, labels: Tensor) -> None:
    loss = loss_of(name)
    point = channels_of(name, logits).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: loss(each, labels, None), point)


@pytest.mark.parametrize("name", PIXEL_LOSSES)
def test_gradient_of_weighted_pixels_is_that_of_finite_differences(
    name: str, logits: Tensor, labels: Tensor, weights: Tensor
) -> None:
    loss = loss_of(name, class_weights={"car": 3})
    point = channels_of(name, logits).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: loss(each, labels, weights), point)


@pytest.mark.parametrize("name", LOSSES)
def test_unlabelled_pixels_change_nothing(name: str, logits: Tensor, labels: Tensor) -> None:
    logits = channels_of(name, logits).requires_grad_()
    losses = loss_of(name)(logits, labels, None)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    ignored = (labels == IGNORE).unsqueeze(1).expand_as(gradient)
    assert not gradient[ignored].any()
    assert gradient[~ignored].any()
    moved = torch.where(ignored, 7.0, logits)
    torch.testing.assert_close(loss_of(name)(moved, labels, None), losses, rtol=0, atol=0)


@pytest.mark.parametrize("name", LOSSES)
def test_unlabelled_pixels_might_as_well_not_be_there(
    name: str, logits: Tensor, labels: Tensor
) -> None:
    logits = channels_of(name, logits)
    losses = loss_of(name)(logits[:1], labels[:1], None)  # its first row is unlabelled
    torch.testing.assert_close(loss_of(name)(logits[:1, :, 1:], labels[:1, 1:], None), losses)


@pytest.mark.parametrize("name", LOSSES)
def test_image_without_a_valid_pixel_has_loss_and_gradient_zero(name: str, logits: Tensor) -> None:
    nothing = torch.full((2, 5, 4), IGNORE, dtype=torch.uint8)
    logits = channels_of(name, logits).requires_grad_()
    losses = loss_of(name)(logits, nothing, None)
    assert losses.tolist() == [0.0, 0.0]
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    assert not gradient.any()


@pytest.mark.parametrize("name", LOSSES)
def test_image_has_the_same_loss_in_every_batch(name: str, logits: Tensor, labels: Tensor) -> None:
    logits, loss = channels_of(name, logits), loss_of(name)
    together = loss(logits, labels, None)
    alone = [loss(logits[i : i + 1], labels[i : i + 1], None) for i in range(2)]
    torch.testing.assert_close(together, torch.cat(alone))


@pytest.mark.parametrize("name", LOSSES)
def test_right_and_sure_is_better_than_wrong_and_sure(name: str, labels: Tensor) -> None:
    truth = torch.stack([labels == label for label in range(3)], dim=1)
    right = channels_of(name, truth * 40.0 - 20)
    loss = loss_of(name)
    assert loss(right, labels, None).max() < 1e-6
    assert loss(-right, labels, None).min() > 0.4


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_logits_of_half_precision_are_added_up_in_single(
    name: str, precision: torch.dtype, logits: Tensor, labels: Tensor
) -> None:
    half = channels_of(name, logits).to(precision)
    losses = loss_of(name)(half, labels, None)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, loss_of(name)(half.float(), labels, None))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_the_same_again(name: str, logits: Tensor, labels: Tensor) -> None:
    rounded = channels_of(name, logits).round()  # so that many errors are equal
    first = loss_of(name)(rounded, labels, None)
    assert torch.equal(first, loss_of(name)(rounded.clone(), labels.clone(), None))
