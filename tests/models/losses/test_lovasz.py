import itertools

import numpy as np
import pytest
import torch
from segmentation_models_pytorch.losses import LovaszLoss  # type: ignore[import-untyped]
from torch import Tensor

from models.losses import IGNORE, lovasz_hinge, lovasz_softmax


def test_hinge_is_that_of_segmentation_models_pytorch_of_each_image_and_class(
    logits: Tensor, labels: Tensor
) -> None:
    reference = LovaszLoss("binary", per_image=True, ignore_index=IGNORE)
    losses = lovasz_hinge(logits[:, :2], labels, first_label=1)
    for index in range(2):
        expected = []
        for channel in range(2):
            truth = (labels[index] == channel + 1).long()
            truth[labels[index] == IGNORE] = IGNORE
            expected.append(reference(logits[index : index + 1, channel], truth.unsqueeze(0)))
        torch.testing.assert_close(losses[index], torch.stack(expected).mean())


def test_softmax_is_that_of_segmentation_models_pytorch_of_each_image(
    logits: Tensor, labels: Tensor
) -> None:
    reference = LovaszLoss("multiclass", per_image=True, ignore_index=IGNORE)
    labels = labels.where(labels != 2, torch.tensor(1, dtype=torch.uint8))  # label 2 is absent
    losses = lovasz_softmax(logits, labels)
    for index in range(2):
        expected = reference(logits[index : index + 1], labels[index : index + 1].long())
        torch.testing.assert_close(losses[index], expected)


def test_softmax_of_a_sure_answer_is_the_mean_of_one_minus_iou() -> None:
    labels = torch.tensor([[[0, 0, 1, 1, 2, 2]]])
    answer = torch.tensor([[[0, 1, 1, 1, 0, 2]]])
    logits = 200.0 * torch.nn.functional.one_hot(answer, 3).permute(0, 3, 1, 2)
    expected = np.mean([1 - 1 / 3, 1 - 2 / 3, 1 - 1 / 2])
    assert lovasz_softmax(logits, labels).item() == pytest.approx(expected)


def test_hinge_agrees_with_the_jaccard_loss_on_the_corners_of_the_cube() -> None:
    # With errors 0 and 1, the extension is 1 - IoU of the set of wrong pixels.
    labels = torch.tensor([[[1, 1, 0, 0]]])
    truth = labels[0, 0] == 1
    for wrong in itertools.product([False, True], repeat=4):
        is_wrong = torch.tensor(wrong)
        errors = is_wrong.float()
        scores = torch.where(truth, 1 - errors, errors - 1)
        found = truth ^ is_wrong
        iou = (truth & found).sum() / (truth | found).sum()
        loss = lovasz_hinge(scores.view(1, 1, 1, 4), labels, first_label=1)
        assert loss.item() == pytest.approx(1 - iou.item(), abs=1e-6)


def test_hinge_of_an_absent_class_is_its_largest_error() -> None:
    labels = torch.zeros(1, 1, 3, dtype=torch.uint8)
    scores = torch.tensor([-0.5, 1.5, 0.0]).view(1, 1, 1, 3)
    assert lovasz_hinge(scores, labels, first_label=1).item() == pytest.approx(2.5)
    sure = torch.full((1, 1, 1, 3), -1.5)
    assert lovasz_hinge(sure, labels, first_label=1).item() == 0


def test_slopes_of_many_pixels_add_up_exactly() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = (torch.rand(1, 300, 300, generator=generator) < 1e-3).long()
    # Every pixel has error 2: wrong everywhere, 1 - IoU is 1.
    scores = torch.where(labels == 1, -1.0, 1.0).unsqueeze(1)
    assert lovasz_hinge(scores, labels, first_label=1).item() == pytest.approx(2, abs=1e-6)
