"""Which devices trials may use, found without touching CUDA."""

import contextlib
import os

import pynvml

from studies.running.nvml import name_of, nvml
from studies.running.trial_order import Slot

CPU = "cpu"


class TooFewGpusError(ValueError):
    """A trial is to take more GPUs than this machine has."""


def visible_gpus() -> tuple[tuple[str, str], ...]:
    """Return (identifier, name) of every GPU that CUDA_VISIBLE_DEVICES leaves.

    Like CUDA it takes none that comes after one that does not exist; -1 is such a one.
    """
    found = []
    with contextlib.suppress(pynvml.NVMLError, ValueError), nvml():
        allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
        every = range(int(pynvml.nvmlDeviceGetCount()))
        for each in map(str, every) if allowed is None else allowed.split(","):
            if (identifier := each.strip()) == "-1":
                break
            found.append((identifier, name_of(identifier)))
    return tuple(found)


def slots(workers: int | None, processes: int = 1) -> tuple[Slot, ...]:
    """Return one slot per worker: a GPU for each of its processes, or a share of the CPU's cores.

    More workers than there are GPUs for share them. None: as many workers as the GPUs hold, or
    one on the CPU.

    Raises:
        TooFewGpusError: a trial takes more GPUs than there are.
    """
    gpus = visible_gpus()
    if gpus and processes > len(gpus):
        raise TooFewGpusError(
            f"--processes-per-trial must be at most the {len(gpus)} GPUs of this machine, "
            f"got {processes}; lower it, or use --executor ray on a cluster with a larger node"
        )
    count = workers or max(1, len(gpus) // processes)
    threads = max(1, cpu_count() // count)
    if not gpus:
        return tuple(
            Slot(number, None, CPU, threads, processes=processes) for number in range(count)
        )
    starts = range(0, len(gpus) - processes + 1, processes)
    sets = [gpus[start : start + processes] for start in starts]
    leased = [sets[number % len(sets)] for number in range(count)]
    return tuple(
        Slot(
            number,
            ",".join(identifier for identifier, _ in each),
            " + ".join(_device(*gpu) for gpu in each),
            threads,
            share=1 / leased.count(each),
            processes=processes,
        )
        for number, each in enumerate(leased)
    )


def local_devices() -> tuple[str, ...]:
    """Return the names of this machine's GPUs, or of its CPU, as slots have them."""
    return tuple(_device(*gpu) for gpu in visible_gpus()) or (CPU,)


def cpu_count() -> int:
    """Return the cores this process may use."""
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def _device(identifier: str, name: str) -> str:
    return f"cuda:{identifier} {name}"
