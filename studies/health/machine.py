"""What trials need of the machine: GPUs, memory, shared memory, files."""

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pynvml

from studies.health.check import Check, ok
from studies.running.devices import cpu_count, visible_gpus

GIB = 2**30
SHARED_MEMORY = Path("/dev/shm")
LEAST_SHARED_BYTES = 2 * GIB
LEAST_FILES = 4096  # shards of a cache are all open at once, in each trial


def check_machine() -> Iterator[Check]:
    """Look at the machine that this runs on."""
    memory = psutil.virtual_memory()
    found = f"{cpu_count()} CPU cores, {memory.available / GIB:.0f} GiB of memory free"
    yield ok("machine", found)
    yield _gpus()
    if SHARED_MEMORY.is_dir():
        yield _shared_memory(shutil.disk_usage(SHARED_MEMORY).total)
    yield _files(*resource.getrlimit(resource.RLIMIT_NOFILE))


def _gpus() -> Check:
    """See whether torch can use the GPUs that the driver shows."""
    gpus = visible_gpus()
    if not gpus:
        fix = "none is needed to try things out; else install NVIDIA's driver, see nvidia-smi"
        return Check("gpus", "warn", "no GPU is visible: trials run on the CPU", fix)
    # Lazy: torch takes seconds to import, which a machine without GPUs need not wait for.
    import torch

    driver, newest = _driver()
    names = ", ".join(name for _, name in gpus)
    found = f"{names}; driver {driver} (CUDA up to {newest})"
    built = torch.version.cuda
    if built is None:
        fix = "install a torch that was built for CUDA; see pytorch.org"
        return Check("gpus", "fail", f"{found}; but torch was built for the CPU alone", fix)
    if not torch.cuda.is_available():
        fix = f"update the driver to one for CUDA {built}, or install an older torch"
        return Check("gpus", "fail", f"{found}; but torch, for CUDA {built}, cannot use it", fix)
    return ok("gpus", f"{found}; torch is for CUDA {built}")


def _driver() -> tuple[str, str]:
    """Return the driver's version and the newest CUDA that it supports."""
    pynvml.nvmlInit()
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        cuda = int(pynvml.nvmlSystemGetCudaDriverVersion())
    finally:
        pynvml.nvmlShutdown()
    text = driver.decode() if isinstance(driver, bytes) else str(driver)
    return text, f"{cuda // 1000}.{cuda % 1000 // 10}"


def _shared_memory(total: int) -> Check:
    found = f"{total / GIB:.1f} GiB in {SHARED_MEMORY}"
    if total >= LEAST_SHARED_BYTES:
        return ok("shared memory", found)
    fix = "start the container with --shm-size 8g (compose: shm_size)"
    return Check("shared memory", "warn", f"{found}: loaders may die with a bus error", fix)


def _files(soft: int, hard: int) -> Check:
    is_unlimited = soft == resource.RLIM_INFINITY
    if is_unlimited or soft >= LEAST_FILES:
        return ok("open files", "unlimited" if is_unlimited else f"up to {soft}")
    most = "65536" if hard == resource.RLIM_INFINITY else str(min(hard, 65536))
    return Check("open files", "warn", f"only up to {soft}", f"ulimit -n {most} before a launch")
