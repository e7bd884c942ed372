"""The batches of a split: the same for the same seed and epoch, whoever decodes them.

    Dataset ──PreparedSplit──► samples at one size, kept on disk as far as they fit
            ──EpochLoader────► order of the epoch, batches, on the device: augmented, normalised

Order, and what is drawn for a sample, follow from (seed, epoch) and (seed, epoch, sample) alone:
so batches depend neither on processes nor on what is kept, and an epoch may start at any batch.
What is kept is gathered from mapped memory in this process, for sending it from another would
take longer than reading it. Processes decode what is not.
"""

import logging
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

import numpy as np
import torch

from data_pipeline.cache.sample_cache import Progress
from data_pipeline.loading.class_balance import ClassTurns
from data_pipeline.loading.collating import collate
from data_pipeline.loading.decoding_processes import (
    FEW_SAMPLES,
    DecodingProcesses,
    Helpers,
    LostProcessError,
    Request,
    own_cores,
)
from data_pipeline.loading.delivery import delivered
from data_pipeline.loading.prepared import PreparedSplit
from data_pipeline.samples import Batch, Sample
from data_pipeline.transforms.batches import augmented_batch, normalized_batch
from data_pipeline.transforms.settings import AnyAugmentation, Normalization

logger = logging.getLogger(__name__)

# First words of the seeds, so that two purposes never share a stream. Not 0: NumPy pads with 0.
ORDER, AUGMENT, CUT = 1, 2, 3
CPU = torch.device("cpu")


def whole(images: int) -> slice:
    """Want every image of a batch."""
    return slice(0, images)


@dataclass(frozen=True, slots=True)
class Shuffle:
    """What makes a training split's epochs differ."""

    seed: int
    augment: tuple[AnyAugmentation, ...] = ()
    classes: ClassTurns | None = None  # how often each sample is shown; None: once


@dataclass(frozen=True, slots=True)
class Delivery:
    """How batches come; nothing of it but `normalize` changes what is in them."""

    workers: int | Literal["auto"] = 0  # processes that decode what is not kept
    device: torch.device = CPU  # where the batches shall be
    normalize: Normalization | None = None
    progress: Progress | None = None  # told how much is kept while that is built
    helpers: Helpers = field(default_factory=Helpers)  # of one split at a time


@dataclass(frozen=True, slots=True)
class Seen:
    """What becomes of one sample in an epoch, each time as a batch of it alone."""

    prepared: Batch  # decoded, at the input size
    augmented: Batch  # changed as drawn for it
    delivered: Batch  # normalised: what the network is given


