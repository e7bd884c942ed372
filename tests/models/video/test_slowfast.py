from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50  # type: ignore[import-untyped]

from models.class_rows import HasClassRows
from models.cost import count_macs, count_parameters
from models.video.slowfast import (
    SinglePathway,
    SlowFast,
    build_fast_only,
    build_slow_only,
    build_slowfast,
)
from models.video.slowfast_settings import (
    FastOnlySettings,
    Lateral,
    SlowFastSettings,
    SlowOnlySettings,
)
from models.video.slowfast_stages import Bottleneck, pool_pictures

LEVELS = ("stem", "res2", "res3", "res4", "res5")
SMALL = {"depth": 14, "width": 8, "slow_frames": 4, "slow_stride": 4, "alpha": 4, "beta": 0.25}


def small(seed: int = 0, **changes: Any) -> SlowFast:
    torch.manual_seed(seed)
    settings = {**SMALL, "zero_last_gamma": False, **changes}
    return build_slowfast(SlowFastSettings.model_validate(settings), 5)


def random_clips(count: int = 2, frames: int = 16, side: int = 32) -> Tensor:
    return torch.randn(count, 3, frames, side, side, generator=torch.Generator().manual_seed(3))


def on_meta(settings: SlowFastSettings, classes: int) -> SlowFast:
    with torch.device("meta"):
        return build_slowfast(settings, classes)


