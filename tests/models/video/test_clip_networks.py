"""Published counts and costs of the networks, and what all of them must hold to."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.class_rows import HasClassRows
from models.cost import count_macs, count_parameters
from models.entries import ClipShape
from models.resolve import resolve
from models.video.catalog import VIDEO_NETWORKS
from models.video.inception import MODULES
from models.video.single_stream import SLOW, Times, Trunk
from models.votes import Votes, class_probabilities

NARROW = 0.0625
# Settings, frames and side of a clip that make each network cheap.
SMALL: Mapping[str, tuple[dict[str, Any], int, int]] = MappingProxyType(
    {
        "c3d": ({"width": NARROW, "grid": 1}, 16, 32),
        "i3d": ({"width": 0.25}, 16, 64),
        "s3d": ({"width": 0.25}, 16, 64),
        "r3d_18": ({"width": NARROW}, 8, 32),
        "mc3_18": ({"width": NARROW}, 8, 32),
        "r2plus1d_18": ({"width": NARROW}, 8, 32),
        "swin3d": ({}, 4, 64),
        "single_frame": ({"width": NARROW, "grid": 1}, 10, 32),
        "early_fusion": ({"width": NARROW, "grid": 1}, 10, 32),
        "late_fusion": ({"width": NARROW, "grid": 1}, 16, 32),
        "slow_fusion": ({"width": NARROW, "grid": 1}, 10, 32),
    }
)
OperationsOf = Callable[[Callable[[], object]], set[str]]
WITHOUT_DETERMINISTIC_KERNEL = {
    "_adaptive_avg_pool2d_backward",
    "_adaptive_avg_pool3d_backward",
    "adaptive_max_pool2d_backward",
    "avg_pool3d_backward",
    "max_pool3d_with_indices_backward",
    "upsample_linear1d_backward",
}


def built(name: str, classes: int, device: str = "meta", **settings: Any) -> nn.Module:
    entry = VIDEO_NETWORKS[name]
    torch.manual_seed(0)
    with torch.device(device):
        network: nn.Module = resolve(str(entry.builder))(
            entry.settings.model_validate({"name": name, **settings}), classes
        )
    return network


def small(name: str, classes: int = 3) -> tuple[nn.Module, Tensor]:
    """Build a cheap network, and a clip that it takes."""
    settings, frames, side = SMALL[name]
    generator = torch.Generator().manual_seed(5)
    return (
        built(name, classes, "cpu", **settings),
        torch.rand(2, 3, frames, side, side, generator=generator) * 2 - 1,
    )


def follow_statistics(network: nn.Module, clips: Tensor) -> nn.Module:
    """Let batch normalisation see the clips, without which deep layers all but vanish."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.momentum = 1.0
    network.train()(clips)
    return network.eval()


def logits(output: Tensor | Votes) -> Tensor:
    return output.logits if isinstance(output, Votes) else output


@pytest.mark.parametrize(
    ("name", "classes", "settings", "expected"),
    [
        ("c3d", 101, {}, 78_409_573),
        ("c3d", 487, {}, 79_991_015),
        # 4,651,008 in the convolutions; 256 maps of 2 x 2, 4 x 4 and 7 x 7 to 2,048 - 2,048 - 101
        ("c3d", 101, {"form": "architecture_search", "grid": 2}, 11_153_509),
        ("c3d", 101, {"form": "architecture_search", "grid": 4}, 17_444_965),
        ("c3d", 101, {"form": "architecture_search", "grid": 7}, 34_746_469),
        ("i3d", 400, {}, 12_697_264),
        ("s3d", 400, {}, 8_320_048),
        ("r3d_18", 400, {}, 33_371_472),
        ("mc3_18", 400, {}, 11_695_440),
        ("r2plus1d_18", 400, {}, 31_505_325),
        ("r2plus1d_18", 101, {}, 31_351_938),
        ("mvit", 400, {"version": "v1_b"}, 36_610_672),
        ("mvit", 400, {"version": "v2_s"}, 34_537_744),
        ("swin3d", 400, {"version": "t"}, 28_158_070),
        ("swin3d", 400, {"version": "s"}, 49_816_678),
        ("swin3d", 400, {"version": "b"}, 88_048_984),
        ("single_frame", 1000, {"backbone": "resnet18"}, 11_689_512),
        ("single_frame", 1000, {"backbone": "resnet50"}, 25_557_032),
    ],
)
def test_parameters_are_those_published(
    name: str, classes: int, settings: dict[str, Any], expected: int
) -> None:
    assert count_parameters(built(name, classes, **settings)) == expected


