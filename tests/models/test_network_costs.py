"""What a network takes: counted as others count it, and timed pass by pass."""

import itertools

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights, resnet50  # type: ignore[import-untyped]

from models.latency import pass_times_ms
from models.network_costs import count_network, time_network


class Noting(nn.Module):
    """Passes on what it is given, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = nn.Dropout(0.5)
        self.seen: list[float] = []
        self.modes: list[bool] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(float(images.flatten()[0]))
        self.modes.append(self.training)
        dropped: Tensor = self.dropped(images)
        return dropped + torch.rand(1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second with each look."""
    looks = itertools.count()
    monkeypatch.setattr("models.latency.time.perf_counter", lambda: float(next(looks)))


def batches(*values: float, count: int = 1) -> list[Tensor]:
    return [torch.full((count, 3, 2, 2), value) for value in values]


def test_resnet_50_is_counted_as_torchvision_states_it() -> None:
    with torch.device("meta"):
        network = resnet50()
    stated = ResNet50_Weights.IMAGENET1K_V1.meta

    cost = count_network(network, 224)

    assert cost.parameters == stated["num_params"] == 25_557_032
    assert cost.macs == pytest.approx(stated["_ops"] * 1e9, rel=1e-3)  # 4.089 GMAC
    # The published file also holds the names of its weights and what pickle writes around them.
    assert cost.weights_mb == pytest.approx(stated["_file_size"], rel=2e-3)


def test_a_convolution_costs_what_its_sums_have_terms() -> None:
    cost = count_network(nn.Conv2d(3, 4, kernel_size=3, padding=1), 8)

    assert cost.macs == 8 * 8 * 4 * (3 * 3 * 3)
    assert cost.parameters == 4 * (3 * 3 * 3) + 4
    assert cost.weights_mb == 4 * cost.parameters / 2**20


def test_what_a_network_keeps_beside_its_weights_is_in_its_file() -> None:
    cost = count_network(nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8)), 4)

    running, counter = 2 * 8 * 4, 8  # bytes: means and variances, and an integer of 64 bits
    assert cost.weights_mb == (4 * cost.parameters + running + counter) / 2**20


@pytest.mark.usefixtures("clock")
def test_passes_end_with_the_budget() -> None:
    # Each takes a second: a third one would begin when the budget is spent.
    times = pass_times_ms(nn.Identity(), batches(0), budget_s=1.5, most_passes=50)

    assert times == [1000.0, 1000.0]


@pytest.mark.usefixtures("clock")
def test_passes_end_with_their_number() -> None:
    times = pass_times_ms(nn.Identity(), batches(0), budget_s=1e6, most_passes=7)

    assert times == [1000.0] * 7


@pytest.mark.usefixtures("clock")
def test_the_inputs_are_gone_through_in_turn_after_one_pass_that_is_not_counted() -> None:
    network = Noting()

    times = pass_times_ms(network, batches(1, 2, 3), budget_s=1e6, most_passes=5)

    assert network.seen == [1, 1, 2, 3, 1, 2]
    assert len(times) == 5


def test_a_timed_network_predicts_and_is_left_as_it_was() -> None:
    network = Noting().train()
    network.dropped.eval()
    before = torch.get_rng_state()

    pass_times_ms(network, batches(1), budget_s=0, most_passes=1)

    assert network.modes == [False, False]
    assert network.training
    assert not network.dropped.training
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.usefixtures("clock")
def test_a_pass_is_shared_by_its_pictures() -> None:
    found = time_network(nn.Identity(), batches(0, count=4), torch.device("cpu"))

    assert (found.median_ms, found.fastest_ms, found.slowest_ms) == (250.0, 250.0, 250.0)
    assert found.passes == 1  # of a second, when no further one may begin
