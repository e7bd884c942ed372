"""What is kept so that it need not be computed again: in the workspace, and in memory."""

import os
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

from data_pipeline.samples import Sample

MEMORY_LIMIT_BYTES = 512 * 1024**2  # per split; a split of 8,000 images at 128 x 128 fits


def cache_folder() -> Path:
    """Return the workspace's `cache` folder, which need not exist yet.

    The workspace is `$VISIONSTUDY_WORKSPACE`, or `runs` in the working directory.
    """
    return Path(os.environ.get("VISIONSTUDY_WORKSPACE") or "runs").absolute() / "cache"


class SampleCache:
    """Decoded samples in memory, as long as they fit.

    Samples that came first stay: with a shuffled order, evicting would make every epoch miss.
    """

    def __init__(self, limit_bytes: int = MEMORY_LIMIT_BYTES) -> None:
        self._samples: dict[int, Sample] = {}
        self._limit_bytes = limit_bytes
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._samples)

    def __contains__(self, index: int) -> bool:
        return index in self._samples

    def get(self, index: int) -> Sample | None:
        """Return the sample, or None when it is not kept."""
        return self._samples.get(index)

    def offer(self, index: int, sample: Sample) -> None:
        """Keep the sample if it still fits."""
        size = sample_bytes(sample)
        if index not in self._samples and self.used_bytes + size <= self._limit_bytes:
            self._samples[index] = sample
            self.used_bytes += size


def sample_bytes(sample: Sample) -> int:
    """Return the memory a sample's arrays take."""
    values = (getattr(sample, field.name) for field in fields(sample))
    return sum(v.nbytes if isinstance(v, np.ndarray) else sys.getsizeof(v) for v in values)
