import torch
from torch import Tensor
from torch.nn import functional

from models.losses import IGNORE, binary_cross_entropy, cross_entropy


def test_cross_entropy_is_torchs_mean_over_valid_pixels_of_each_image(
    logits: Tensor, labels: Tensor
) -> None:
    losses = cross_entropy(logits, labels)
    for index in range(2):
        expected = functional.cross_entropy(
            logits[index : index + 1], labels[index : index + 1].long(), ignore_index=IGNORE
        )
        torch.testing.assert_close(losses[index], expected)


def test_binary_cross_entropy_is_torchs_mean_over_valid_pixels_and_classes(
    logits: Tensor, labels: Tensor
) -> None:
    losses = binary_cross_entropy(logits[:, :2], labels, first_label=1)
    for index in range(2):
        valid = labels[index] != IGNORE
        truth = torch.stack([labels[index] == 1, labels[index] == 2])[:, valid].float()
        expected = functional.binary_cross_entropy_with_logits(logits[index, :2][:, valid], truth)
        torch.testing.assert_close(losses[index], expected)


def test_weighted_cross_entropy_is_torchs_sum_over_the_number_of_valid_pixels(
    logits: Tensor, labels: Tensor
) -> None:
    of_labels = torch.tensor([0.5, 1.0, 4.0])
    weights = of_labels[labels.long().clamp(max=2)]
    losses = cross_entropy(logits, labels, weights=weights)
    for index in range(2):
        expected = functional.cross_entropy(
            logits[index : index + 1],
            labels[index : index + 1].long(),
            weight=of_labels,
            ignore_index=IGNORE,
            reduction="sum",
        )
        torch.testing.assert_close(losses[index], expected / (labels[index] != IGNORE).sum())


def test_weighted_binary_cross_entropy_is_torchs_over_the_number_of_valid_pixels(
    logits: Tensor, labels: Tensor, weights: Tensor
) -> None:
    losses = binary_cross_entropy(logits, labels, first_label=0, weights=weights)
    for index in range(2):
        valid = labels[index] != IGNORE
        truth = torch.stack([labels[index] == label for label in range(3)])[:, valid].float()
        expected = functional.binary_cross_entropy_with_logits(
            logits[index][:, valid], truth, weight=weights[index][valid]
        )
        torch.testing.assert_close(losses[index], expected)
