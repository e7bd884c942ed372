"""NVIDIA's management library: it finds GPUs without touching CUDA.

It counts GPUs in the order of their slots on the bus. So does CUDA where `slot_use` has told it
to; by itself it puts the fastest first.
"""

import contextlib
from collections.abc import Iterator

import pynvml


@contextlib.contextmanager
def nvml() -> Iterator[None]:
    """Load the library for a while.

    Raises:
        pynvml.NVMLError: There is none.
    """
    pynvml.nvmlInit()
    try:
        yield
    finally:
        pynvml.nvmlShutdown()


def handle_of(gpu: str) -> object:
    """Return the handle of a GPU as CUDA_VISIBLE_DEVICES names it.

    Args:
        gpu: Index, or UUID, of which CUDA takes the first letters too.

    Raises:
        pynvml.NVMLError: There is no such GPU.
        ValueError: It is neither.
    """
    if not gpu.startswith(("GPU-", "MIG-")):
        return pynvml.nvmlDeviceGetHandleByIndex(int(gpu))
    try:
        return pynvml.nvmlDeviceGetHandleByUUID(gpu)
    except pynvml.NVMLError:
        for index in range(int(pynvml.nvmlDeviceGetCount())):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            if _text(pynvml.nvmlDeviceGetUUID(handle)).startswith(gpu):
                return handle
        raise


def name_of(gpu: str) -> str:
    """Return what a GPU is called; it raises as `handle_of` does."""
    return _text(pynvml.nvmlDeviceGetName(handle_of(gpu)))


def _text(found: str | bytes) -> str:
    return found.decode() if isinstance(found, bytes) else found
