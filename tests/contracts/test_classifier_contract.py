"""What every network of pictures that show one class must hold to."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.catalog import MODELS
from models.classification.catalog import CLASSIFIERS
from models.cost import count_macs, count_parameters
from models.recomputing import stages_of
from models.resolve import resolve
from models.settings import ModelSettings
from models.votes import Votes
from tests.contracts.first_step import CLASSES, FirstStep, FirstStepContract, first_step

NETWORKS = sorted(CLASSIFIERS)
SMALL: dict[str, dict[str, Any]] = {
    # Settings that make a network small enough to run here; unnamed ones have their defaults.
    **{name: {"width": 0.0625} for name in ("alexnet", "zfnet", "vgg")},
    "inception_v3": {"auxiliary_weight": 0.0},  # its head needs pictures of 299 pixels
    "mobilenet_v2": {"width": 0.25},
    "mobilenet_v3": {"version": "small", "width": 0.5},
    "resnet": {"depth": 18},
    "resnet_cifar": {"depth": 8},
}
LARGE = ("inception_v3", "inception_v4", "xception")  # without small forms
pytestmark = pytest.mark.usefixtures("deterministic")


def settings_of(name: str) -> ModelSettings:
    return MODELS[name].settings.model_validate({"name": name, **SMALL.get(name, {})})


def smallest_size(name: str) -> int:
    rule, settings = MODELS[name].size_rule, settings_of(name)
    return next(size for size in range(1, 512) if rule(settings, size) is None)


def pictures(name: str, count: int = 2) -> Tensor:
    size = smallest_size(name)
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))


def build(name: str, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network: nn.Module = resolve(str(MODELS[name].builder))(settings_of(name), CLASSES)
    return network


def on_meta(name: str, settings: ModelSettings, classes: int) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = resolve(str(MODELS[name].builder))(settings, classes)
    return network


EACH = [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in NETWORKS]


@pytest.fixture(scope="module", params=EACH)
def trained(request: pytest.FixtureRequest) -> FirstStep:
    name: str = request.param
    return first_step(lambda: build(name, seed=4), pictures(name))


class TestTraining(FirstStepContract):
    """Of each network that is small enough to run here."""


@pytest.mark.parametrize("name", EACH)
class TestScoring:
    def test_state_dict_is_all_there_is(self, name: str) -> None:
        first, second = build(name, seed=0).eval(), build(name, seed=1).eval()
        batch = pictures(name)
        with torch.no_grad():
            expected = first(batch)
            assert isinstance(expected, Tensor)
            assert not torch.equal(second(batch), expected)
            second.load_state_dict(first.state_dict())
            assert torch.equal(second(batch), expected)

    def test_a_picture_is_scored_as_it_is_alone(self, name: str) -> None:
        network, batch = build(name, seed=0).eval(), pictures(name)
        with torch.no_grad():
            together, alone = network(batch)[:1], network(batch[:1])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
class TestEntry:
    def test_parameter_counts_are_those_of_the_catalog(self, name: str) -> None:
        entry = MODELS[name]
        for classes in (2, 101):
            network = on_meta(name, entry.settings.model_validate({"name": name}), classes)
            assert count_parameters(network) == entry.parameters[classes]

    def test_one_picture_of_the_smallest_size_is_a_batch(self, name: str) -> None:
        settings = MODELS[name].settings.model_validate({"name": name})
        rule = MODELS[name].size_rule
        size = next(size for size in range(1, 512) if rule(settings, size) is None)
        outputs = on_meta(name, settings, CLASSES).train()(
            torch.empty(1, 3, size, size, device="meta")
        )
        logits = outputs.logits[:, 0] if isinstance(outputs, Votes) else outputs
        assert logits.shape == (1, CLASSES)

    def test_cost_of_a_picture_is_counted_without_running_it(self, name: str) -> None:
        size = smallest_size(name)
        picture = torch.empty(1, 3, size, size, device="meta")
        assert count_macs(on_meta(name, settings_of(name), CLASSES), picture) > 0

    def test_it_has_blocks_that_gradient_checkpointing_computes_again(self, name: str) -> None:
        assert stages_of(on_meta(name, settings_of(name), CLASSES))
