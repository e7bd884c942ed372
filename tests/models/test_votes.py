"""Networks of several voters: what they minimise and what they say together."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from models.votes import Votes, class_losses, class_probabilities, deciding, helping

LABELS = torch.tensor([2, 0, 1])


def logits(voters: int) -> torch.Tensor:
    return torch.randn(3, voters, 4, generator=torch.Generator().manual_seed(5))


def test_logits_alone_are_a_softmax_and_its_cross_entropy() -> None:
    values = logits(1)[:, 0]
    expected = cross_entropy(values, LABELS, reduction="none")
    assert torch.equal(class_losses(values, LABELS), expected)
    assert torch.equal(class_probabilities(values), values.softmax(dim=1))


def test_one_voter_of_weight_one_is_no_vote() -> None:
    values = logits(1)
    votes = Votes(values, loss_weights=(1.0,), weights=(1.0,))
    torch.testing.assert_close(class_losses(votes, LABELS), class_losses(values[:, 0], LABELS))
    torch.testing.assert_close(class_probabilities(votes), class_probabilities(values[:, 0]))


def test_losses_are_added_by_weight_and_probabilities_averaged() -> None:
    values = logits(2)
    votes = Votes(values, loss_weights=(1.0, 0.25), weights=(1.0, 2.0))
    first, second = (cross_entropy(values[:, v], LABELS, reduction="none") for v in range(2))
    torch.testing.assert_close(class_losses(votes, LABELS), first + 0.25 * second)
    expected = values[:, 0].softmax(dim=1) / 3 + values[:, 1].softmax(dim=1) * 2 / 3
    torch.testing.assert_close(class_probabilities(votes), expected)


def test_one_weight_holds_for_the_mean_of_all_voters() -> None:
    values = logits(5)
    votes = Votes(values, loss_weights=(2.0,), weights=(7.0,))
    each = torch.stack([cross_entropy(values[:, v], LABELS, reduction="none") for v in range(5)])
    torch.testing.assert_close(class_losses(votes, LABELS), 2 * each.mean(dim=0))
    torch.testing.assert_close(class_probabilities(votes), values.softmax(dim=2).mean(dim=1))


def test_a_voter_of_loss_weight_zero_does_not_learn() -> None:
    values = logits(2).requires_grad_()
    class_losses(Votes(values, (1.0, 0.0), (0.5, 0.5)), LABELS).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad[:, 0].abs().sum() > 0
    assert not values.grad[:, 1].any()


def test_voters_average_probabilities_and_not_scores() -> None:
    # Two sure voters that disagree, and a third that is in doubt: a mean of scores would
    # follow the voter with the largest ones.
    values = torch.tensor([[[50.0, 0.0], [0.0, 9.0], [0.0, 9.0]]])
    found = class_probabilities(Votes(values, (1.0,), (1.0,)))
    assert found[0, 1].item() == pytest.approx(2 / 3 / (1 + math.exp(-9)), abs=1e-6)


def test_other_numbers_of_weights_are_refused() -> None:
    votes = Votes(logits(3), loss_weights=(1.0, 1.0), weights=(1.0,))
    message = r"need one weight, or 3 for 3 voters; got \(1\.0, 1\.0\)"
    with pytest.raises(ValueError, match=message):
        class_losses(votes, LABELS)


def test_half_precision_is_scored_in_full() -> None:
    values = logits(2).to(torch.bfloat16)
    votes = Votes(values, (1.0,), (1.0,))
    assert class_losses(votes, LABELS).dtype == torch.float32
    assert class_probabilities(votes).dtype == torch.float32


def test_those_that_decide_and_those_that_help_share_the_whole_loss() -> None:
    votes = Votes(logits(3), (1.0, 0.3, 0.2), (1.0, 0.0, 0.0))
    others = helping(votes)
    assert others is not None
    first, *rest = (cross_entropy(logits(3)[:, v], LABELS, reduction="none") for v in range(3))
    torch.testing.assert_close(class_losses(deciding(votes), LABELS), first)
    torch.testing.assert_close(class_losses(others, LABELS), 0.3 * rest[0] + 0.2 * rest[1])
    torch.testing.assert_close(class_probabilities(deciding(votes)), class_probabilities(votes))


def test_one_loss_weight_is_shared_by_those_that_decide_and_those_that_help() -> None:
    votes = Votes(logits(2), (1.0,), (1.0, 0.0))
    others = helping(votes)
    assert others is not None
    parts = class_losses(deciding(votes), LABELS) + class_losses(others, LABELS)
    torch.testing.assert_close(parts, class_losses(votes, LABELS))


@pytest.mark.parametrize("weights", [(1.0,), (0.5, 0.5)])
def test_nobody_helps_where_all_decide(weights: tuple[float, ...]) -> None:
    votes = Votes(logits(2), (1.0, 0.3), weights)
    assert helping(votes) is None
    assert helping(logits(2)[:, 0]) is None
    torch.testing.assert_close(class_losses(deciding(votes), LABELS), class_losses(votes, LABELS))