@contextmanager
def shapes_of(network: nn.Module, names: tuple[str, ...]) -> Iterator[dict[str, tuple[int, ...]]]:
    """Note the shapes (c, t, h, w) that modules return."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name in names:

        def note(_: nn.Module, __: Any, output: Tensor, *, name: str = name) -> None:
            shapes[name] = tuple(output.shape[1:])

        network.get_submodule(name).register_forward_hook(note)
    yield shapes


@pytest.mark.parametrize(
    ("settings", "classes", "expected"),
    [
        ({}, 400, 34_480_216),
        ({}, 101, 33_791_021),
        ({"form": "thesis"}, 101, 33_789_992),
        ({"form": "thesis", "depth": 101}, 101, 62_136_744),
        ({"slow_frames": 8, "slow_stride": 8, "alpha": 4, "lateral_kernel": 7}, 400, 34_566_488),
        ({"slow_frames": 8, "slow_stride": 8, "alpha": 4, "lateral_kernel": 7}, 101, 33_877_293),
        ({"slow_frames": 8, "slow_stride": 8, "alpha": 4, "depth": 101}, 400, 62_826_968),
        ({"slow_frames": 8, "slow_stride": 8, "alpha": 4, "depth": 101}, 101, 62_137_773),
        ({"alpha": 4, "depth": 101, "temporal_depth": 50}, 400, 53_774_808),
    ],
)
def test_parameter_counts_are_the_known_ones(
    settings: dict[str, Any], classes: int, expected: int
) -> None:
    network = on_meta(SlowFastSettings.model_validate(settings), classes)
    assert count_parameters(network) == expected


def test_thesis_form_has_the_known_count_in_each_of_its_parts() -> None:
    parts = {"slow": 0, "fast": 0, "lateral": 0, "classifier": 0}
    for name, weights in on_meta(SlowFastSettings(form="thesis"), 101).named_parameters():
        parts[next(part for part in parts if part in name)] += weights.numel()
    assert parts == {
        "slow": 32_827_456, "fast": 514_152, "lateral": 215_680, "classifier": 232_704
    }  # fmt: skip


@pytest.mark.parametrize("name", ["slow_only", "fast_only"])
def test_parameter_counts_of_single_pathways_are_the_known_ones(name: str) -> None:
    with torch.device("meta"):
        slow = count_parameters(build_slow_only(SlowOnlySettings(), 400))
        fast = count_parameters(build_fast_only(FastOnlySettings(), 400))
    assert {"slow_only": slow, "fast_only": fast}[name] == {
        "slow_only": 32_454_096,
        "fast_only": 514_152 + 257 * 400,  # the thesis's Fast pathway, and a last layer
    }[name]


@pytest.mark.parametrize(
    ("lateral", "billions"),
    # table 5a of the paper, at 256 pixels
    [
        ("convolution", 36.1),
        ("time_strided_sample", 34.9),
        ("time_to_channel", 39.8),
        ("time_to_channel_sum", 34.2),
        ("none", 34.2),
    ],
)
def test_costs_of_laterals_are_the_papers(lateral: Lateral, billions: float) -> None:
    network = on_meta(SlowFastSettings(lateral=lateral), 400)
    macs = count_macs(network, torch.empty(1, 3, 64, 256, 256, device="meta"))
    assert macs / 1e9 == pytest.approx(billions, abs=0.07)


@pytest.mark.parametrize(("side", "billions"), [(256, 36.10), (224, 27.64), (112, 7.23)])
def test_costs_at_other_sizes_are_the_known_ones(side: int, billions: float) -> None:
    macs = count_macs(
        on_meta(SlowFastSettings(), 400), torch.empty(1, 3, 64, side, side, device="meta")
    )
    assert macs / 1e9 == pytest.approx(billions, abs=0.005)


def test_stages_have_the_shapes_of_the_papers_table_1() -> None:
    network = on_meta(SlowFastSettings(), 400)
    names = tuple(f"{level}.{pathway}" for level in LEVELS for pathway in ("slow", "fast"))
    with shapes_of(network, (*names, "stem.slow.conv", "stem.fast.conv")) as shapes:
        network(torch.empty(1, 3, 64, 224, 224, device="meta"))
    assert shapes == {
        "stem.slow.conv": (64, 4, 112, 112), "stem.fast.conv": (8, 32, 112, 112),
        "stem.slow": (64, 4, 56, 56), "stem.fast": (8, 32, 56, 56),
        "res2.slow": (256, 4, 56, 56), "res2.fast": (32, 32, 56, 56),
        "res3.slow": (512, 4, 28, 28), "res3.fast": (64, 32, 28, 28),
        "res4.slow": (1024, 4, 14, 14), "res4.fast": (128, 32, 14, 14),
        "res5.slow": (2048, 4, 7, 7), "res5.fast": (256, 32, 7, 7),
    }  # fmt: skip


def test_time_is_strided_in_lateral_convolutions_alone() -> None:
    network = on_meta(SlowFastSettings(), 400)
    strides = {
        name: layer.stride[0]
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv3d)
    }
    assert {name: stride for name, stride in strides.items() if stride != 1} == {
        f"{level}.lateral.conv": 8 for level in LEVELS[:-1]
    }


def test_pathways_convolve_over_time_where_table_1_says() -> None:
    network = on_meta(SlowFastSettings(), 400)
    frames = {
        f"{level}.{pathway}": {
            block.conv1.kernel_size[0]
            for block in network.get_submodule(f"{level}.{pathway}").modules()
            if isinstance(block, Bottleneck)
        }
        for level in LEVELS[1:]
        for pathway in ("slow", "fast")
    }
    assert network.get_submodule("stem.slow.conv").kernel_size == (1, 7, 7)
    assert network.get_submodule("stem.fast.conv").kernel_size == (5, 7, 7)
    assert frames == {
        "res2.slow": {1}, "res3.slow": {1}, "res4.slow": {3}, "res5.slow": {3},
        "res2.fast": {3}, "res3.fast": {3}, "res4.fast": {3}, "res5.fast": {3},
    }  # fmt: skip


def test_temporal_depth_leaves_the_further_bottlenecks_without_time() -> None:
    network = on_meta(SlowFastSettings(depth=26, temporal_depth=14), 5)
    for name in ("res4.slow", "res2.fast"):
        first, second = network.get_submodule(name).children()
        assert isinstance(first, Bottleneck)
        assert isinstance(second, Bottleneck)
        assert (first.conv1.kernel_size[0], second.conv1.kernel_size[0]) == (3, 1)


def test_pathways_see_every_tauth_frame_and_alpha_times_as_many() -> None:
    network, seen = small(slow_stride=8, alpha=4), {}
    for pathway in ("slow", "fast"):

        def note(_: nn.Module, given: tuple[Tensor], *, name: str = pathway) -> None:
            seen[name] = given[0][0, 0, :, 0, 0].tolist()

        network.get_submodule(f"stem.{pathway}").register_forward_pre_hook(note)
    numbered = torch.arange(32.0).view(1, 1, 32, 1, 1).expand(1, 3, 32, 32, 32)
    network.eval()(numbered)
    assert seen == {"slow": [0, 8, 16, 24], "fast": list(range(0, 32, 2))}


@pytest.mark.parametrize("lateral", get_args(Lateral))
def test_lateral_carries_gradient_from_slow_features_into_the_fast_pathway(
    lateral: Lateral,
) -> None:
    network = small(lateral=lateral)
    with torch.no_grad():
        network.classifier.weight[:, 8 * 32 :] = 0  # nothing is read of the Fast features
    network.eval()(random_clips()).square().sum().backward()
    moved = [
        weights.grad is not None and bool(weights.grad.any())
        for level in (network.stem, network.res2, network.res3, network.res4)
        for part in (level.fast, level.lateral)
        if part is not None
        for weights in part.parameters()
    ]
    assert all(moved) if lateral != "none" else not any(moved)
    unread = [weights.grad for weights in network.res5.fast.parameters()]
    assert not any(bool(gradient.any()) for gradient in unread if gradient is not None)


def test_nothing_goes_from_the_slow_to_the_fast_pathway() -> None:
    network = small()
    with torch.no_grad():
        network.classifier.weight[:, : 8 * 32] = 0  # nothing is read of the Slow features
    network.eval()(random_clips()).square().sum().backward()
    gradients = [each.grad for name, each in network.named_parameters() if ".slow." in name]
    assert not any(bool(gradient.any()) for gradient in gradients if gradient is not None)


def test_reversing_the_clip_changes_the_output() -> None:
    # Both pathways see all frames, so that it is their order alone that differs.
    network = small(slow_frames=8, slow_stride=1, alpha=1, beta=1.0).eval()
    clips = random_clips(frames=8)
    with torch.no_grad():
        there, back = network(clips), network(clips.flip(2))
    assert (there - back).abs().max() > 1e-2 * there.abs().max()


def test_slow_pathway_of_a_single_frame_is_torchvisions_resnet() -> None:
    torch.manual_seed(0)
    reference = resnet50(weights=None, num_classes=5).eval()
    with torch.no_grad():
        for weights in reference.parameters():
            weights += 0.01 * torch.randn_like(weights)  # factors and biases that say something
    settings = SlowOnlySettings(frames=1, stride=1)
    network = build_slow_only(settings, 5).eval()
    copy_of_pictures(network, reference)
    clips = random_clips(frames=1, side=64)
    with torch.no_grad():
        torch.testing.assert_close(network(clips), reference(clips[:, :, 0]), rtol=1e-4, atol=1e-4)


def copy_of_pictures(network: SinglePathway, reference: nn.Module) -> None:
    """Put 2-D weights where a single frame meets them: in the middle of each kernel."""
    own = [each for each in network.state_dict().values() if each.dim() > 0]
    others = [each for each in reference.state_dict().values() if each.dim() > 0]
    assert len(own) == len(others)
    for target, source in zip(own, others, strict=True):
        if source.dim() == 4:
            target.zero_()[:, :, target.shape[2] // 2] = source
        else:
            target.copy_(source)


def test_pictures_are_pooled_as_by_torchs_3d_pooling() -> None:
    maps = torch.randn(2, 3, 4, 9, 8)
    expected = functional.max_pool3d(maps, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
    assert torch.equal(pool_pictures(maps), expected)


def test_bottlenecks_start_as_the_identity_in_the_papers_form_and_not_in_the_thesiss() -> None:
    for form, starts_at in (("paper", 0.0), ("thesis", 1.0)):
        network = small(form=form, zero_last_gamma=None)
        factors = [
            block.norm3.weight.detach()
            for block in network.modules()
            if isinstance(block, Bottleneck)
        ]
        assert factors
        assert all(torch.equal(each, torch.full_like(each, starts_at)) for each in factors)


def test_convolutions_are_drawn_as_he_et_al_say() -> None:
    weights = small(width=64).get_parameter("res5.slow.0.conv2.weight").detach()
    assert float(weights.std()) == pytest.approx((2 / (weights.shape[0] * 9)) ** 0.5, rel=0.01)


def test_clip_of_another_length_is_refused_in_the_network() -> None:
    with pytest.raises(ValueError, match=r"clips must have 16 frames, got 15; cut clips"):
        small()(random_clips(frames=15))


@pytest.mark.parametrize("form", ["paper", "thesis"])
def test_single_clip_of_the_smallest_size_is_a_batch(form: str) -> None:
    network = small(form=form).train()
    assert torch.isfinite(network(random_clips(1))).all()


def test_classes_are_the_rows_of_the_last_layer() -> None:
    network = small()
    assert isinstance(network, HasClassRows)
    (rows,) = network.class_rows
    assert network.get_submodule(rows.layer).out_features == 5
