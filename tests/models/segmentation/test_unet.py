import itertools
import math
import re
from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from models.cost import count_macs, count_parameters
from models.segmentation.settings import (
    UNetSettings,
    Upsampling,
    unet_covering_size,
    unet_margin,
    unet_output_size,
    unet_size_rule,
)
from models.segmentation.unet import UNet, crop_centre

PAPER = UNetSettings(padding="valid", input_channels=1)
UPSAMPLINGS = get_args(Upsampling)


def network_of(**settings: Any) -> UNet:
    torch.manual_seed(0)
    return UNet(UNetSettings.model_validate(settings), 2)


@pytest.mark.parametrize(
    ("settings", "out_channels", "expected"),
    [
        (PAPER, 2, 31_030_658),
        (UNetSettings(input_channels=1), 2, 31_030_658),
        (UNetSettings(), 1, 31_031_745),
        (UNetSettings(batch_norm=True), 1, 31_043_521),
        (UNetSettings(up_kernel=3), 1, 34_513_345),
        (UNetSettings(up_kernel=3, batch_norm=True), 1, 34_525_121),
    ],
)
def test_parameter_counts_are_the_published_ones(
    settings: UNetSettings, out_channels: int, expected: int
) -> None:
    with torch.device("meta"):
        assert count_parameters(UNet(settings, out_channels)) == expected


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_every_upsampling_learns_as_many_parameters(upsampling: str) -> None:
    with torch.device("meta"):
        assert count_parameters(network_of(upsampling=upsampling)) == 31_031_810


def test_paper_form_turns_572_pixels_into_388_at_the_published_cost() -> None:
    with torch.device("meta"):
        network = UNet(PAPER, 2)
        image = torch.empty(1, 3, 572, 572)
    assert network(image).shape == (1, 2, 388, 388)
    assert unet_output_size(PAPER, 572) == 388
    assert unet_margin(PAPER) == (572 - 388) / 2
    assert count_macs(network, image) / 1e9 == pytest.approx(150.4, abs=0.05)


@pytest.mark.parametrize("size", [16, 48, 64, 80, 144])
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_output_has_the_images_size_with_padding(upsampling: str, size: int) -> None:
    network = network_of(base_channels=1, upsampling=upsampling, up_kernel=3)
    assert network(torch.zeros(1, 3, size, 2 * size)).shape == (1, 2, size, 2 * size)


@pytest.mark.parametrize("size", [1, 30, 64, 101, 128])
def test_output_has_the_images_size_with_mirrored_borders(size: int) -> None:
    network = network_of(base_channels=1, depth=3, padding="valid", border="mirror")
    assert network(torch.zeros(1, 3, size, size + 1)).shape == (1, 2, size, size + 1)


