from typing import Any

import pytest
import torch
from torch import nn

from models.class_rows import ClassRows
from models.classification.lenet5 import LeNet5
from models.classification.lenet5_settings import LeNet5Settings
from models.freezing import freeze, parameter_groups
from models.loss_settings import Loss
from models.named_layers import TransferError
from models.optimizers import build_optimizer, read_learning_rate, set_learning_rate
from models.settings import TrainingSettings, TransferSettings


class Small(nn.Module):
    """Three layers, each with its batch normalisation, and a last one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.second = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
        self.classify = nn.Conv2d(4, 2, 1)
        self.class_rows = (ClassRows("classify"),)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.classify(self.second(self.first(images)))
        return found


def transfer(**settings: Any) -> TransferSettings:
    return TransferSettings.model_validate({"init_from": "study:first", **settings})


def training(**settings: Any) -> TrainingSettings:
    return TrainingSettings(learning_rate=0.1, transfer=transfer(**settings))


def learning(network: nn.Module) -> set[str]:
    """Return the layers that get a gradient of a step in training mode."""
    network.train()
    network(torch.randn(2, 3, 4, 4)).square().sum().backward()
    return {
        name.rpartition(".")[0]
        for name, weights in network.named_parameters()
        if weights.grad is not None and weights.grad.any()
    }


def test_feature_extractor_gives_the_last_layer_alone_a_gradient() -> None:
    network = Small()
    freeze(network, transfer(mode="feature_extractor"))
    assert learning(network) == {"classify"}


def test_fine_tuning_from_a_layer_on_freezes_those_before_it() -> None:
    network = Small()
    freeze(network, transfer(freeze_to="second"))
    assert learning(network) == {"second.0", "second.1", "classify"}


def test_fine_tuning_may_begin_inside_a_part() -> None:
    network = Small()
    freeze(network, transfer(freeze_to="second.1"))
    assert learning(network) == {"second.1", "classify"}


def test_fine_tuning_of_all_freezes_nothing() -> None:
    network = Small()
    freeze(network, transfer())
    assert all(weights.requires_grad for weights in network.parameters())


def test_frozen_batch_normalisation_keeps_its_statistics_in_training_mode() -> None:
    network = Small()
    freeze(network, transfer(freeze_to="second"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learning(network)
    network.eval()
    learning(network)  # put into training mode again
    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"second.1.{kind}" for kind in ("running_mean", "running_var")} | {
        "second.1.num_batches_tracked"
    }


def test_frozen_batch_normalisation_normalises_by_its_statistics() -> None:
    network = Small()
    freeze(network, transfer(mode="feature_extractor"))
    network.first[2] = nn.Identity()
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(network.train()(images), network.eval()(images))


def test_unknown_layer_is_told_with_what_was_meant() -> None:
    with pytest.raises(TransferError) as caught:
        freeze(Small(), transfer(freeze_to="secnd"))
    assert str(caught.value) == (
        "unknown layer 'secnd' in freeze_to; did you mean 'second'? "
        "(its 8 layers: first, first.0, first.1, first.2, second, second.0, second.1, classify)"
    )


def test_freezing_before_the_first_layer_is_refused() -> None:
    with pytest.raises(TransferError, match="with weights before it, got 'first', the first one"):
        freeze(Small(), transfer(freeze_to="first"))


def test_feature_extractor_needs_layers_of_classes_that_can_learn() -> None:
    network = LeNet5(LeNet5Settings(form="paper"), 3)
    with pytest.raises(TransferError, match="but output of LeNet5 has none; use mode fine_tuning"):
        freeze(network, transfer(mode="feature_extractor"))
    freeze(LeNet5(LeNet5Settings(form="dense"), 3), transfer(mode="feature_extractor"))


def test_triplets_need_a_layer_that_learns_before_that_of_the_logits() -> None:
    cases: tuple[tuple[str, Loss], ...] = (("classify", "cross_entropy"), ("second", "triplet"))
    for layer, loss in cases:
        settings = TrainingSettings(loss=loss, transfer=transfer(freeze_to=layer))
        network = Small()
        freeze(network, settings.transfer)
        parameter_groups(network, settings)
    settings = TrainingSettings(loss="triplet", transfer=transfer(freeze_to="classify"))
    network = Small()
    freeze(network, settings.transfer)
    message = r"learn before the layer of the logits \(classify\), but all are frozen; name"
    with pytest.raises(TransferError, match=message):
        parameter_groups(network, settings)


def test_feature_extractor_needs_to_know_the_layers_of_classes() -> None:
    with pytest.raises(TransferError, match="says which layers are of classes, got Linear"):
        freeze(nn.Linear(2, 2), transfer(mode="feature_extractor"))


class TestLearningRateFactors:
    def test_the_longest_name_of_a_layer_holds(self) -> None:
        network, factors = Small(), {"first": 0.1, "first.1": 0.5, "classify": 10.0}
        optimizer = build_optimizer(
            training(learning_rate_factors=factors),
            parameter_groups(network, training(learning_rate_factors=factors)),
        )
        rates = {
            id(weights): group["lr"]
            for group in optimizer.param_groups
            for weights in group["params"]
        }
        found = {name: rates[id(weights)] for name, weights in network.named_parameters()}
        expected = {"first.0": 0.01, "first.1": 0.05, "second": 0.1, "classify": 1.0}
        for name, rate in found.items():
            layer = next(each for each in expected if name.startswith(f"{each}."))
            assert rate == pytest.approx(expected[layer]), name

    def test_every_epochs_rate_is_multiplied(self) -> None:
        settings = training(learning_rate_factors={"first": 0.1})
        optimizer = build_optimizer(settings, parameter_groups(Small(), settings))
        set_learning_rate(optimizer, 0.02)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02, 0.002])
        assert read_learning_rate(optimizer) == 0.02

    def test_a_name_is_of_whole_layers(self) -> None:
        network = nn.ModuleDict({"back": nn.Linear(2, 2), "backbone": nn.Linear(2, 2)})
        groups = parameter_groups(network, training(learning_rate_factors={"back": 0.1}))
        assert [len(each["params"]) for each in groups if isinstance(each, dict)] == [2, 2]

    def test_frozen_weights_are_kept_from_the_optimizer(self) -> None:
        network = Small()
        freeze(network, transfer(mode="feature_extractor"))
        groups = parameter_groups(network, training(mode="feature_extractor"))
        (only,) = (each for each in groups if isinstance(each, dict))
        assert {id(each) for each in only["params"]} == {
            id(each) for each in network.classify.parameters()
        }

    def test_unknown_layer_is_told(self) -> None:
        settings = training(learning_rate_factors={"fist": 0.1})
        with pytest.raises(TransferError, match="'fist' in learning_rate_factors; did you mean"):
            parameter_groups(Small(), settings)

    def test_factor_of_frozen_weights_is_refused(self) -> None:
        settings = training(freeze_to="second", learning_rate_factors={"first": 0.1})
        network = Small()
        freeze(network, settings.transfer)
        with pytest.raises(TransferError, match="has no effect on 'first', whose weights are all"):
            parameter_groups(network, settings)
