"""LeNet-5 against its paper (LeCun et al. 1998, section II.B)."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from models.classification.lenet5 import (
    TABLE,
    Brightness,
    CodeDistances,
    LeNet5,
    ScaledTanh,
    SparseConvolution,
    SubSampling,
    class_codes,
)
from models.classification.lenet5_settings import LeNet5Settings, lenet5_size_rule
from models.cost import count_parameters

PAPER, DENSE = LeNet5Settings(form="paper"), LeNet5Settings(form="dense")
# Table I as it is printed: a row for each map of S2, a column for each map of C3.
TABLE_I = [
    "X...XXX..XXXX.XX",
    "XX...XXX..XXXX.X",
    "XXX...XXX..X.XXX",
    ".XXX..XXXX..X.XX",
    "..XXX..XXXX.XX.X",
    "...XXX..XXXX.XXX",
]


def weights_of(network: LeNet5, layer: str) -> int:
    return sum(each.numel() for each in network.get_submodule(layer).parameters())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            PAPER,
            {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164},
        ),
        (DENSE, {"c1": 156, "s2": 0, "c3": 2_416, "s4": 0, "c5": 48_120, "f6": 10_164}),
    ],
)
def test_layers_have_the_weights_of_the_paper(
    settings: LeNet5Settings, expected: dict[str, int]
) -> None:
    network = LeNet5(settings, 10)
    assert {name: weights_of(network, f"features.{name}") for name in expected} == expected


@pytest.mark.parametrize(("settings", "expected"), [(PAPER, 60_000), (DENSE, 61_706)])
def test_all_weights_are_those_of_the_paper(settings: LeNet5Settings, expected: int) -> None:
    assert count_parameters(LeNet5(settings, 10)) == expected


def test_colours_are_seen_by_three_times_the_first_filters() -> None:
    seen = count_parameters(LeNet5(LeNet5Settings(colours="rgb"), 10))
    assert seen == 61_706 + 2 * 6 * 25


def test_maps_of_the_third_layer_see_those_of_table_one() -> None:
    printed = [
        tuple(row for row, marks in enumerate(TABLE_I) if marks[column] == "X")
        for column in range(16)
    ]
    assert [tuple(sorted(seen)) for seen in TABLE] == printed


def test_a_map_changes_with_the_maps_it_sees_and_no_others() -> None:
    layer = SparseConvolution()
    before = torch.zeros(1, 6, 5, 5)
    for number in range(6):
        maps = before.clone()
        maps[0, number] = 1
        changed = (layer(maps) - layer(before)).flatten().ne(0).tolist()
        assert changed == [number in seen for seen in TABLE]


def test_gradients_of_the_sparse_layer_are_those_of_the_dense_one() -> None:
    layer = SparseConvolution().double()
    maps = torch.randn(2, 6, 7, 7, dtype=torch.float64)
    layer(maps).square().sum().backward()
    dense = layer.dense_weight().detach().requires_grad_()
    functional.conv2d(maps, dense, layer.bias.detach()).square().sum().backward()  # type: ignore[no-untyped-call]
    assert layer.weight.grad is not None
    assert dense.grad is not None
    pairs = [(after, seen) for after, each in enumerate(TABLE) for seen in each]
    expected = torch.stack([dense.grad[pair].flatten() for pair in pairs])
    torch.testing.assert_close(layer.weight.grad, expected)


def test_sub_sampling_adds_four_pixels_and_learns_a_factor_and_a_bias() -> None:
    layer = SubSampling(1)
    nn.init.constant_(layer.weight, 0.5)
    nn.init.constant_(layer.bias, -1.0)
    maps = torch.tensor([[[[1.0, 2.0, 0.0, 0.0], [3.0, 4.0, 0.0, 8.0]]]])
    assert layer(maps).flatten().tolist() == pytest.approx([0.5 * 10 - 1, 0.5 * 8 - 1])


def test_the_squashing_function_keeps_one_and_minus_one() -> None:
    values = ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0, 100.0])).tolist()
    assert values == pytest.approx([-1, 0, 1, 1.7159], abs=1e-4)


def test_logits_are_minus_the_squared_distances_to_the_codes() -> None:
    layer = CodeDistances(3)
    code = class_codes(3)[1]
    shifted = code.clone()
    shifted[0] += 2
    logits = layer(torch.stack([code, shifted]))
    assert logits[:, 1].tolist() == [0, -4]
    others = [-4 * int((class_codes(3)[row] != code).sum()) for row in (0, 2)]
    assert logits[0, [0, 2]].tolist() == others


def test_cross_entropy_is_the_papers_criterion() -> None:
    # Equation 9 without its constant: y_D + log(sum over classes of exp(-y_i)).
    distances = [3.0, 1.0, 2.5]
    expected = distances[1] + math.log(sum(math.exp(-each) for each in distances))
    logits = -torch.tensor([distances])
    assert functional.cross_entropy(logits, torch.tensor([1])).item() == pytest.approx(expected)


def test_a_class_has_the_same_code_among_more_classes() -> None:
    assert torch.equal(class_codes(200)[:10], class_codes(10))
    assert len({tuple(row) for row in class_codes(200).tolist()}) == 200


def test_codes_do_not_depend_on_the_seed_and_do_not_learn() -> None:
    torch.manual_seed(1)
    first = LeNet5(PAPER, 4)
    torch.manual_seed(2)
    second = LeNet5(PAPER, 4)
    assert torch.equal(first.state_dict()["output.codes"], second.state_dict()["output.codes"])
    assert [*first.output.parameters()] == []


def test_the_paper_draws_weights_within_2_4_over_the_inputs_of_a_unit() -> None:
    torch.manual_seed(0)
    features = LeNet5(PAPER, 10).features
    for layer, inputs in (("c1", 25), ("c5", 400), ("f6", 120)):
        largest = features.get_parameter(f"{layer}.weight").abs().max().item()
        assert 0.9 < largest * inputs / 2.4 <= 1
    # The last map of C3 sees all six maps before.
    largest = features.get_parameter("c3.weight")[-6:].abs().max().item()
    assert 0.9 < largest * 150 / 2.4 <= 1


def test_grey_pictures_are_seen_as_they_are() -> None:
    grey = torch.rand(2, 1, 4, 4)
    torch.testing.assert_close(Brightness()(grey.expand(-1, 3, -1, -1)), grey)


def test_colours_count_by_how_bright_they_look() -> None:
    red, green, blue = (torch.eye(3)[n].view(1, 3, 1, 1) for n in range(3))
    seen = [Brightness()(each).item() for each in (red, green, blue)]
    assert seen == pytest.approx([0.299, 0.587, 0.114])


def test_pictures_have_the_size_that_the_layers_are_for() -> None:
    assert lenet5_size_rule(DENSE, 32) is None
    message = str(lenet5_size_rule(DENSE, 28))
    assert message.startswith("image size of lenet5 must be 32,")
    assert message.endswith("got 28; use 32")
