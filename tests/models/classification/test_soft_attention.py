"""Soft attention by hand on a map of 2 x 2 places, and in a network."""

from math import exp, tanh

import pytest
import torch
from torch import Tensor, nn

from models.classification.attention_cnn import AttentionCNN, build_attention_cnn
from models.classification.attention_cnn_settings import (
    AttentionCNNSettings,
    attention_cnn_parameters,
    attention_cnn_size_rule,
)
from models.classification.soft_attention import SoftAttention


def map_of(values: list[list[float]]) -> Tensor:
    return torch.tensor([[values]])


def set_to(layer: nn.Module, value: float) -> None:
    with torch.no_grad():
        for weights in layer.parameters():
            weights.fill_(value)


@pytest.fixture
def thesis() -> SoftAttention:
    """Return the thesis's formula of one channel with W_c = 2, no bias, W_y = 1."""
    attention = SoftAttention(1, None)
    set_to(attention.of_context, 0.0)
    with torch.no_grad():
        attention.of_context.weight.fill_(2.0)
    set_to(attention.of_place, 1.0)
    return attention


def test_a_map_of_four_places_is_weighed_as_the_thesis_says(thesis: SoftAttention) -> None:
    maps = map_of([[1.0, 0.0], [-1.0, 0.0]])  # the context, their mean, is 0
    up, level, down = exp(tanh(1)), exp(tanh(0)), exp(tanh(-1))
    total = up + 2 * level + down
    expected = torch.tensor([[[up / total, level / total], [down / total, level / total]]])
    torch.testing.assert_close(thesis.weights(maps), expected)
    assert thesis(maps).item() == pytest.approx((up - down) / total)


def test_the_context_is_the_mean_of_all_places(thesis: SoftAttention) -> None:
    maps = map_of([[3.0, 1.0], [0.0, 0.0]])  # c = 1
    scores = torch.tensor([2 + 3.0, 2 + 1.0, 2.0, 2.0]).tanh()
    torch.testing.assert_close(thesis.weights(maps).flatten(), scores.softmax(dim=0))


def test_a_vector_at_each_place_goes_through_a_product() -> None:
    attention = SoftAttention(1, 2)
    set_to(attention.of_context, 0.0)
    set_to(attention.of_place, 1.0)
    set_to(attention.product, 10.0)
    maps = map_of([[1.0, 0.0], [0.0, 0.0]])
    high, low = exp(20 * tanh(1)), exp(0)
    assert attention.weights(maps)[0, 0, 0].item() == pytest.approx(high / (high + 3 * low))


def test_the_thesiss_formula_cannot_single_out_a_place() -> None:
    maps = map_of([[1000.0, -1000.0]])
    attention = SoftAttention(1, None)
    set_to(attention.of_context, 0.0)
    set_to(attention.of_place, 1.0)
    weights = attention.weights(maps).flatten()
    assert (weights[0] / weights[1]).item() == pytest.approx(exp(2))


@pytest.mark.parametrize("units", [None, 16])
def test_weights_are_counted(units: int | None) -> None:
    settings = AttentionCNNSettings(filters=(4, 8), units=units)
    network = build_attention_cnn(settings, 5)
    counted = sum(each.numel() for each in network.parameters())
    assert counted == attention_cnn_parameters(settings, 5)


def test_weights_of_each_image_add_up_to_1() -> None:
    torch.manual_seed(0)
    network = AttentionCNN(AttentionCNNSettings(filters=(4, 8)), 2)
    maps = network.blocks(torch.randn(3, 3, 16, 12))
    weights = network.attention.weights(maps)
    assert weights.shape == (3, 8, 6)
    torch.testing.assert_close(weights.sum(dim=(1, 2)), torch.ones(3))


def test_too_small_an_image_is_refused() -> None:
    settings = AttentionCNNSettings()
    assert attention_cnn_size_rule(settings, 8) is None
    message = attention_cnn_size_rule(settings, 7) or ""
    assert "must be at least 8, so that 2 halvings leave places to choose from, got 7" in message
