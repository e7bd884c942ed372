"""AlexNet, ZFNet and VGG against their papers."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models.classification.plain import PlainNetwork, build_alexnet, build_vgg, build_zfnet
from models.classification.plain_settings import (
    AlexNetSettings,
    VGGSettings,
    ZFNetSettings,
    alexnet_size_rule,
    zfnet_size_rule,
)
from models.cost import count_parameters
from models.video.response_norm import ResponseNorm

# Weights of AlexNet's layers: filters x (inputs x height x width + 1); of the paper's form the
# second, fourth and fifth convolution see half of the maps before.
PAPER = [
    96 * (3 * 121 + 1),
    256 * (48 * 25 + 1),
    384 * (256 * 9 + 1),
    384 * (192 * 9 + 1),
    256 * (192 * 9 + 1),
    4096 * (9216 + 1),
    4096 * (4096 + 1),
    1000 * (4096 + 1),
]
DENSE = [
    PAPER[0],
    256 * (96 * 25 + 1),
    PAPER[2],
    384 * (384 * 9 + 1),
    256 * (384 * 9 + 1),
    *PAPER[5:],
]
ZFNET = [96 * (3 * 49 + 1), *DENSE[1:]]
# Sides of the maps after each layer of the lecture's table of AlexNet, and of figure 3 of ZFNet.
ALEXNET_SIDES = [55, 27, 27, 13, 13, 13, 13, 6]
ZFNET_SIDES = [110, 55, 26, 13, 13, 13, 13, 6]


def on_meta(settings: AlexNetSettings | ZFNetSettings | VGGSettings) -> PlainNetwork:
    with torch.device("meta"):
        if isinstance(settings, AlexNetSettings):
            return build_alexnet(settings, 1000)
        if isinstance(settings, ZFNetSettings):
            return build_zfnet(settings, 1000)
        return build_vgg(settings, 1000)


def layers_of(network: nn.Module, *kinds: type[nn.Module]) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, kinds)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (AlexNetSettings(form="paper"), PAPER),
        (AlexNetSettings(form="dense"), DENSE),
        (ZFNetSettings(), ZFNET),
    ],
)
def test_each_layer_has_the_weights_of_the_paper(
    settings: AlexNetSettings | ZFNetSettings, expected: list[int]
) -> None:
    layers = layers_of(on_meta(settings), nn.Conv2d, nn.Linear)
    assert [count_parameters(layer) for layer in layers] == expected


@pytest.mark.parametrize(
    ("settings", "side", "expected"),
    [
        (AlexNetSettings(form="paper"), 227, ALEXNET_SIDES),
        (ZFNetSettings(), 224, ZFNET_SIDES),
    ],
)
def test_maps_have_the_sizes_of_the_paper(
    settings: AlexNetSettings | ZFNetSettings, side: int, expected: list[int]
) -> None:
    maps = torch.empty(1, 3, side, side, device="meta")
    sides = []
    for layer in on_meta(settings).features:
        maps = layer(maps)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            sides.append(maps.shape[-1])
    assert sides == expected


def test_alexnets_halves_meet_in_the_third_convolution_alone() -> None:
    groups = [
        layer.groups
        for layer in layers_of(on_meta(AlexNetSettings()), nn.Conv2d)
        if isinstance(layer, nn.Conv2d)
    ]
    assert groups == [1, 2, 1, 2, 2]


def test_response_normalisation_is_that_of_section_3_3() -> None:
    layer = layers_of(on_meta(AlexNetSettings()), ResponseNorm)[0]
    maps = torch.rand(1, 7, 1, 1) * 50
    values = maps.flatten().tolist()
    expected = [
        value / (2 + 1e-4 * sum(v**2 for v in values[max(0, i - 2) : i + 3])) ** 0.75
        for i, value in enumerate(values)
    ]
    torch.testing.assert_close(layer(maps).flatten(), torch.tensor(expected))


@pytest.mark.parametrize(
    ("settings", "order"),
    [
        (AlexNetSettings(), ["Conv2d", "ReLU", "ResponseNorm", "MaxPool2d"]),
        (ZFNetSettings(), ["Conv2d", "ReLU", "MaxPool2d", "ResponseNorm"]),
        (AlexNetSettings(form="torchvision"), ["Conv2d", "ReLU", "MaxPool2d", "Conv2d"]),
    ],
)
def test_alexnet_pools_what_is_normalised_and_zfnet_normalises_what_is_pooled(
    settings: AlexNetSettings | ZFNetSettings, order: list[str]
) -> None:
    assert [type(layer).__name__ for layer in on_meta(settings).features][:4] == order


def test_half_of_both_connected_layers_is_dropped_as_the_settings_say() -> None:
    network = on_meta(VGGSettings(dropout=0.25))
    assert [layer.p for layer in network.classifier if isinstance(layer, nn.Dropout)] == [0.25] * 2


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vggs_depth_is_its_layers_with_weights(depth: int) -> None:
    network = on_meta(VGGSettings.model_validate({"depth": depth}))
    assert len(layers_of(network, nn.Conv2d, nn.Linear)) == depth


def test_pictures_of_other_sizes_are_seen_by_a_grid() -> None:
    network = on_meta(VGGSettings())
    for side in (32, 224, 300):
        assert network(torch.empty(2, 3, side, side, device="meta")).shape == (2, 1000)


def test_too_small_pictures_are_told_with_the_smallest() -> None:
    assert alexnet_size_rule(AlexNetSettings(), 67) is None
    assert str(alexnet_size_rule(AlexNetSettings(), 66)) == (
        "image size of alexnet must be at least 67, for its poolings, got 66; use 67 or more (its "
        "authors': 227)"
    )
    assert zfnet_size_rule(ZFNetSettings(), 47) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pretrained": "imagenet"}, "needs form 'torchvision', got 'paper'"),
        (
            {"pretrained": "imagenet", "form": "torchvision", "width": 0.5},
            r"'imagenet' has width 1, got 0\.5",
        ),
    ],
)
def test_weights_are_of_one_form_and_width(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AlexNetSettings.model_validate(settings)