def test_parameters_of_i3d_follow_from_inceptions_table() -> None:
    stem = [(3, 64, 7), (64, 64, 1), (64, 192, 3)]  # channels before, after, and extent
    layers, before = list(stem), 192
    for module in MODULES.values():
        layers += [
            (before, module.single, 1),
            (before, module.before_third, 1),
            (module.before_third, module.third, 3),
            (before, module.before_fifth, 1),
            (module.before_fifth, module.fifth, 3),
            (before, module.pooled, 1),
        ]
        before = module.out_channels
    weights = sum(a * b * extent**3 + 2 * b for a, b, extent in layers)
    assert before == 1024
    assert count_parameters(built("i3d", 400)) == weights + 400 * (1024 + 1)


@pytest.mark.parametrize(
    ("times", "expected"),
    [(Times(), 3_747_200), (Times((10, 1, 1)), 4_060_832), (SLOW, 5_350_880)],
)
def test_convolutions_of_one_stream_have_the_papers_weights(times: Times, expected: int) -> None:
    with torch.device("meta"):
        assert count_parameters(Trunk(times, width=1)) == expected


@pytest.mark.parametrize(
    ("name", "frames", "side", "settings", "expected"),
    [
        ("c3d", 16, 112, {}, 38.55),
        ("r2plus1d_18", 16, 112, {}, 40.519),
        ("s3d", 16, 224, {}, 17.979),
        ("mvit", 16, 224, {"version": "v2_s"}, 64.224),
        ("i3d", 64, 224, {}, 111.15),  # the paper says 108
    ],
)
def test_cost_is_that_published(
    name: str, frames: int, side: int, settings: dict[str, Any], expected: float
) -> None:
    clip = torch.empty(1, 3, frames, side, side, device="meta")
    macs = count_macs(built(name, 101 if name == "c3d" else 400, **settings), clip)
    assert macs / 1e9 == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("name", SMALL)
def test_small_clip_is_allowed(name: str) -> None:
    settings, frames, side = SMALL[name]
    entry = VIDEO_NETWORKS[name]
    chosen = entry.settings.model_validate({"name": name, **settings})
    assert entry.size_rule(chosen, side) is None
    assert entry.clip_rule is not None
    assert entry.clip_rule(chosen, ClipShape(frames)) is None
    assert "data.clip.flow" in str(entry.clip_rule(chosen, ClipShape(frames, has_flow=True)))


@pytest.mark.parametrize("name", SMALL)
def test_one_clip_is_a_batch(name: str) -> None:
    network, clips = small(name)
    with torch.no_grad():
        assert logits(network.train()(clips[:1])).isfinite().all()


def test_gradients_reach_every_parameter_of_a_transformer() -> None:
    network, clips = small("swin3d")
    output = network.train()(clips)
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(
        (output * torch.randn_like(output)).sum(), [*parameters.values()]
    )
    unmoved = [n for n, g in zip(parameters, gradients, strict=True) if not g.abs().sum() > 0]
    assert unmoved == []


@pytest.mark.parametrize("name", SMALL)
def test_backwards_a_clip_is_another_but_to_single_frames(name: str) -> None:
    network, clips = small(name)
    with torch.no_grad():
        follow_statistics(network, clips)
        forwards, backwards = (
            class_probabilities(network(each)) for each in (clips, clips.flip(2))
        )
    difference = float((forwards - backwards).abs().max())
    if name == "single_frame":
        assert difference < 1e-6
    else:
        assert difference > 1e-6


@pytest.mark.parametrize("name", [*SMALL, "mvit"])
def test_classes_are_where_the_network_says(name: str) -> None:
    network = built(name, 7)
    assert isinstance(network, HasClassRows)
    (rows,) = network.class_rows
    assert len(network.state_dict()[f"{rows.layer}.weight"]) == 7


@pytest.mark.parametrize("name", [*SMALL, "mvit"])
def test_network_asks_for_nothing_that_has_no_deterministic_kernel(
    name: str, operations_of: OperationsOf
) -> None:
    settings, frames, side = SMALL.get(name, ({}, 16, 224))
    network = built(name, 2, **settings).train()

    def learn() -> None:
        output = logits(network(torch.empty(2, 3, frames, side, side, device="meta")))
        torch.autograd.grad(output.square().mean(), [*network.parameters()])

    names = operations_of(learn)
    assert "convolution_backward" in names
    assert names & WITHOUT_DETERMINISTIC_KERNEL == set()


def test_a_third_of_the_width_has_about_a_ninth_of_the_weights() -> None:
    whole, part = built("r3d_18", 3), built("r3d_18", 3, width=1 / 3)
    share = count_parameters(part) / count_parameters(whole)
    assert math.isclose(share, 1 / 9, rel_tol=0.05)
