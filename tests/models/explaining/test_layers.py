"""Which layer Grad-CAM takes, and what is said of layers that cannot be taken."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import nn
from torchvision import models as torchvision_models  # type: ignore[import-untyped]

from models.classification.lenet5 import LeNet5
from models.classification.lenet5_settings import LeNet5Settings
from models.explaining.layers import (
    UnusableLayerError,
    first_convolution,
    last_map_layer,
    map_layer,
)


def tiny() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 9, 2)
    ).eval()


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (torchvision_models.resnet18, "layer4"),  # after the residual sum
        (torchvision_models.vgg11, "features.19"),  # the ReLU before the last pooling
        (torchvision_models.mobilenet_v3_small, "features"),  # not the 1 x 1 maps of its gates
        (torchvision_models.densenet121, "features"),
    ],
)
def test_the_last_map_is_that_of_the_last_convolutions_block(
    build: Callable[..., nn.Module], layer: str
) -> None:
    network = build(num_classes=2).eval()
    assert last_map_layer(network, torch.zeros(1, 3, 64, 64)) == layer


@pytest.mark.parametrize("form", ["paper", "dense"])
def test_lenets_last_map_is_that_of_its_second_convolution(
    form: Literal["paper", "dense"],
) -> None:
    network = LeNet5(LeNet5Settings(form=form), 2).eval()
    assert last_map_layer(network, torch.zeros(1, 3, 32, 32)) == "features.c3_tanh"


def test_branches_are_taken_together() -> None:
    network = torchvision_models.googlenet(num_classes=2, init_weights=False).eval()
    assert last_map_layer(network, torch.zeros(1, 3, 64, 64)) == "inception5b"


def test_a_network_without_maps_is_told_of_saliency() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 2)).eval()
    with pytest.raises(UnusableLayerError, match="Sequential has none; use the method saliency"):
        last_map_layer(network, torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("layer5", "unknown layer 'layer5' in --layer; did you mean 'layer4'?"),
        ("", "unknown layer '' in --layer"),
        ("fc", r"'fc' has one of shape \(2,\); name an earlier layer"),
        ("layer4.1.relu", "'layer4.1.relu' runs 2 times for one picture; name the layer around"),
    ],
)
def test_a_layer_without_one_map_is_refused_with_the_reason(layer: str, words: str) -> None:
    network = torchvision_models.resnet18(num_classes=2).eval()
    with pytest.raises(UnusableLayerError, match=words):
        map_layer(network, layer, torch.zeros(1, 3, 64, 64))


def test_a_layer_that_never_runs_is_refused() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            maps: torch.Tensor = self.used(images)
            return maps.mean(dim=(2, 3))

    with pytest.raises(UnusableLayerError, match="'unused' never runs"):
        map_layer(Idle().eval(), "unused", torch.zeros(1, 3, 4, 4))


def test_a_layer_is_found_by_its_name() -> None:
    network = tiny()
    assert map_layer(network, "1", torch.zeros(1, 3, 8, 8)) is network[1]
    assert first_convolution(network) == "0"
