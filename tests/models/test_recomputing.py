import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from models.catalog import MODELS
from models.detection.outputs import Target, Targets
from models.freezing import freeze
from models.recomputing import CannotRecomputeError, recompute_stages, stages_of
from models.resolve import resolve
from models.settings import TrainingSettings, TransferSettings
from models.training import train

NETWORKS: dict[str, dict[str, Any]] = {
    "unet": {"base_channels": 4, "depth": 2, "batch_norm": True, "dropout": 0.3},
    "lraspp": {"pretrained": "none"},  # squeeze and excitation, in-place activations
    "deeplabv3plus": {"encoder": "resnet18"},  # dropout after pooled batch normalisation
}


def build(name: str, **settings: Any) -> nn.Module:
    torch.manual_seed(0)
    entry = MODELS[name]
    assert entry.builder is not None
    made: nn.Module = resolve(entry.builder)(
        entry.settings.model_validate({"name": name, **settings}), 3
    )
    return made.train()


def after_a_step(network: nn.Module) -> dict[str, torch.Tensor]:
    """Gradients, buffers and a number drawn after a forward and a backward pass."""
    torch.manual_seed(1)
    images = torch.randn(2, 3, 64, 64)
    network(images).square().mean().backward()
    gradients = {
        name: weights.grad
        for name, weights in network.named_parameters()
        if weights.grad is not None
    }
    return {**gradients, **dict(network.named_buffers()), "drawn next": torch.rand(3)}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_statistics_and_random_numbers_are_those_without_it(name: str) -> None:
    plain = build(name, **NETWORKS[name])
    saving = copy.deepcopy(plain)
    assert recompute_stages(saving)
    expected, found = after_a_step(plain), after_a_step(saving)
    assert set(found) == set(expected)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)
    assert any(name.endswith("num_batches_tracked") and expected[name] == 1 for name in expected)


def test_detectors_losses_have_the_same_gradients() -> None:
    plain = build(
        "faster_rcnn_vgg16",
        base_channels=4,
        head_width=16,
        anchor_sizes=(16, 32),
        sampled_regions=8,
        proposals_training=20,
        candidates_training=40,
    )
    saving = copy.deepcopy(plain)
    assert recompute_stages(saving)
    found = []
    for network in (plain, saving):
        torch.manual_seed(1)
        boxes = torch.tensor([[5.0, 5.0, 40.0, 40.0]])
        target: Target = {"boxes": boxes, "labels": torch.tensor([1])}
        learned = network(list(torch.rand(2, 3, 64, 64)), Targets([target] * 2))
        loss: Any = sum(learned.losses.values())
        loss.backward()
        found.append([each.grad for each in network.parameters()])
    torch.testing.assert_close(found[1], found[0])


def test_clips_have_the_same_gradients_through_both_pathways() -> None:
    small = {"depth": 14, "width": 8, "slow_frames": 2, "slow_stride": 4, "alpha": 4, "beta": 0.5}
    small |= {"zero_last_gamma": False}
    plain = build("slowfast", **small)
    saving = copy.deepcopy(plain)
    assert len(recompute_stages(saving)) >= 8
    found = []
    for network in (plain, saving):
        torch.manual_seed(1)
        network(torch.randn(2, 3, 8, 32, 32)).square().sum().backward()
        found.append([each.grad for each in network.parameters()])
    torch.testing.assert_close(found[1], found[0])


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(network: nn.Module) -> int:
        held: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            held[tensor.data_ptr()] = tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            network(torch.randn(1, 3, 64, 64)).sum()
        return sum(held.values()) - sum(each.numel() for each in network.parameters())

    plain = build("unet", **NETWORKS["unet"])
    saving = copy.deepcopy(plain)
    recompute_stages(saving)
    assert kept(saving) < kept(plain) / 2


def test_names_of_weights_stay() -> None:
    network = build("fpn", encoder="resnet18")
    names = list(network.state_dict())
    recompute_stages(network)
    assert list(network.state_dict()) == names


def test_long_sequence_is_cut_where_a_convolution_begins() -> None:
    def layers(count: int) -> list[nn.Module]:
        return [layer for _ in range(count) for layer in (nn.Linear(4, 4), nn.ReLU(inplace=True))]

    network = nn.ModuleDict({"features": nn.Sequential(*layers(8))})
    plain = copy.deepcopy(network)
    assert recompute_stages(network) == ("features",)
    given = torch.randn(5, 4)
    runs = {"first": 0, "last": 0}
    for name, at in (("first", 0), ("last", 14)):
        network["features"].get_submodule(str(at)).register_forward_hook(
            lambda *_, name=name: runs.update({name: runs[name] + 1})
        )
    for each in (plain, network):
        each["features"](given).sum().backward()
    torch.testing.assert_close(
        [each.grad for each in network.parameters()], [each.grad for each in plain.parameters()]
    )
    assert runs == {"first": 2, "last": 2}


def test_network_that_names_its_stages_is_taken_at_its_word() -> None:
    class Named(nn.Module):
        checkpointed_stages = ("first",)

        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.second = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

    assert stages_of(Named()) == ("first",)


def test_network_without_blocks_is_refused() -> None:
    with pytest.raises(CannotRecomputeError, match=r"blocks .* got Linear, .* set it to false"):
        recompute_stages(nn.Linear(2, 2))


def test_frozen_layers_get_no_gradient_and_keep_their_statistics() -> None:
    network = build("unet", **NETWORKS["unet"])
    before = copy.deepcopy(network.state_dict())
    recompute_stages(network)
    freeze(network, TransferSettings(freeze_to="up"))
    network(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(each.grad is None for each in network.get_submodule("down").parameters())
    assert all(each.grad is not None for each in network.get_submodule("merge").parameters())
    for name, value in network.get_submodule("down").state_dict().items():
        assert torch.equal(value, before[f"down.{name}"]), name


def test_training_with_it_ends_like_one_without(attempts: Callable[..., Any]) -> None:
    common = {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.1}
    cells = [
        attempts(training={**common, "gradient_checkpointing": asked}) for asked in (False, True)
    ]
    found = []
    for cell in cells:
        result = train(cell.session())
        found.append(torch.load(cell.folders[0] / result.files["weights"]))
    torch.testing.assert_close(found[0], found[1])
    assert [cell.effective[0]["recomputed_stages"] for cell in cells] == [0, 3]


def test_it_is_off_unless_asked_for() -> None:
    assert TrainingSettings().gradient_checkpointing is False
