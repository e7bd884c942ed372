"""Measure networks one after the other on this machine: never two at a time in memory."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from models.catalog import TASKS
from models.classification.published import published_of
from models.network_costs import Latency, count_network, time_network, weights_mb
from models.resolve import resolve
from models.session import OutOfMemory
from models.settings import ModelSettings, TrainingSettings
from reports.network_record import NetworkRow, NetworksRecord, Published, Timing
from studies.networks.candidates import Candidate, own_size
from studies.networks.inputs import Pictures
from studies.running.devices import cpu_count

CPU_FACTS = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class MeasuringOrder:
    """What is measured, and on what."""

    task: str
    classes: int
    batch_size: int
    image_size: int | None  # pixels; None: each network's own
    devices: tuple[torch.device, ...]
    pictures: Pictures
    load: float  # of other work on each core when it begins; above 1 they are waited for


def measured_rows(candidates: Sequence[Candidate], order: MeasuringOrder) -> Iterator[NetworkRow]:
    """Build and measure each network; one that cannot be says why."""
    for candidate in candidates:
        yield _row(candidate, order)


def load_per_core() -> float:
    """Return how many processes want each core of this machine, over the last minute."""
    return psutil.getloadavg()[0] / cpu_count()


def networks_record(
    rows: Sequence[NetworkRow], order: MeasuringOrder, *, left_out: int
) -> NetworksRecord:
    """Put rows together with the machine that they were measured on."""
    gpus = [device for device in order.devices if device.type == "cuda"]
    has_cpu = len(gpus) < len(order.devices)
    threads = torch.get_num_threads()
    return NetworksRecord(
        task=order.task,
        classes=order.classes,
        batch_size=order.batch_size,
        pictures=order.pictures.name,
        cpu=f"{_cpu_name()}, {threads} thread{'s' if threads > 1 else ''}" if has_cpu else "",
        gpu=torch.cuda.get_device_name(gpus[0]) if gpus else "",
        versions=f"torch {torch.__version__}",
        load=order.load,
        rows=tuple(rows),
        left_out=left_out,
    )


def _row(candidate: Candidate, order: MeasuringOrder) -> NetworkRow:
    size = order.image_size or own_size(candidate)
    row = NetworkRow(candidate.label, size, published=_published(candidate.settings))
    fault = candidate.entry.size_rule(candidate.settings, size)
    if fault is not None:
        return replace(row, fault=fault)
    try:
        network = _network(candidate.predicting, order)
        cost = count_network(network, size)
        kept = weights_mb(network if candidate.is_whole else _network(candidate, order))
        row = replace(row, parameters=cost.parameters, weights_mb=kept, macs=cost.macs)
        batches = order.pictures.batches(size, order.batch_size)
        for device in order.devices:
            row = _timed(row, network, batches, device)
    except OutOfMemory as error:
        return replace(row, fault=f"{error}; give a smaller --batch or --size")
    except (ValueError, RuntimeError) as error:  # of a network that cannot take it after all
        return replace(row, fault=f"{type(error).__name__}: {error}")
    return row


def _network(candidate: Candidate, order: MeasuringOrder) -> nn.Module:
    names = [f"class {number}" for number in range(1, order.classes + 1)]
    channels = TASKS[order.task].output_channels(TrainingSettings(), names)
    network: nn.Module = resolve(candidate.entry.builder or "")(candidate.settings, channels)
    return network


def _timed(
    row: NetworkRow, network: nn.Module, batches: Sequence[Tensor], device: torch.device
) -> NetworkRow:
    found = _timing(time_network(network, batches, device))
    return replace(row, gpu=found) if device.type == "cuda" else replace(row, cpu=found)


def _timing(found: Latency) -> Timing:
    return Timing(found.median_ms, found.fastest_ms, found.slowest_ms, found.passes)


def _published(settings: ModelSettings) -> Published | None:
    """Return what is published of it, as far as that is a score on ImageNet."""
    found = published_of(settings)
    if found is None or found.top1 is None:
        return None
    return Published(found.top1, found.top5, found.image_size, found.source)


def _cpu_name() -> str:
    """Return what the kernel calls the processor; "CPU" where it calls it nothing."""
    if not CPU_FACTS.is_file():
        return "CPU"
    lines = (line.partition(":") for line in CPU_FACTS.read_text("utf-8").splitlines())
    names = (value.strip() for key, _, value in lines if key.strip() == "model name")
    return next(itertools.chain(names, ["CPU"]))
