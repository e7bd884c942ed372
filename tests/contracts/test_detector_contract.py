"""What every network of the catalog that finds objects must hold to."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.catalog import MODELS
from models.cost import count_macs, count_parameters
from models.detection.outputs import Scored, Targets
from models.resolve import resolve

DETECTORS = sorted(
    name for name, entry in MODELS.items() if "instance_segmentation" in entry.tasks
)
SMALL: dict[str, dict[str, Any]] = {
    # Settings that make a network small enough to run here.
    "mask_rcnn": {
        "backbone": "resnet18",
        "anchor_sizes": (8, 16, 32, 48, 64),
        "sampled_regions": 8,
        "proposals_training": 20,
        "proposals": 20,
        "score_threshold": 0.0,
    },
}
CHANNELS = 3
SIDE = 64


def build(name: str, seed: int = 0) -> nn.Module:
    entry = MODELS[name]
    torch.manual_seed(seed)
    settings = entry.settings.model_validate({"name": name, **SMALL.get(name, {})})
    network: nn.Module = resolve(str(entry.builder))(settings, CHANNELS)
    return network


def images(count: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(3, SIDE, SIDE, generator=generator) for _ in range(count)]


def targets(count: int = 2) -> Targets:
    """Two overlapping objects, one of each class, in every image."""
    masks = torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    masks[0, 6:44, 4:40] = True
    masks[1, 20:60, 30:60] = True
    boxes = torch.tensor([[4.0, 6.0, 40.0, 44.0], [30.0, 20.0, 60.0, 60.0]])
    labels = torch.tensor([1, 2])
    return Targets([{"boxes": boxes, "labels": labels, "masks": masks}] * count)


@pytest.fixture(scope="module", params=DETECTORS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    """An untrained network, whose weights no test changes."""
    return build(request.param)


@pytest.mark.parametrize("name", DETECTORS)
def test_parameter_counts_are_those_of_the_catalog(name: str) -> None:
    entry = MODELS[name]
    for channels in (2, 12, 81):
        with torch.device("meta"):
            made = resolve(str(entry.builder))(entry.settings(name=name), channels)
        assert count_parameters(made) == entry.parameters[channels]


@pytest.mark.parametrize("name", DETECTORS)
def test_same_seed_gives_the_same_weights_and_another_seed_others(name: str) -> None:
    first, second, other = (build(name, seed).state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_gradients_reach_every_parameter(network: nn.Module) -> None:
    losses: dict[str, Tensor] = network.train()(images(), targets())
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(
        torch.stack(list(losses.values())).sum(), [*parameters.values()]
    )
    unmoved = [
        name
        for name, gradient in zip(parameters, gradients, strict=True)
        if not gradient.abs().sum() > 0
    ]
    assert unmoved == []


def test_detections_are_in_order_of_score_and_of_known_classes(network: nn.Module) -> None:
    with torch.no_grad():
        found = network.eval()(images())
    assert len(found) == 2
    for detection in found:
        count = len(detection["scores"])
        assert count > 0
        assert detection["boxes"].shape == (count, 4)
        assert detection["masks"].shape == (count, 1, SIDE, SIDE)
        assert (detection["scores"].diff() <= 0).all()
        assert set(detection["labels"].tolist()) <= set(range(1, CHANNELS))


def test_images_of_a_batch_do_not_mix(network: nn.Module) -> None:
    with torch.no_grad():
        together, alone = network.eval()(images()), network(images()[:1])
    torch.testing.assert_close(together[0]["scores"], alone[0]["scores"], rtol=1e-4, atol=1e-4)


def test_evaluation_with_targets_gives_losses_of_each_image(network: nn.Module) -> None:
    with torch.no_grad():
        scored = network.eval()(images(), targets())
    assert isinstance(scored, Scored)
    assert len(scored.detections) == 2
    assert all(loss.shape == (2,) and loss.isfinite().all() for loss in scored.losses.values())


def test_cost_can_be_counted_without_values(network: nn.Module) -> None:
    small, large = (
        count_macs(network, torch.empty(1, 3, side, side, device="meta")) for side in (64, 128)
    )
    assert 0 < small < large
