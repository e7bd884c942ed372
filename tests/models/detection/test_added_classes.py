"""A detector of three classes, trained on real images, is given two more."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.catalog import MODELS
from models.detection.outputs import Detection
from models.freezing import freeze
from models.resolve import resolve
from models.session import StartingWeights
from models.settings import TransferSettings
from models.transfer import carry_over

SETTINGS = {
    "name": "yolov3_tiny",
    "width": 0.25,
    "priors": ((6, 6), (9, 9), (12, 12), (16, 16), (20, 20), (24, 24)),
}
SIDE, STEPS = 96, 50
Images = Callable[[int], Any]  # RealImages of conftest


class OldClassesOnly(nn.Module):
    """Detections of the classes that the network was trained for, under their old labels."""

    def __init__(self, network: nn.Module, old_labels: dict[int, int]) -> None:
        super().__init__()
        self.network = network
        self.old_labels = old_labels

    def forward(self, images: list[Tensor]) -> list[Detection]:
        return [self._old(found) for found in self.network(images)]

    def _old(self, found: Detection) -> Detection:
        kept = torch.tensor([int(label) in self.old_labels for label in found["labels"]])
        labels = [self.old_labels[int(label)] for label in found["labels"][kept]]
        return {
            "boxes": found["boxes"][kept],
            "labels": torch.tensor(labels, dtype=torch.int64),
            "scores": found["scores"][kept],
        }


def build(classes: int, seed: int) -> Any:
    torch.manual_seed(seed)
    entry = MODELS["yolov3_tiny"]
    return resolve(str(entry.builder))(entry.settings.model_validate(SETTINGS), classes + 1)


@pytest.fixture(scope="module")
def trained(eight_images: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train on eight images until most of their objects are found; return the weights."""
    real, network = eight_images(SIDE), build(3, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(STEPS):
        losses = network.train()(*real.batch(*range(8))).losses
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
    file = tmp_path_factory.mktemp("first") / "best-50.pt"
    torch.save(network.state_dict(), file)
    return file


@pytest.fixture
def carried(trained: Path, eight_images: Images) -> tuple[nn.Module, nn.Module, dict[int, int]]:
    """Return the network before and after, and new labels of its old classes -> old labels."""
    names = eight_images(SIDE).class_names
    more = ("parasite", names[2], names[0], "spirochete", names[1])
    before, after = build(3, seed=1), build(5, seed=2)
    before.load_state_dict(torch.load(trained))
    digest = hashlib.sha256(trained.read_bytes()).hexdigest()
    carry_over(after, StartingWeights("study:first", trained, digest, names), more)
    labels = {more.index(name) + 1: names.index(name) + 1 for name in names}
    return before, after, labels


def test_old_classes_are_found_as_well_before_the_first_step(
    carried: tuple[nn.Module, nn.Module, dict[int, int]], eight_images: Images
) -> None:
    before, after, labels = carried
    real = eight_images(SIDE)
    score = real.ap50(before)
    assert score > 0.7, "there must be something to lose"
    assert real.ap50(OldClassesOnly(after, labels)) == pytest.approx(score, abs=0.01)


def test_feature_extractor_gives_the_last_layers_alone_a_gradient(
    carried: tuple[nn.Module, nn.Module, dict[int, int]], eight_images: Images
) -> None:
    _, network, _ = carried
    freeze(network, TransferSettings(init_from="study:first", mode="feature_extractor"))
    statistics = {name: value.clone() for name, value in network.named_buffers()}
    losses = network.train()(*eight_images(SIDE).batch(0, 1)).losses
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    learning = {
        name.rpartition(".")[0]
        for name, weights in network.named_parameters()
        if weights.grad is not None and weights.grad.any()
    }
    assert learning == {rows.layer for rows in network.class_rows}  # type: ignore[union-attr]
    assert all(torch.equal(statistics[name], value) for name, value in network.named_buffers())
