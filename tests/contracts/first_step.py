"""The first step of a network that tells classes apart, and what must hold of it for all."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.votes import Votes, class_losses, class_probabilities

CLASSES = 3
LABELS = torch.tensor([0, 2])  # of a batch of two


@dataclass(frozen=True)
class FirstStep:
    """A forward and a backward pass of a new network in training mode."""

    outputs: Tensor | Votes
    gradients: dict[str, Tensor]
    again: Callable[[], "FirstStep"]


def first_step(build: Callable[[], nn.Module], batch: Tensor) -> FirstStep:
    """Return the step of a network, which is built for it, on a batch of two samples."""
    network = build().train()
    outputs = network(batch)
    class_losses(outputs, LABELS).mean().backward()  # type: ignore[no-untyped-call]
    gradients = {
        key: torch.zeros_like(weights) if weights.grad is None else weights.grad
        for key, weights in network.named_parameters()
    }
    return FirstStep(outputs, gradients, lambda: first_step(build, batch))


class FirstStepContract:
    """Tests of a fixture `trained`, the first step of each network."""

    def test_each_sample_has_probabilities_of_all_classes(self, trained: FirstStep) -> None:
        probabilities = class_probabilities(trained.outputs)
        assert probabilities.shape == (len(LABELS), CLASSES)
        assert probabilities.dtype == torch.float32
        torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(len(LABELS)))

    def test_gradients_reach_every_parameter(self, trained: FirstStep) -> None:
        unmoved = [key for key, value in trained.gradients.items() if not value.abs().sum() > 0]
        assert unmoved == []

    def test_same_seed_gives_the_same_step(self, trained: FirstStep) -> None:
        again = trained.again().gradients
        assert all(torch.equal(again[key], value) for key, value in trained.gradients.items())
