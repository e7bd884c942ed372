import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss  # type: ignore[import-untyped]
from torch import Tensor

from models.losses import IGNORE, dice, softmax_dice
from models.losses.dice import SMOOTHING

HALF = SMOOTHING / 2  # there it is added to |A ∩ B| and to (|A| + |B|) / 2


def test_dice_is_that_of_segmentation_models_pytorch_of_each_image(
    logits: Tensor, labels: Tensor
) -> None:
    reference = DiceLoss("multilabel", smooth=HALF, ignore_index=IGNORE)
    losses = dice(logits[:, :2], labels, first_label=1)
    for index in range(2):
        unlabelled = labels[index] == IGNORE
        truth = torch.stack([labels[index] == 1, labels[index] == 2]).to(torch.uint8)
        truth[:, unlabelled] = IGNORE
        expected = reference(logits[index : index + 1, :2], truth.unsqueeze(0))
        torch.testing.assert_close(losses[index], expected)


def test_softmax_dice_is_that_of_segmentation_models_pytorch_of_each_image(
    logits: Tensor, labels: Tensor
) -> None:
    reference = DiceLoss("multiclass", smooth=HALF, ignore_index=IGNORE)
    losses = softmax_dice(logits, labels)
    for index in range(2):
        expected = reference(logits[index : index + 1], labels[index : index + 1].long())
        torch.testing.assert_close(losses[index], expected)


def test_worked_example() -> None:
    # Probabilities 1/2, 1/2, 1/4, 0 (to 1e-9); the class is at the first and the third.
    logits = torch.logit(torch.tensor([0.5, 0.5, 0.25, 1e-9])).view(1, 1, 1, 4)
    labels = torch.tensor([[[1, 0, 1, 0]]])
    expected = 1 - (2 * 0.75 + 1) / (1.25 + 2 + 1)
    assert dice(logits, labels, first_label=1).item() == pytest.approx(expected)


def test_class_that_is_absent_and_not_found_has_loss_zero() -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.uint8)
    nowhere, everywhere = torch.full((2, 1, 1, 4, 4), -50.0)
    everywhere = everywhere + 100
    assert dice(nowhere, labels, first_label=1).item() == pytest.approx(0)
    assert dice(everywhere, labels, first_label=1).item() == pytest.approx(16 / 17)


def test_softmax_dice_is_the_mean_over_the_labels_an_image_has(logits: Tensor) -> None:
    labels = torch.tensor([[0, 1]]).repeat(1, 5, 2)  # label 2 is absent
    image = logits[:1]
    probabilities = image.softmax(dim=1)[0]
    expected = []
    for label in (0, 1):
        truth = labels[0] == label
        both = (probabilities[label] * truth).sum()
        expected.append(1 - (2 * both + 1) / (probabilities[label].sum() + truth.sum() + 1))
    torch.testing.assert_close(softmax_dice(image, labels)[0], torch.stack(expected).mean())