class EpochLoader:
    """Batches of a split, epoch by epoch; the last one may be smaller."""

    def __init__(
        self,
        split: PreparedSplit,
        batch_size: int,
        *,
        shuffle: Shuffle | None,
        delivery: Delivery = Delivery(),
    ) -> None:
        """Build a loader.

        Args:
            split: What to load.
            batch_size: Images or clips per batch, at least 1.
            shuffle: None keeps the order of the image ids and changes nothing.
            delivery: Where to, and with how much help.
        """
        if batch_size < 1:
            raise ValueError(f"batch size must be at least 1, got {batch_size}")
        self._split = split
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._delivery = delivery

    def __len__(self) -> int:
        """Batches per epoch."""
        return -(-self.images // self._batch_size)

    @property
    def images(self) -> int:
        """Images or clips per epoch; one that is shown twice counts twice."""
        if self._shuffle is None or self._shuffle.classes is None:
            return len(self._split)
        return len(self._shuffle.classes)

    def prepare(self) -> None:
        """Decode and keep what can be kept, if it is not yet; an epoch does so otherwise."""
        self._split.keep(processes=self._cores(), progress=self._delivery.progress)

    def epoch(
        self,
        number: int,
        *,
        first_batch: int = 0,
        end_batch: int | None = None,
        part: Callable[[int], slice] = whole,
    ) -> Iterator[Batch]:
        """Yield the batches of an epoch; what is left out of it costs nothing.

        Args:
            number: Epoch, 1-based.
            first_batch: Batches to leave out at the start.
            end_batch: The first one to leave out at the end; None: none is.
            part: Images of a batch -> which of them are wanted, one at least.

        Raises:
            DataError: An image or video is missing or damaged; the message names it.
        """
        self.prepare()
        order = self._order(number)
        starts = range(0, len(order), self._batch_size)[first_batch:end_batch]
        whole_batches = (order[start : start + self._batch_size] for start in starts)
        batches = [batch[part(len(batch))] for batch in whole_batches]
        collated = (collate(samples) for samples in self._samples(batches, number))
        arrived = delivered(collated, self._delivery.device)
        for turns, batch in zip(batches, arrived, strict=True):
            augmented = self._augmented(batch, number, turns)
            yield normalized_batch(augmented, self._delivery.normalize)

    def _cores(self) -> int:
        return own_cores() if self._delivery.workers == "auto" else self._delivery.workers

    def seen(self, number: int, index: int) -> Seen:
        """Return what becomes of one sample in an epoch, to look at; keeps nothing.

        Args:
            number: Epoch, 1-based.
            index: Of the sample, in the order of the split.

        Raises:
            DataError: An image or video is missing or damaged; the message names it.
        """
        collated = collate([self._sample((index, self._seed(CUT, number, index)), {})])
        prepared = next(delivered(iter([collated]), self._delivery.device))
        augmented = self._augmented(prepared, number, [index])
        return Seen(prepared, augmented, normalized_batch(augmented, self._delivery.normalize))

    def _augmented(self, batch: Batch, number: int, turns: Sequence[int]) -> Batch:
        """Change the batch as drawn for each turn, where it is, on the device."""
        if self._shuffle is None or not self._shuffle.augment:
            return batch
        seeds = [self._seed(AUGMENT, number, turn) for turn in turns]
        return augmented_batch(batch, self._shuffle.augment, seeds)

    def _order(self, number: int) -> list[int]:
        """Return the turns of an epoch: samples, each once unless classes are balanced."""
        if self._shuffle is None:
            return list(range(len(self._split)))
        random = np.random.default_rng([ORDER, self._shuffle.seed, number])
        if self._shuffle.classes is None:
            return [int(index) for index in random.permutation(len(self._split))]
        turns = self._shuffle.classes.drawn(random)
        return [turns[int(place)] for place in random.permutation(len(turns))]

    def _seed(self, purpose: int, number: int, turn: int) -> int:
        """Return 63 bits for what is drawn for a turn of a sample; 0 where nothing is."""
        if self._shuffle is None:
            return 0
        words = struct.pack("<4Q", purpose, self._shuffle.seed, number, turn)
        return int.from_bytes(blake2b(words, digest_size=8).digest()) >> 1

    def _requests(self, number: int, turns: Iterable[int]) -> list[Request]:
        samples = len(self._split)
        return [(turn % samples, self._seed(CUT, number, turn)) for turn in turns]

    def _samples(self, batches: Sequence[list[int]], number: int) -> Iterator[list[Sample]]:
        is_kept = self._split.are_kept().tolist()
        wanted = [self._requests(number, turns) for turns in batches]
        missing = [[each for each in requests if not is_kept[each[0]]] for requests in wanted]
        decoded = self._decoded([requests for requests in missing if requests])
        for requests, absent in zip(wanted, missing, strict=True):
            fresh = dict(zip(absent, next(decoded), strict=True)) if absent else {}
            yield [self._sample(request, fresh) for request in requests]

    def _sample(self, request: Request, fresh: dict[Request, Sample]) -> Sample:
        if request in fresh:
            return fresh[request]
        kept = self._split.kept(request)
        return self._split.decode(request) if kept is None else kept

    def _decoded(self, batches: Sequence[list[Request]]) -> Iterator[list[Sample]]:
        """Decode here, or by processes where they are asked for or worth starting."""
        done = 0
        processes = self._helped(sum(map(len, batches)))
        if processes is not None:
            try:
                for samples in processes.decode(batches):
                    yield samples
                    done += 1
            except LostProcessError as error:
                logger.warning("%s; the rest of the epoch is decoded by the trial itself", error)
                self._delivery.helpers.dismiss(self._split)
        for requests in batches[done:]:
            yield [self._split.decode(request) for request in requests]

    def _helped(self, samples: int) -> DecodingProcesses | None:
        """Return the processes for so many samples; None: it is faster without, or they are off.

        They end where there is nothing more for them to do.
        """
        cores, helpers = self._cores(), self._delivery.helpers
        few = self._delivery.workers == "auto" and samples < FEW_SAMPLES
        if samples and cores and (not few or helpers.work_for(self._split)):
            return helpers.of(self._split, cores)
        helpers.dismiss(self._split)
        return None
