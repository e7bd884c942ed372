"""What every network of clips must hold to."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.catalog import MODELS
from models.cost import count_macs, count_parameters
from models.entries import ClipShape
from models.resolve import resolve
from models.settings import EvaluationSettings, ModelSettings, TrainingSettings
from models.tasks.actions import build_task
from models.video.catalog import VIDEO_NETWORKS
from models.votes import class_probabilities
from tests.contracts.first_step import CLASSES, FirstStep, FirstStepContract, first_step

NETWORKS = sorted(VIDEO_NETWORKS)
SMALL: dict[str, dict[str, Any]] = {
    # Settings that make a network small enough to run here; unnamed ones have their defaults.
    "slowfast": {"depth": 14, "width": 8, "slow_frames": 2, "slow_stride": 2, "alpha": 2},
    "slow_only": {"depth": 14, "width": 4, "frames": 2, "stride": 1},
    "fast_only": {"depth": 14, "width": 2, "frames": 4, "stride": 1},
    **{
        name: {"width": 0.125}
        for name in (
            "i3d",
            "s3d",
            "r3d_18",
            "mc3_18",
            "r2plus1d_18",
            "single_frame",
            "early_fusion",
            "late_fusion",
            "slow_fusion",
        )
    },
    **{name: {"width": 0.0625} for name in ("c3d", "two_stream", "two_stream_fusion", "lrcn")},
}
LARGE = ("mvit", "swin3d")  # without small forms: their shapes are looked at alone
pytestmark = pytest.mark.usefixtures("deterministic")


def settings_of(name: str) -> ModelSettings:
    return MODELS[name].settings.model_validate({"name": name, **SMALL.get(name, {})})


def smallest_size(name: str, settings: ModelSettings) -> int:
    rule = MODELS[name].size_rule
    return next(size for size in range(16, 512) if rule(settings, size) is None)


def shortest_clip(name: str, settings: ModelSettings) -> ClipShape:
    """Return the fewest frames that a network takes, with flow where it must have it."""
    rule = MODELS[name].clip_rule
    shapes = (
        ClipShape(frames, has_flow=flow) for flow in (False, True) for frames in range(1, 129)
    )
    return next(shape for shape in shapes if rule is None or rule(settings, shape) is None)


def clips(name: str) -> Tensor:
    settings = settings_of(name)
    size, clip = smallest_size(name, settings), shortest_clip(name, settings)
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, clip.channels, clip.frames, size, size, generator=generator)


def build_awake(name: str, seed: int) -> nn.Module:
    """Build a network whose layers that start at zero say something."""
    torch.manual_seed(seed)
    network: nn.Module = resolve(str(MODELS[name].builder))(settings_of(name), CLASSES)
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network


def on_meta(name: str, settings: ModelSettings, channels: int) -> nn.Module:
    with torch.device("meta"):
        network: nn.Module = resolve(str(MODELS[name].builder))(settings, channels)
    return network


@pytest.fixture(scope="module", params=[name for name in NETWORKS if name not in LARGE])
def trained(request: pytest.FixtureRequest) -> FirstStep:
    name: str = request.param
    return first_step(lambda: build_awake(name, seed=4), clips(name))


class TestTraining(FirstStepContract):
    """Of each network that is small enough to run here."""


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in LARGE])
class TestScoring:
    def test_state_dict_is_all_there_is(self, name: str) -> None:
        first, second = build_awake(name, seed=0).eval(), build_awake(name, seed=1).eval()
        batch = clips(name)
        with torch.no_grad():
            expected = class_probabilities(first(batch))
            assert not torch.equal(class_probabilities(second(batch)), expected)
            second.load_state_dict(first.state_dict())
            assert torch.equal(class_probabilities(second(batch)), expected)

    def test_a_clip_is_scored_as_it_is_alone(self, name: str) -> None:
        network, batch = build_awake(name, seed=0).eval(), clips(name)
        with torch.no_grad():
            together = class_probabilities(network(batch))[:1]
            alone = class_probabilities(network(batch[:1]))
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
class TestEntry:
    def test_parameter_counts_are_those_of_the_catalog(self, name: str) -> None:
        entry = MODELS[name]
        for channels in (2, 101):
            network = on_meta(name, entry.settings.model_validate({"name": name}), channels)
            assert count_parameters(network) == entry.parameters[channels]

    def test_cost_of_a_clip_is_counted_without_running_it(self, name: str) -> None:
        settings = settings_of(name)
        task = build_task(TrainingSettings(), EvaluationSettings(), ("a", "b", "c"))
        example = task.example_input(smallest_size(name, settings), shortest_clip(name, settings))
        assert count_macs(on_meta(name, settings, CLASSES), example) > 0

    def test_clip_that_is_not_taken_is_told_with_what_to_do(self, name: str) -> None:
        entry, settings = MODELS[name], settings_of(name)
        assert entry.clip_rule is not None
        for shape in (ClipShape(n, has_flow=flow) for n in range(1, 70) for flow in (False, True)):
            message = entry.clip_rule(settings, shape)
            if message is not None:
                assert name in message
                assert str(shape.frames) in message or "flow" in message
                assert message.partition("; ")[2]  # what to do
