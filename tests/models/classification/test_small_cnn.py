"""Sizes, weights and layers of the small network follow from its settings."""

from typing import Any, get_args

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models.activation_settings import ActivationName
from models.classification.small_cnn import SumPooling, build_small_cnn
from models.classification.small_cnn_settings import (
    SmallCNNSettings,
    small_cnn_parameters,
    small_cnn_size_rule,
    small_cnn_sizes,
)
from models.cost import count_parameters

FORMS: list[dict[str, Any]] = [
    {},
    {"filters": [4], "hidden_units": []},
    {"filters": [4, 6], "kernel": 5, "padding": "valid", "hidden_units": [9, 7]},
    {"filters": 4, "depth": 3, "growth": 1.5, "batch_norm": True, "grid": 1},
    {"filters": [4, 6], "stride": 2, "pooling": "none", "batch_norm": True, "grid": 1},
    {"filters": [4, 6], "stride": 3, "padding": "valid", "pooling": "sum", "pool_size": 3},
    {"filters": [4], "pooling": "average", "pool_size": 3, "pool_stride": 2, "grid": 2},
    {"filters": [4], "hidden_units": 8, "hidden_layers": 3, "dropout": 0.5, "block_dropout": 0.2},
]


def settings(**given: Any) -> SmallCNNSettings:
    return SmallCNNSettings.model_validate(given)


def least_size(form: SmallCNNSettings) -> int:
    return next(size for size in range(1, 500) if small_cnn_size_rule(form, size) is None)


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_counted_by_the_formula(form: dict[str, Any]) -> None:
    given = settings(**form)
    for classes in (2, 7):
        network = build_small_cnn(given, classes)
        assert count_parameters(network) == small_cnn_parameters(given, classes)


def test_weights_of_a_worked_example() -> None:
    # (9 * 3 + 1) * 8 + (9 * 8 + 1) * 16 = 1,392; 16 * 9 = 144 laid flat: 145 * 64 + 65 * 10
    assert small_cnn_parameters(settings(filters=[8, 16]), 10) == 1392 + 9280 + 650


@pytest.mark.parametrize("form", FORMS)
def test_sizes_are_those_of_the_layers(form: dict[str, Any]) -> None:
    given = settings(**form)
    network = build_small_cnn(given, 2).eval()
    for size in range(least_size(given), least_size(given) + 9):
        maps = torch.zeros(1, 3, size, size)
        for block, (convolved, pooled) in zip(
            network.blocks, small_cnn_sizes(given, size), strict=True
        ):
            assert isinstance(block, nn.Sequential)
            assert block[0](maps).shape[-2:] == (convolved, convolved)
            maps = block(maps)
            assert maps.shape[-2:] == (pooled, pooled)
        assert network(torch.zeros(1, 3, size, size)).shape == (1, 2)


@pytest.mark.parametrize("form", FORMS)
def test_least_size_trains_on_a_single_image_and_fills_the_grid(form: dict[str, Any]) -> None:
    given = settings(**form)
    size = least_size(given)
    network = build_small_cnn(given, 2).train()
    network(torch.randn(1, 3, size, size)).sum().backward()
    assert list(small_cnn_sizes(given, size))[-1][1] >= given.grid


@pytest.mark.parametrize(
    ("form", "size", "message"),
    [
        (
            {"filters": [8, 8], "kernel": 5, "padding": "valid", "grid": 1},
            12,
            "must be at least 16, got 12, of which block 2 gets 4 for a kernel of 5; use 16",
        ),
        (
            {"filters": [8, 8], "grid": 1},
            3,
            "must be at least 4, got 3, of which block 2 has 1 for a pooling of 2; use 4",
        ),
        (
            {},
            20,
            "must be at least 24, got 20, of which block 3 leaves 2 for a grid of 3; use 24",
        ),
        (
            {"filters": [8], "pooling": "none", "batch_norm": True, "grid": 1, "stride": 2},
            2,
            "must be at least 3, got 2, of which block 1 has 1 pixel for batch normalisation, "
            "which needs 2; use 3",
        ),
    ],
)
def test_image_that_is_too_small_is_told_which_block_it_fails(
    form: dict[str, Any], size: int, message: str
) -> None:
    given = settings(**form)
    assert small_cnn_size_rule(given, size) == f"image size of small_cnn {message}"
    assert small_cnn_size_rule(given, least_size(given)) is None


def test_search_varies_widths_and_depths_by_single_numbers() -> None:
    form = settings(filters=16, depth=3, growth=2, hidden_units=32, hidden_layers=2)
    assert (form.block_filters, form.hidden_widths) == ((16, 32, 64), (32, 32))
    assert settings(filters=16, depth=2).block_filters == (16, 16)
    assert settings(hidden_units=128).hidden_widths == (128,)


@pytest.mark.parametrize("name", get_args(ActivationName))
def test_activation_follows_every_convolution_and_hidden_layer(name: ActivationName) -> None:
    given = settings(filters=[4, 4], activation=name, hidden_units=[5])
    network = build_small_cnn(given, 2)
    kind = {
        "linear": nn.Identity,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "swish": nn.SiLU,
    }[name]
    assert sum(isinstance(each, kind) for each in network.modules()) == 3


def test_sum_pooling_adds_up_each_window() -> None:
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    assert SumPooling(2, 2)(maps).tolist() == [[[[10, 18], [42, 50]]]]


def test_dropout_is_of_hidden_units_and_of_whole_maps() -> None:
    network = build_small_cnn(settings(dropout=0.2, block_dropout=0.3), 2)
    assert [each.p for each in network.modules() if isinstance(each, nn.Dropout)] == [0.2]
    assert [each.p for each in network.modules() if isinstance(each, nn.Dropout2d)] == [0.3] * 3


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"filters": 16}, r"filters must be a list, .* got 16 alone; write \[16\] or add depth"),
        ({"depth": 2}, r"depth has no effect with a list of filters, got \[32, 64, 128\]"),
        ({"growth": 2}, "growth has no effect with a list of filters"),
        ({"filters": 8, "depth": 1, "growth": 2}, "growth has no effect with depth 1"),
        ({"filters": 512, "depth": 9, "growth": 4}, "a block must have at most 4096 filters"),
        ({"hidden_layers": 2}, "hidden_layers has no effect with a list of hidden_units"),
        ({"hidden_units": [], "dropout": 0.5}, "dropout has no effect without hidden_units"),
        ({"leaky_slope": 0.1}, "leaky_slope has no effect with activation 'relu'"),
        ({"pooling": "none", "pool_size": 2}, "pool_size has no effect with pooling 'none'"),
        ({"pooling": "none", "pool_stride": 2}, "pool_stride has no effect with pooling 'none'"),
        ({"kernel": 4}, "'same' needs an odd kernel, .* got 4; use 3 or 5, or 'valid'"),
        ({"activation": "step"}, "must not be a step function"),
        ({"activation": "softmax"}, "must not be softmax"),
        ({"filters": []}, "at least 1 item"),
    ],
)
def test_settings_without_effect_are_refused(form: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**form)