def test_mirrored_borders_leave_the_centre_as_it_was() -> None:
    settings = {"base_channels": 2, "depth": 2, "padding": "valid", "batch_norm": True}
    cropping = network_of(**settings).eval()
    mirroring = network_of(**settings, border="mirror").eval()
    images = torch.randn(1, 3, 60, 60, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        centre, whole = cropping(images), mirroring(images)
    assert centre.shape[-1] == 20
    torch.testing.assert_close(whole[..., 20:40, 20:40], centre, rtol=0, atol=1e-5)


def test_grey_is_the_mean_of_the_three_channels() -> None:
    network = network_of(base_channels=2, depth=1, input_channels=1).eval()
    images = torch.randn(1, 3, 8, 8)
    grey = images.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    torch.testing.assert_close(network(images), network(grey))


def test_activations_are_dropped_at_the_bottom_in_training_alone() -> None:
    network = network_of(base_channels=4, depth=2, dropout=0.5)
    seen: list[Tensor] = []
    network.dropout.register_forward_hook(lambda *call: seen.append(call[2]))
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        network.eval()(images)
        network.train()(images)
    kept, dropped = seen
    assert kept.shape == dropped.shape == (1, 16, 16, 16)
    positive = kept > 0
    assert (dropped[positive] == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"border": "mirror"},
            "border 'mirror' has no effect with padding 'same', whose output covers the image; "
            "remove it or use padding 'valid'",
        ),
        (
            {"padding": "valid", "upsampling": "max_unpooling"},
            "upsampling 'max_unpooling' needs padding 'same', for with 'valid' maps before and "
            "after a level differ in size; use padding 'same' or another upsampling",
        ),
        (
            {"padding": "valid", "tile": 388},
            "tile has no effect with border 'crop'; remove it or use border 'mirror'",
        ),
        (
            {"padding": "valid", "border": "mirror", "tile": 400},
            "tile must be a size that the network's output can have and at least 20 with depth "
            "4, got 400; use 388 or 404",
        ),
        (
            {"padding": "valid", "border": "mirror", "tile": 7},
            "tile must be a size that the network's output can have and at least 20 with depth "
            "4, got 7; use 20",
        ),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        UNetSettings.model_validate(settings)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_covering_size_is_the_smallest_possible_output(depth: int) -> None:
    settings = UNetSettings(padding="valid", depth=depth)
    margin = unet_margin(settings)
    possible = [side for side in range(4, 120) if unet_output_size(settings, side + 2 * margin)]
    for side in range(4, 100):
        covering = unet_covering_size(settings, side)
        assert covering == next(output for output in possible if output >= side)
        assert unet_output_size(settings, covering + 2 * margin) == covering


@pytest.mark.parametrize("up_kernel", [2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_size_rule_agrees_with_the_network(padding: str, depth: int, up_kernel: int) -> None:
    settings = UNetSettings.model_validate(
        {"base_channels": 1, "depth": depth, "padding": padding, "up_kernel": up_kernel}
    )
    with torch.device("meta"):
        network = UNet(settings, 1)
    valid = []
    for size in range(1, 120):
        expected = unet_output_size(settings, size)
        assert (unet_size_rule(settings, size) is None) == (expected is not None)
        if expected is not None:
            valid.append(size)
            assert network(torch.empty(1, 3, size, size, device="meta")).shape[-1] == expected
    assert valid
    assert {after - before for before, after in itertools.pairwise(valid)} == {2**depth}


@pytest.mark.parametrize(
    ("settings", "size", "message"),
    [
        (
            UNetSettings(),
            150,
            "image size of unet must be a multiple of 16 (4 poolings of 2), got 150; "
            "use 144 or 160",
        ),
        (
            UNetSettings(),
            10,
            "image size of unet must be a multiple of 16 (4 poolings of 2), got 10; use 16",
        ),
        (
            PAPER,
            576,
            "image size of unet must be even before each of 4 poolings with padding 'valid', "
            "got 576; use 572 or 588",
        ),
        (
            PAPER,
            100,
            "image size of unet must be even before each of 4 poolings with padding 'valid', "
            "got 100; use 188",
        ),
    ],
)
def test_impossible_size_names_the_nearest(
    settings: UNetSettings, size: int, message: str
) -> None:
    assert unet_size_rule(settings, size) == message


def test_copies_are_cropped_to_their_centre() -> None:
    maps = torch.arange(36).view(1, 1, 6, 6)
    assert crop_centre(maps, (2, 2)).flatten().tolist() == [14, 15, 20, 21]


def test_weights_start_as_the_paper_says() -> None:
    torch.manual_seed(0)
    network = UNet(UNetSettings(base_channels=16, depth=2), 1)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
            expected = math.sqrt(2 / (9 * module.in_channels))
            assert module.weight.std().item() == pytest.approx(expected, rel=0.08)
            assert module.bias is not None
            assert not module.bias.any()


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_activations_keep_their_scale_through_all_levels(upsampling: str) -> None:
    network = network_of(base_channels=16, depth=3, upsampling=upsampling).eval()
    with torch.no_grad():
        logits = network(torch.randn(2, 3, 64, 64))
    assert 0.1 < logits.std().item() < 10
