"""Device and process memory: how much was used, and what running out looks like."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.session import OutOfMemory

# What allocators without an exception type of their own write into a RuntimeError.
SIGNS = ("can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")


@contextmanager
def out_of_memory_named() -> Iterator[None]:
    """Turn whatever running out of memory looks like into `OutOfMemory`."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(f"a micro-batch did not fit into memory: {error}") from error
    except RuntimeError as error:
        if any(sign in str(error) for sign in SIGNS):
            raise OutOfMemory(f"a micro-batch did not fit into memory: {error}") from error
        raise


def reset_peak_memory(device: torch.device) -> None:
    """Measure the device's peak from now on; a process's peak cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device: torch.device) -> float:
    """Return the most memory used so far: of the device, or of the process on a CPU; MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # missing on Windows; imported at module level it would take all down there

    unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
