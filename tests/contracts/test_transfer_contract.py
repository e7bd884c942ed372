"""What every network must hold to so that its weights can be carried over to other classes."""

import pytest
import torch
from torch import nn

from models.catalog import MODELS
from models.class_rows import HasClassRows
from models.entries import TRAINING_LOOP
from models.freezing import freeze
from models.resolve import resolve
from models.settings import TransferSettings

NETWORKS = sorted(
    name
    for name, entry in MODELS.items()
    if entry.builder is not None and entry.trainer == TRAINING_LOOP
)


def built(name: str, channels: int) -> nn.Module:
    entry = MODELS[name]
    with torch.device("meta"):
        network: nn.Module = resolve(str(entry.builder))(entry.settings(name=name), channels)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_network_names_every_layer_whose_size_depends_on_the_classes(name: str) -> None:
    network = built(name, 4)
    assert isinstance(network, HasClassRows)
    three, five = network.state_dict(), built(name, 6).state_dict()
    assert list(three) == list(five)
    depending = {key.rpartition(".")[0] for key in three if three[key].shape != five[key].shape}
    assert {rows.layer for rows in network.class_rows} == depending
    for rows in network.class_rows:
        sizes = [len(state[f"{rows.layer}.weight"]) for state in (three, five)]
        assert sizes[1] - sizes[0] == 2 * rows.repeats * rows.per_class
        assert sizes[0] % rows.repeats == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_feature_extractor_leaves_only_layers_of_classes_to_learn(name: str) -> None:
    network = built(name, 4)
    assert isinstance(network, HasClassRows)
    layers = tuple(f"{rows.layer}." for rows in network.class_rows)
    freeze(network, TransferSettings(init_from="study:x", mode="feature_extractor"))
    learning = {key for key, weights in network.named_parameters() if weights.requires_grad}
    assert learning
    assert all(key.startswith(layers) for key in learning)
