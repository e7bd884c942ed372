import itertools
import math

import pytest
import torch
from torch import nn

from models.cost import count_macs, count_parameters
from models.segmentation.settings import UNetSettings, unet_output_size, unet_size_rule
from models.segmentation.unet import UNet, crop_centre

PAPER = UNetSettings(padding="valid")


@pytest.mark.parametrize(
    ("settings", "in_channels", "out_channels", "expected"),
    [
        (PAPER, 1, 2, 31_030_658),
        (UNetSettings(), 3, 1, 31_031_745),
        (UNetSettings(batch_norm=True), 3, 1, 31_043_521),
        (UNetSettings(up_kernel=3), 3, 1, 34_513_345),
        (UNetSettings(up_kernel=3, batch_norm=True), 3, 1, 34_525_121),
    ],
)
def test_parameter_counts_are_the_published_ones(
    settings: UNetSettings, in_channels: int, out_channels: int, expected: int
) -> None:
    with torch.device("meta"):
        network = UNet(settings, out_channels, in_channels=in_channels)
    assert count_parameters(network) == expected


def test_paper_form_turns_572_pixels_into_388_at_the_published_cost() -> None:
    with torch.device("meta"):
        network = UNet(PAPER, 2, in_channels=1)
        image = torch.empty(1, 1, 572, 572)
    assert network(image).shape == (1, 2, 388, 388)
    assert unet_output_size(PAPER, 572) == 388
    assert count_macs(network, image) / 1e9 == pytest.approx(150.4, abs=0.05)


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


def test_activations_keep_their_scale_through_all_levels() -> None:
    torch.manual_seed(0)
    network = UNet(UNetSettings(base_channels=16, depth=3), 4).eval()
    with torch.no_grad():
        logits = network(torch.randn(2, 3, 64, 64))
    assert 0.1 < logits.std().item() < 10
