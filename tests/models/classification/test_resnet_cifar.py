"""The ResNets of CIFAR have the weights, the maps and the ways around of their paper."""

import pytest
import torch
from torch import nn

from models.classification.resnet_cifar import Block, build_resnet_cifar
from models.classification.resnet_cifar_settings import (
    ResNetCifarSettings,
    resnet_cifar_parameters,
    resnet_cifar_size_rule,
)
from models.cost import count_parameters

DEPTHS = (8, 14, 20, 32, 44, 56, 110)


def by_hand(n: int) -> int:
    """Add up what a table of the network's layers has, for 10 classes."""
    first = 3 * 9 * 16 + 32
    of_16 = 2 * n * (16 * 9 * 16 + 32)
    of_32 = (16 * 9 * 32 + 64) + (2 * n - 1) * (32 * 9 * 32 + 64)
    of_64 = (32 * 9 * 64 + 128) + (2 * n - 1) * (64 * 9 * 64 + 128)
    return first + of_16 + of_32 + of_64 + 64 * 10 + 10


@pytest.mark.parametrize("depth", DEPTHS)
def test_weights_are_those_counted_by_hand(depth: int) -> None:
    settings = ResNetCifarSettings.model_validate({"depth": depth})
    with torch.device("meta"):
        network = build_resnet_cifar(settings, 10)
    assert by_hand((depth - 2) // 6) == count_parameters(network)
    assert resnet_cifar_parameters(settings, 10) == count_parameters(network)


@pytest.mark.parametrize(
    ("depth", "millions"),  # He et al. 2016, table 6
    [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)],
)
def test_weights_are_those_the_paper_prints(depth: int, millions: float) -> None:
    settings = ResNetCifarSettings.model_validate({"depth": depth})
    digits = 1 if depth == 110 else 2
    assert round(resnet_cifar_parameters(settings, 10) / 1e6, digits) == millions


@pytest.mark.parametrize("depth", [8, 20, 110])
def test_there_are_as_many_layers_with_weights_as_its_name_says(depth: int) -> None:
    with torch.device("meta"):
        network = build_resnet_cifar(ResNetCifarSettings.model_validate({"depth": depth}), 10)
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth


def test_maps_are_halved_twice() -> None:
    network = build_resnet_cifar(ResNetCifarSettings(), 10).eval()
    assert network.features(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 8, 8)
    assert network.features(torch.zeros(1, 3, 33, 29)).shape == (1, 64, 9, 8)


@pytest.mark.parametrize(("before", "after"), [(4, 4), (4, 8)])
def test_a_block_whose_convolutions_say_nothing_passes_on_what_came(
    before: int, after: int
) -> None:
    block = Block(before, after).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    maps = torch.rand(2, before, 6, 7)
    passed = block(maps)
    kept = maps if before == after else maps[:, :, ::2, ::2]
    assert torch.equal(passed[:, :before], kept)
    assert not passed[:, before:].any()


def test_the_least_size_is_one_that_a_single_picture_trains_on() -> None:
    settings = ResNetCifarSettings(depth=8)
    network = build_resnet_cifar(settings, 10)
    assert resnet_cifar_size_rule(settings, 5) is None
    network(torch.randn(1, 3, 5, 5)).sum().backward()
    fault = resnet_cifar_size_rule(settings, 4)
    assert fault is not None
    assert "must be at least 5, for its two halvings, got 4" in fault
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(torch.randn(1, 3, 4, 4))
