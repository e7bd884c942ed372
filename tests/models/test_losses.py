import pytest
import torch
from torch.nn import functional

from models.losses import IGNORE, binary_cross_entropy, cross_entropy


@pytest.fixture
def labels() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, 5, 4), generator=generator, dtype=torch.uint8)
    labels[0, 0] = IGNORE
    labels[1, 2, 1] = IGNORE
    return labels


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(1))


def test_cross_entropy_is_torchs_mean_over_valid_pixels_of_each_image(
    logits: torch.Tensor, labels: torch.Tensor
) -> None:
    losses = cross_entropy(logits, labels)
    for index in range(2):
        expected = functional.cross_entropy(
            logits[index : index + 1], labels[index : index + 1].long(), ignore_index=IGNORE
        )
        torch.testing.assert_close(losses[index], expected)


def test_binary_cross_entropy_is_torchs_mean_over_valid_pixels_and_classes(
    logits: torch.Tensor, labels: torch.Tensor
) -> None:
    losses = binary_cross_entropy(logits[:, :2], labels, first_label=1)
    for index in range(2):
        valid = labels[index] != IGNORE
        truth = torch.stack([labels[index] == 1, labels[index] == 2])[:, valid].float()
        expected = functional.binary_cross_entropy_with_logits(logits[index, :2][:, valid], truth)
        torch.testing.assert_close(losses[index], expected)


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_unlabelled_pixels_have_no_gradient(
    loss: str, logits: torch.Tensor, labels: torch.Tensor
) -> None:
    logits.requires_grad_()
    if loss == "bce":
        losses = binary_cross_entropy(logits, labels, first_label=0)
    else:
        losses = cross_entropy(logits, labels)
    (gradient,) = torch.autograd.grad(losses.sum(), logits)
    moved = (gradient != 0).any(dim=1)
    torch.testing.assert_close(moved, labels != IGNORE)


def test_image_without_a_valid_pixel_has_loss_zero(logits: torch.Tensor) -> None:
    nothing = torch.full((2, 5, 4), IGNORE, dtype=torch.uint8)
    assert cross_entropy(logits, nothing).tolist() == [0.0, 0.0]
    assert binary_cross_entropy(logits, nothing, first_label=0).tolist() == [0.0, 0.0]
