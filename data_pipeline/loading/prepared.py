"""The samples of a split, whether kept on disk or decoded when they are asked for.

A request is a sample's number and a seed; only clips draw something from the seed.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from data_pipeline.cache.sample_cache import Progress, SampleCache
from data_pipeline.loading.decoding import ImageDecoder
from data_pipeline.loading.decoding_processes import Request
from data_pipeline.samples import Sample


class PreparedSplit(Protocol):
    """The samples of a split at the network's input size; may be sent to another process."""

    def __len__(self) -> int:
        """Samples per epoch."""

    def keep(self, *, processes: int, progress: Progress | None) -> None:
        """Keep what is to be kept and is not yet, with at most so many processes' help."""

    def are_kept(self) -> NDArray[np.bool_]:
        """Return for each sample, (samples,), whether `kept` has it, if it is not damaged."""

    def kept(self, request: Request) -> Sample | None:
        """Return a kept sample; its arrays may be views that cannot be written to."""

    def decode(self, request: Request) -> Sample:
        """Decode a sample from its source.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """


class ImageSplit:
    """Images, each of them one sample."""

    def __init__(self, decoder: ImageDecoder, cache: SampleCache | None = None) -> None:
        self._decoder = decoder
        self._cache = cache

    def __len__(self) -> int:
        return len(self._decoder)

    def keep(self, *, processes: int, progress: Progress | None) -> None:
        """Build what is missing of the cache."""
        if self._cache is not None:
            self._cache.build(processes=processes, progress=progress)

    def are_kept(self) -> NDArray[np.bool_]:
        """Return for each image whether the cache holds it."""
        if self._cache is None:
            return np.zeros(len(self), np.bool_)
        return self._cache.are_kept()

    def kept(self, request: Request) -> Sample | None:
        """Return the image from the cache."""
        return None if self._cache is None else self._cache.sample(request[0])

    def decode(self, request: Request) -> Sample:
        """Decode and resize the image.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """
        return self._decoder.decode(request[0])

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cache out of what a decoding process is sent."""
        return {"_decoder": self._decoder, "_cache": None}
