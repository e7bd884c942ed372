"""Networks are measured one after the other, and one that cannot be stops none of the others."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import GoogLeNet_Weights  # type: ignore[import-untyped]

from models.network_costs import time_network
from models.session import OutOfMemory
from reports.network_record import NetworkRow
from studies.networks import measuring
from studies.networks.candidates import named_candidates
from studies.networks.inputs import NOISE
from studies.networks.measuring import MeasuringOrder, measured_rows, networks_record

TASK = "image_classification"


@pytest.fixture(autouse=True)
def _few_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.network_costs.BUDGET_S", 0.0)


def order(**changes: Any) -> MeasuringOrder:
    fields: dict[str, Any] = {
        "task": TASK,
        "classes": 1000,
        "batch_size": 1,
        "image_size": 64,
        "devices": (torch.device("cpu"),),
        "pictures": NOISE,
        "load": 0.25,
    }
    return MeasuringOrder(**fields | changes)


def rows_of(*wishes: str, **changes: Any) -> list[NetworkRow]:
    return list(measured_rows(named_candidates(TASK, wishes), order(**changes)))


def test_a_row_holds_what_was_counted_timed_and_published() -> None:
    (row,) = rows_of("resnet:depth=18", image_size=None)

    assert (row.label, row.image_size, row.parameters) == ("resnet 18", 224, 11_689_512)
    assert row.macs == pytest.approx(1.814e9, rel=1e-3)
    assert row.published is not None
    assert (row.published.top1, row.published.image_size) == (0.69758, 224)
    assert row.is_published_size
    assert row.cpu is not None
    assert row.gpu is None


def test_fewer_classes_are_fewer_parameters() -> None:
    (row,) = rows_of("resnet:depth=18", classes=10)

    assert row.parameters == 11_689_512 - 990 * (512 + 1)
    assert not row.is_published_size


def test_a_network_that_does_not_fit_says_so_and_the_next_one_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    def full(network: nn.Module, *arguments: Any) -> Any:
        if sum(each.numel() for each in network.parameters()) > 15e6:
            raise OutOfMemory("a micro-batch did not fit into memory: 1 GB")
        return time_network(network, *arguments)

    monkeypatch.setattr(measuring, "time_network", full)
    large, small = rows_of("resnet:depth=34", "resnet:depth=18")

    assert large.fault.endswith("1 GB; give a smaller --batch or --size")
    assert large.parameters == 21_797_672  # counted before
    assert (small.fault, small.cpu is None) == ("", False)


def test_an_error_of_a_network_is_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("Kernel size can't be greater than actual input size")

    monkeypatch.setattr(measuring, "count_network", broken)
    (row,) = rows_of("resnet:depth=18")

    assert row.fault == "RuntimeError: Kernel size can't be greater than actual input size"


def test_no_two_networks_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[nn.Module]] = []

    def noting(network: nn.Module, *arguments: Any) -> Any:
        gc.collect()
        assert [each for each in alive if each() is not None] == []
        alive.append(weakref.ref(network))
        return time_network(network, *arguments)

    monkeypatch.setattr(measuring, "time_network", noting)
    rows = rows_of("resnet:depth=18", "resnet:depth=34", "resnet:depth=18")

    assert len(rows) == len(alive) == 2


def test_the_record_names_the_machine() -> None:
    record = networks_record([], order(), left_out=2)

    threads = torch.get_num_threads()
    assert record.cpu.endswith(f", {threads} thread{'s' if threads > 1 else ''}")
    assert (record.gpu, record.left_out, record.pictures, record.load) == ("", 2, "noise", 0.25)
    assert record.versions == f"torch {torch.__version__}"


@pytest.mark.gpu
def test_a_gpu_is_timed_beside_the_cpu() -> None:
    devices = (torch.device("cpu"), torch.device("cuda"))
    (row,) = rows_of("resnet:depth=18", devices=devices)

    assert row.cpu is not None
    assert row.gpu is not None
    assert networks_record([row], order(devices=devices), left_out=0).gpu


def test_parameters_are_of_what_predicts_and_megabytes_of_what_is_kept() -> None:
    (row,) = rows_of("googlenet")

    assert row.parameters == 6_624_904
    # The published file has its two heads.
    stated = GoogLeNet_Weights.IMAGENET1K_V1.meta["_file_size"]
    assert row.weights_mb == pytest.approx(stated, rel=3e-3)
