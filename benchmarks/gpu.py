"""How fast the three thesis models train on whatever GPU there is, beside plain loops.

    python -m benchmarks.gpu [--device cuda|cpu] [--steps N] [--only unet] [--quick] [--json FILE]

Needs no network and no data: batches of random pixels lie in host memory and are copied to the
device in every step, for all loops alike. Of packages it needs torch, torchvision and NumPy, and
as carried wheels lightning-fabric, pydantic, opencv-python-headless, scipy, pycocotools and
faster-coco-eval, with what they need; NVML's nvidia-ml-py where the GPU's busy time is wanted.

"ours" is the step of `models/training.py`: the task's losses and counts, the optimizer, and the
look whether the loss is finite. "plain" is torchvision's own Faster R-CNN, and a bare PyTorch loop
around the same network elsewhere. "deterministic" is what a study does unless it says otherwise.
What the thesis took for an epoch is put beside what that epoch would take here.
"""

import argparse
import gc
import json
import platform
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_loads import Load, Step, loads, plain_step, random_batches, session_of
from models.divergence import require_finite
from models.stepping import take_step
from models.training import CHECK_STEPS
from models.workbench import Workbench, set_up

WARM_UP = 3  # steps before the clock starts; kernels are chosen and memory is taken in them
SAMPLE_S = 0.02  # between looks at how busy the GPU is
BATCHES = 2  # different ones that take turns
COMPILED = ("unet", "slowfast")  # a detector's regions differ in number, so it is never done


@dataclass(frozen=True, slots=True)
class Way:
    """How a load is trained."""

    name: str
    is_plain: bool = False
    precision: str = "32-true"
    deterministic: bool = False
    compiled: bool = False


WAYS = (
    Way("ours fp32"),
    Way("plain fp32", is_plain=True),
    Way("ours bf16", precision="bf16-mixed"),
    Way("plain bf16", is_plain=True, precision="bf16-mixed"),
)
DETERMINISTIC = Way("ours fp32 deterministic", deterministic=True)
COMPILE = Way("ours bf16 compiled", precision="bf16-mixed", compiled=True)


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a load."""

    load: str
    way: str
    images_per_s: float | None  # clips of a video model; None: it did not fit into memory
    busy_share: float | None  # of the time the GPU ran a kernel, as NVML samples it
    peak_memory_mb: float | None  # taken by tensors; None: not measured on a CPU
    epoch_s: float | None  # of the thesis's images, at this speed
    thesis: str  # what the thesis took
    note: str = ""


class BusyMeter:
    """Samples how busy a GPU is, where NVML says it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._samples: list[float] = []
        self._is_over = threading.Event()

    def __enter__(self) -> "BusyMeter":
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def share(self) -> float | None:
        """Return the mean of the samples; None where there are none."""
        return statistics.fmean(self._samples) if self._samples else None

    def _sample(self) -> None:
        while self._device.type == "cuda" and not self._is_over.wait(SAMPLE_S):
            try:
                self._samples.append(torch.cuda.utilization(self._device) / 100)
            except Exception:  # noqa: BLE001  # NVML's package or library is not there
                return


def our_step(load: Load, way: Way) -> Step:
    """Return one step as the training loop takes it."""
    session = session_of(load, precision=way.precision, deterministic=way.deterministic)
    bench: Workbench = set_up(session)
    if way.compiled:
        bench.model.compile()
    bench.network.train()
    taken = 0

    def step(batch: Any) -> None:  # noqa: ANN401  # of the load's task
        nonlocal taken
        result = bench.task.training_step(bench.network, bench.task.to_device(batch, bench.device))
        if bench.device.type == "cpu" or taken % CHECK_STEPS == 0:
            require_finite(result.loss.detach(), "train/loss")
        bench.fabric.backward(result.loss)
        take_step(bench, session.training)
        taken += 1

    return step


def measure(load: Load, way: Way, *, device: torch.device, steps: int) -> Row:
    """Train a load for some steps; one that does not fit into memory is a row that says so."""
    torch.manual_seed(0)
    _free(device)
    try:
        if way.is_plain:
            step = plain_step(load, device, uses_bf16=way.precision == "bf16-mixed")
        else:
            step = our_step(load, way)
        batches = cycle(random_batches(load, BATCHES))
        warm_up = min(WARM_UP, steps)
        for batch in islice(batches, warm_up):
            step(batch)
        _wait(device)
        started = time.perf_counter()
        with BusyMeter(device) as busy:
            for batch in islice(batches, steps):
                step(batch)
            _wait(device)
        seconds = time.perf_counter() - started
    except torch.OutOfMemoryError:
        return Row(load.name, way.name, None, None, None, None, _thesis(load), "does not fit")
    speed = steps * load.batch / seconds
    return Row(
        load=load.name,
        way=way.name,
        images_per_s=speed,
        busy_share=busy.share,
        peak_memory_mb=_peak_mb(device),
        epoch_s=load.thesis_images / speed if load.thesis_images else None,
        thesis=_thesis(load),
    )


def rows(device: torch.device, *, steps: int, only: str, is_quick: bool) -> Iterator[Row]:
    """Measure every load in every way; quickly, the smallest of each model in two of them."""
    chosen = [load for load in loads() if only in load.model]
    largest = {load.model: load for load in chosen}
    if is_quick:
        first = {load.model: load for load in reversed(chosen)}
        chosen = sorted(first.values(), key=chosen.index)
    for load in chosen:
        ways = list(WAYS[:2] if is_quick else WAYS)
        if not is_quick and load == largest[load.model]:
            ways.append(DETERMINISTIC)
            if load.model in COMPILED and device.type == "cuda":
                ways.append(COMPILE)
        for way in ways:
            yield measure(load, way, device=device, steps=steps)


def _free(device: torch.device) -> None:
    # What the determinism of one way chose must not stay for the next.
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = False, True
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_mb(device: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None


def _thesis(load: Load) -> str:
    return ", ".join(f"{seconds:.0f} s on {gpu}" for gpu, seconds in load.thesis.items())


def _line(row: Row) -> str:
    def number(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:,.{digits}f}"

    busy = None if row.busy_share is None else row.busy_share * 100
    return (
        f"{row.load:<32} {row.way:<24} {number(row.images_per_s, 1):>10} {number(busy, 0):>6} "
        f"{number(row.peak_memory_mb, 0):>10} {number(row.epoch_s, 1):>9}  {row.thesis} {row.note}"
    ).rstrip()


def _machine(device: torch.device) -> dict[str, str]:
    is_cuda = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if is_cuda else platform.processor() or "cpu",
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda) if is_cuda else "",
        "python": platform.python_version(),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each row")
    parser.add_argument("--only", default="", help="models whose name has this in it")
    parser.add_argument("--quick", action="store_true", help="the smallest row of each model")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    asked = parser.parse_args(arguments)
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no GPU is there; --device cpu runs the same rows on the CPU", file=sys.stderr)
        return 2
    device = torch.device(asked.device, 0) if asked.device == "cuda" else torch.device("cpu")
    machine = _machine(device)
    print(", ".join(f"{name} {value}" for name, value in machine.items() if value))
    print(
        f"{'':<32} {'':<24} {'images/s':>10} {'busy %':>6} {'peak MiB':>10} {'epoch s':>9}  thesis"
    )
    found = []
    for row in rows(device, steps=asked.steps, only=asked.only, is_quick=asked.quick):
        found.append(row)
        print(_line(row), flush=True)
    if asked.json is not None:
        asked.json.write_text(
            json.dumps({"machine": machine, "rows": [asdict(row) for row in found]}, indent=1)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
