"""The batches of a split: the same for the same seed and epoch, whoever decodes them.

    Dataset ──PreparedSplit──► resized samples, kept in memory while they fit
            ──EpochLoader────► order of the epoch, augmentation, batches

Loader processes only decode and resize, which is what takes time. Order and augmentation are
drawn in the trial's process from (seed, epoch) and (seed, epoch, image), so that batches do not
depend on the number of processes, and an epoch may start at any batch. Once a split is in
memory the processes end: sending a sample takes longer than reading it from memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from data_pipeline.cache import SampleCache
from data_pipeline.collating import collate
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.samples import Batch, Sample
from data_pipeline.settings import Augmentation
from data_pipeline.transforms import Resize, applied, augmented

# First words of the seeds, so that two purposes never share a stream. Not 0: NumPy pads with 0.
ORDER, AUGMENT = 1, 2


class PreparedSplit:
    """A split's samples at the network's input size, each decoded once if memory allows."""

    def __init__(self, dataset: Dataset, image_size: int) -> None:
        self._items = dataset.items
        self._resize = Resize((image_size, image_size))
        self.cache = SampleCache()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Ids in order."""
        return tuple(item.image_id for item in self._items)

    def decode(self, index: int) -> Sample:
        """Read and resize a sample, whether kept or not."""
        return applied(self._items[index].read(), self._resize)

    def sample(self, index: int) -> Sample:
        """Return a sample at the input size, and keep it if it fits."""
        sample = self.cache.get(index)
        if sample is None:
            sample = self.decode(index)
            self.cache.offer(index, sample)
        return sample

    def __getstate__(self) -> dict[str, Any]:
        """Leave the kept samples out of what a loader process is sent."""
        return {"_items": self._items, "_resize": self._resize, "cache": SampleCache()}


@dataclass(frozen=True, slots=True)
class Shuffle:
    """What makes a training split's epochs differ."""

    seed: int
    augment: tuple[Augmentation, ...] = ()


class EpochLoader:
    """Batches of a split, epoch by epoch; the last one may be smaller."""

    def __init__(
        self,
        split: PreparedSplit,
        batch_size: int,
        *,
        shuffle: Shuffle | None,
        workers: int = 0,
    ) -> None:
        """Build a loader.

        Args:
            split: What to load.
            batch_size: Images per batch, at least 1.
            shuffle: None keeps the order of the image ids and changes nothing.
            workers: Loader processes; 0 decodes in this one.
        """
        if batch_size < 1:
            raise ValueError(f"batch size must be at least 1, got {batch_size}")
        self._split = split
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._reader = _ParallelReader(split, workers) if workers else None

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-len(self._split) // self._batch_size)

    @property
    def images(self) -> int:
        """Images per epoch."""
        return len(self._split)

    def epoch(self, number: int, *, first_batch: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch.

        Args:
            number: Epoch, 1-based.
            first_batch: Batches to leave out at the start; they cost nothing.
        """
        order = self._order(number)
        starts = range(0, len(order), self._batch_size)[first_batch:]
        batches = [order[start : start + self._batch_size] for start in starts]
        for indices, samples in zip(batches, self._samples(batches), strict=True):
            yield collate(
                [self._augmented(s, number, i) for i, s in zip(indices, samples, strict=True)]
            )

    def _order(self, number: int) -> list[int]:
        if self._shuffle is None:
            return list(range(len(self._split)))
        random = np.random.default_rng([ORDER, self._shuffle.seed, number])
        return [int(index) for index in random.permutation(len(self._split))]

    def _augmented(self, sample: Sample, number: int, index: int) -> Sample:
        if self._shuffle is None or not self._shuffle.augment:
            return sample
        random = np.random.default_rng([AUGMENT, self._shuffle.seed, number, index])
        return augmented(sample, self._shuffle.augment, random)

    def _samples(self, batches: Sequence[list[int]]) -> Iterator[list[Sample]]:
        if len(self._split.cache) == len(self._split):
            self._reader = None
        if self._reader is not None:
            yield from self._reader.read(batches)
        else:
            for indices in batches:
                yield [self._split.sample(index) for index in indices]


class _ParallelReader:
    """Decodes in processes what the cache does not hold.

    The processes live until the split is in memory: an epoch would not repay starting them.
    """

    def __init__(self, split: PreparedSplit, workers: int) -> None:
        self._split = split
        self._missing: list[list[int]] = []  # read by the loader at the start of an epoch
        processes = get_context("forkserver")  # fork after threads or CUDA can hang
        processes.set_forkserver_preload(["torch", "data_pipeline.loaders"])  # once, not in each
        self._loader = DataLoader(
            _Decoding(split),
            batch_size=None,
            sampler=_Sampler(self._missing),
            collate_fn=_unchanged,
            num_workers=workers,
            multiprocessing_context=processes,
            worker_init_fn=_limit_threads,
            persistent_workers=True,
            generator=torch.Generator(),  # else each epoch draws from the model's own stream
        )

    def read(self, batches: Sequence[list[int]]) -> Iterator[list[Sample]]:
        cache = self._split.cache
        self._missing[:] = [[i for i in indices if i not in cache] for indices in batches]
        for indices, missing, decoded in zip(
            batches, list(self._missing), self._loader, strict=True
        ):
            fresh = dict(zip(missing, decoded, strict=True))
            for index, sample in fresh.items():
                cache.offer(index, sample)
            yield [fresh[i] if i in fresh else self._split.sample(i) for i in indices]


class _Sampler:
    def __init__(self, batches: list[list[int]]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return iter(list(self._batches))

    def __len__(self) -> int:
        return len(self._batches)


class _Decoding(TorchDataset[list[Sample]]):
    def __init__(self, split: PreparedSplit) -> None:
        self._split = split

    def __getitem__(self, indices: list[int]) -> list[Sample]:
        return [self._split.decode(index) for index in indices]


def _unchanged(samples: list[Sample]) -> list[Sample]:
    return samples


def _limit_threads(worker: int) -> None:  # noqa: ARG001  # the loader passes its number
    cv2.setNumThreads(0)  # one thread per process; the processes are the parallelism
