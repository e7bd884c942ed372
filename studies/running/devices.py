"""Which devices trials may use, found without touching CUDA."""

import os

import pynvml

from studies.running.trial_order import Slot


def visible_gpus() -> tuple[tuple[str, str], ...]:
    """Return (identifier, name) of every GPU that CUDA_VISIBLE_DEVICES leaves."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        count = int(pynvml.nvmlDeviceGetCount())
        named = {str(index): _name(index) for index in range(count)}
    finally:
        pynvml.nvmlShutdown()
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    wanted = list(named) if allowed is None else [each for each in allowed.split(",") if each]
    return tuple((each, named.get(each, "GPU")) for each in wanted)


def slots(workers: int | None) -> tuple[Slot, ...]:
    """Return one slot per worker: a GPU each, or a share of the CPU's cores.

    More workers than GPUs share them. None: one worker per GPU, or one on the CPU.
    """
    gpus = visible_gpus()
    count = workers or max(1, len(gpus))
    threads = max(1, cpu_count() // count)
    if not gpus:
        return tuple(Slot(number, None, "cpu", threads) for number in range(count))
    leased = [gpus[number % len(gpus)] for number in range(count)]
    return tuple(
        Slot(number, identifier, f"cuda:{identifier} {name}", threads)
        for number, (identifier, name) in enumerate(leased)
    )


def cpu_count() -> int:
    """Return the cores this process may use."""
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )


def _name(index: int) -> str:
    name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(index))
    return name.decode() if isinstance(name, bytes) else str(name)
