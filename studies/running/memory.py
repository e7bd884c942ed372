"""What a study's steps take in memory: found once, kept with the study, used to start trials.

A cell whose batch does not fit on its GPU starts at once with the micro-batch that does; the
effective batch stays. What was found is no promise: a trial that runs out of memory all the same
is tried again with half its micro-batch, as ever.
"""

import json
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pynvml

from models.catalog import MODELS
from studies.running.devices import visible_gpus
from studies.running.module_process import run_module
from studies.running.nvml import handle_of, nvml
from studies.running.trial_order import Slot
from studies.spec.schema import CellSettings
from studies.tree.memory_file import (
    memory_key,
    memory_record,
    memory_settings,
    read_memory,
    write_memory,
)
from trackers.memory_records import MIB_PER_GB, MemoryRecord

PROBE_TIMEOUT_S = 900.0  # for all settings of a study


def distinct(cells: Iterable[CellSettings]) -> dict[str, CellSettings]:
    """Return one cell's settings for each memory that a step of a network may take."""
    found: dict[str, CellSettings] = {}
    for settings in cells:
        if MODELS[settings.model.name].builder is not None:
            found.setdefault(memory_key(memory_settings(settings)), settings)
    return found


def find_memory(
    task: str, cells: Sequence[CellSettings], folder: Path
) -> tuple[list[MemoryRecord], list[str]]:
    """Measure what is not known yet, on a GPU if there is one, and keep it in a study's folder.

    Returns:
        A record for each memory that a step may take; and for each that could not be found, why.
    """
    wanted, known = distinct(cells), read_memory(folder)
    has_gpu = gpu_mb(None) is not None
    fresh = {
        key: settings
        for key, settings in wanted.items()
        if key not in known or (has_gpu and not known[key]["is_measured"])
    }
    problems = []
    for key, found in zip(fresh, _probe(task, list(fresh.values())), strict=True):
        if "error" in found:
            problems.append(str(found["error"]))
        else:
            known[key] = {"settings": json.loads(key), **found}
    if fresh:
        write_memory(folder, known.values())
    return [_record(known[key], cells, key) for key in wanted if key in known], problems


def first_divisor(folder: Path, settings: CellSettings, slot: Slot) -> int:
    """Return by how much a cell's batch is cut in its first trial: 1, 2, 4 and so on.

    1 on a CPU, on another machine, and where nothing is known. Where one image is too much, it is
    tried with one all the same, and only so: what was found may be wrong.
    """
    is_here = not slot.host or slot.host == socket.gethostname()
    room = gpu_mb(slot.gpu) if is_here and slot.gpu is not None else None
    if room is None:
        return 1
    found = read_memory(folder).get(memory_key(memory_settings(settings)))
    if found is None:
        return 1
    size = settings.training.batch_size
    fitting = memory_record(found, (size,)).divisor(size, room * slot.share)
    return 1 << (size - 1).bit_length() if fitting is None else fitting


def gpu_mb(gpu: str | None) -> float | None:
    """Return the memory of a GPU, MiB; None: there is none.

    Args:
        gpu: As CUDA_VISIBLE_DEVICES names it, of several the first; None: the first it leaves.
    """
    name = gpu or next((identifier for identifier, _ in visible_gpus()), None)
    if name is None:
        return None
    try:
        with nvml():
            handle = handle_of(name.split(",")[0])
            return float(pynvml.nvmlDeviceGetMemoryInfo(handle).total) / MIB_PER_GB**2
    except pynvml.NVMLError:
        return None


def _record(found: Mapping[str, Any], cells: Iterable[CellSettings], key: str) -> MemoryRecord:
    sizes = {
        each.training.batch_size for each in cells if memory_key(memory_settings(each)) == key
    }
    return memory_record(found, sizes)


def _probe(task: str, cells: Sequence[CellSettings]) -> list[dict[str, Any]]:
    """Run the steps in a process of their own; one that it does not come to has an error."""
    if not cells:
        return []
    order = {"task": task, "settings": [each.model_dump(mode="json") for each in cells]}
    try:
        done = run_module("studies.running.memory_probe", order, timeout_s=PROBE_TIMEOUT_S)
        output, ending = done.stdout, f"exit code {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        ending = f"no answer within {PROBE_TIMEOUT_S:g} s"
    found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    missing = len(cells) - len(found)
    return found + [{"error": f"the memory probe ended: {ending}"}] * missing
