"""The loss of classes, and their weights, that a study's settings ask for."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from models.loss_settings import IMAGE_LOSSES
from models.losses.class_scores import class_cross_entropy, class_focal, class_huber, class_mse
from models.losses.classification_loss import ClassificationLoss
from models.losses.triplets import triplet_loss
from models.settings import TrainingSettings
from models.votes import Votes

NAMES = ("ant", "bee", "cat")
LABELS = torch.tensor([0, 1, 2, 0, 1])


def loss_of(name: str | None = None, **settings: Any) -> ClassificationLoss:
    training = TrainingSettings.model_validate({"loss": name, **settings})
    return ClassificationLoss(training, NAMES)


@pytest.fixture
def logits() -> Tensor:
    return 2 * torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


class Listed:
    """Four training pictures of the first class, one of the second, two of the third, unread."""

    def class_counts(self) -> tuple[int, ...]:
        return (4, 1, 2)


def test_loss_has_the_parameters_of_the_study(logits: Tensor) -> None:
    for loss, expected in (
        (loss_of(), class_cross_entropy(logits, LABELS)),
        (
            loss_of("cross_entropy", label_smoothing=0.2),
            class_cross_entropy(logits, LABELS, smoothing=0.2),
        ),
        (
            loss_of("triplet", label_smoothing=0.2),
            class_cross_entropy(logits, LABELS, smoothing=0.2),
        ),
        (loss_of("softmax_focal"), class_focal(logits, LABELS, gamma=2)),
        (loss_of("softmax_focal", focal_gamma=3), class_focal(logits, LABELS, gamma=3)),
        (loss_of("mse"), class_mse(logits, LABELS)),
        (loss_of("huber"), class_huber(logits, LABELS, delta=0.5)),
        (loss_of("huber", huber_delta=0.1), class_huber(logits, LABELS, delta=0.1)),
    ):
        assert torch.equal(loss(logits, LABELS), expected)


@pytest.mark.parametrize("name", IMAGE_LOSSES)
def test_gradient_is_that_of_finite_differences(name: str, logits: Tensor) -> None:
    loss, point = loss_of(name, class_weights={"bee": 3}), logits.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: loss(each, LABELS), point)


@pytest.mark.parametrize("name", IMAGE_LOSSES)
def test_picture_has_the_same_loss_in_every_batch(name: str, logits: Tensor) -> None:
    loss = loss_of(name)
    alone = [loss(logits[i : i + 1], LABELS[i : i + 1]) for i in range(5)]
    torch.testing.assert_close(loss(logits, LABELS), torch.cat(alone))


@pytest.mark.parametrize("name", IMAGE_LOSSES)
def test_votes_are_weighted_and_added_up(name: str, logits: Tensor) -> None:
    loss, second = loss_of(name, class_weights={"cat": 2}), logits.flip(1)
    votes = Votes(torch.stack([logits, second], dim=1), (1.0, 0.3), (1.0, 0.0))
    torch.testing.assert_close(
        loss(votes, LABELS), loss(logits, LABELS) + 0.3 * loss(second, LABELS)
    )


def test_class_weights_are_those_of_torchs_cross_entropy(logits: Tensor) -> None:
    loss = loss_of("cross_entropy", class_weights={"ant": 4, "cat": 0.5})
    assert loss.class_weights == {"ant": 4, "bee": 1, "cat": 0.5}
    weights = torch.tensor([4, 1, 0.5])
    expected = cross_entropy(logits, LABELS, weight=weights, reduction="none")
    torch.testing.assert_close(loss(logits, LABELS), expected)


@pytest.mark.parametrize("name", IMAGE_LOSSES)
def test_picture_weighs_what_its_class_weighs(name: str, logits: Tensor) -> None:
    weighted = loss_of(name, class_weights={"bee": 3})(logits, LABELS)
    expected = loss_of(name)(logits, LABELS) * torch.tensor([1, 3, 1, 1, 3])
    torch.testing.assert_close(weighted, expected)


def test_frequent_classes_weigh_less_by_the_list_of_the_training_pictures() -> None:
    loss = loss_of("cross_entropy", class_weights="median_frequency")
    loss.prepare(Listed())  # type: ignore[arg-type]
    assert loss.class_weights == {"ant": 0.5, "bee": 2.0, "cat": 1.0}  # 2 over 4, 1 and 2


@pytest.mark.gpu
def test_classes_are_weighed_on_a_gpu(logits: Tensor) -> None:
    loss = loss_of("cross_entropy", class_weights="median_frequency")
    loss.prepare(Listed())  # type: ignore[arg-type]
    torch.testing.assert_close(loss(logits.cuda(), LABELS.cuda()).cpu(), loss(logits, LABELS))


def test_weight_of_a_class_that_is_not_there_is_refused() -> None:
    message = r"class_weights must name classes of the data \(ant, bee, cat\), got 'ape'"
    with pytest.raises(ValueError, match=message):
        loss_of("cross_entropy", class_weights={"ape": 2})


def test_triplets_are_mined_as_the_study_says() -> None:
    embedding = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    plain = triplet_loss(embedding, LABELS, margin=0.2, mining="batch_hard")
    torch.testing.assert_close(loss_of("triplet").of_embedding(embedding, LABELS), plain)
    settings = {"triplet_weight": 0.5, "triplet_margin": 1.0, "mining": "batch_all"}
    asked = triplet_loss(embedding, LABELS, margin=1.0, mining="batch_all")
    mined = loss_of("triplet", **settings).of_embedding(embedding, LABELS)
    torch.testing.assert_close(mined.loss, 0.5 * asked.loss)
    assert mined.triplets == asked.triplets


def test_embedding_is_needed_for_triplets_alone() -> None:
    needing = [name for name in IMAGE_LOSSES if loss_of(name).needs_embedding]
    assert needing == ["triplet"]
