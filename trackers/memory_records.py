"""Facts about the memory that a training step takes, and which GPUs that fits on.

A step on n images takes `fixed_mb + n * image_mb`. What is added to it before it is compared with
a GPU is said here, once: what CUDA keeps for itself, and, where tensors were counted rather than
memory measured, what kernels and the allocator take besides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Hardware of the thesis's Table 2 (6: RTX 2060; 8: GTX 1070, Quadro M4000; 12: K80; 16: P100,
# V100), and of today (24: L4, RTX 4090; 80: A100, H100).
GPU_SIZES_GB = (6, 8, 12, 16, 24, 80)
CONTEXT_MB = 500.0  # of CUDA and its libraries; an assumption, it differs by GPU and version
COUNTED_FACTOR = 1.15  # on counted tensors; an assumption: workspaces and gaps between blocks
MIB_PER_GB = 1024.0  # GPUs are sold by GiB


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """What a training step of some settings takes."""

    settings: Mapping[str, Any]  # dotted path -> value: those that change the memory
    batch_sizes: tuple[int, ...]  # that cells of these settings train with, ascending
    fixed_mb: float  # MiB, whatever the batch: weights, gradients, optimizer state
    image_mb: float  # MiB of each image or clip of a micro-batch
    device: str
    is_measured: bool  # on a GPU; else tensors were counted on a CPU

    def need_mb(self, images: int) -> float:
        """Return the MiB that a GPU must have for a micro-batch."""
        step_mb = self.fixed_mb + images * self.image_mb
        return CONTEXT_MB + step_mb * (1.0 if self.is_measured else COUNTED_FACTOR)

    def divisor(self, batch_size: int, gpu_mb: float) -> int | None:
        """Return what a batch must be cut by to fit: 1, 2, 4 …; None: one image is too much."""
        divisor = 1
        while True:
            micro_batch = -(-batch_size // divisor)
            if self.need_mb(micro_batch) <= gpu_mb:
                return divisor
            if micro_batch == 1:
                return None
            divisor *= 2
