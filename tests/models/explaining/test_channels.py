"""The strongest channels of a layer, and the filters of a convolution."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from models.classification.lenet5 import LeNet5, SparseConvolution
from models.classification.lenet5_settings import LeNet5Settings
from models.explaining.channels import feature_maps, filters
from models.explaining.layers import UnusableLayerError


@pytest.fixture
def network() -> nn.Sequential:
    """Return a first convolution of 1 x 2 filters, one of norms, and one of single places."""
    first = nn.Conv2d(3, 3, (1, 2), bias=False)
    second = nn.Conv2d(3, 2, (1, 2), padding=(0, 1), bias=False)
    with torch.no_grad():
        first.weight.zero_()
        first.weight[0, 0, 0, 0] = 1.0  # red
        first.weight[1, 1, 0, 1] = -3.0  # green of the right neighbour
        first.weight[2, 2, 0] = torch.tensor([2.0, 1.0])  # blue
        second.weight.zero_()
        second.weight[1, :2, 0, 0] = torch.tensor([3.0, 4.0])
    layers = nn.Sequential(first, nn.ReLU(inplace=True), second, nn.Conv2d(2, 2, 1))
    return layers.eval()


def picture() -> Tensor:
    image = torch.zeros(1, 3, 1, 3)
    image[0, 0, 0] = torch.tensor([5.0, 6.0, 7.0])
    image[0, 1, 0] = torch.tensor([1.0, 2.0, 3.0])
    return image


def test_the_strongest_maps_come_first(network: nn.Sequential) -> None:
    found = feature_maps(network, network[0], picture(), most=2)
    # Red is 5 6; green of the right neighbour, times -3, is -6 -9: further from 0.
    assert found.numbers == (1, 0)
    assert found.of == 3
    assert found.values.tolist() == [[[-6.0, -9.0]], [[5.0, 6.0]]]


def test_filters_of_colours_are_shown_as_they_are(network: nn.Sequential) -> None:
    found = filters(network, "0", most=5)
    assert found.numbers == (1, 2, 0)  # norms 3, sqrt(5), 1
    assert found.values.shape == (3, 1, 2, 3)
    assert found.values[1, 0].tolist() == [[0.0, 0.0, 2.0], [0.0, 0.0, 1.0]]


def test_deeper_filters_are_norms_over_what_they_look_at(network: nn.Sequential) -> None:
    found = filters(network, "2", most=1)
    assert found.numbers == (1,)
    assert found.of == 2
    assert found.values.tolist() == [[[5.0, 0.0]]]  # of 3 and 4


@pytest.mark.parametrize("form", ["paper", "dense"])
def test_lenets_second_convolution_has_filters(form: Literal["paper", "dense"]) -> None:
    network = LeNet5(LeNet5Settings(form=form), 2).eval()
    found = filters(network, "features.c3", most=16)
    assert found.of == 16
    assert found.values.shape == (16, 5, 5)
    layer: Any = network.features.get_submodule("c3")
    weights = layer.dense_weight() if isinstance(layer, SparseConvolution) else layer.weight
    strongest = weights[found.numbers[0]].detach()
    assert found.values[0] == pytest.approx(strongest.norm(dim=0).numpy())


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("1", "layer '1' is a ReLU; name a convolution by --layer"),
        ("3", "those of layer '3' are 1 x 1; name another convolution"),
        ("7", "unknown layer '7' in --layer"),
    ],
)
def test_what_has_no_filters_to_look_at_is_refused(
    network: nn.Sequential, layer: str, words: str
) -> None:
    with pytest.raises(UnusableLayerError, match=words):
        filters(network, layer, most=4)
