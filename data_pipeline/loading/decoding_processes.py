"""Processes that decode what is not kept.

They live until another split is read, for they take memory and have nothing to do then; to start
them again costs a fork each, as the forkserver has loaded what they need. Each batch comes back
in one piece of shared memory. They decode and nothing else; what is random was drawn before.
"""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeAlias

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from data_pipeline.cache.packing import SamplePlace, pack, unpack
from data_pipeline.errors import DataError
from data_pipeline.loading.lifeline import Lifeline, end_with
from data_pipeline.samples import Sample

FEW_SAMPLES = 256  # decoded before the processes would be up


class Decodes(Protocol):
    """What the processes are sent."""

    def decode(self, request: "Request") -> Sample:
        """Decode a sample of a split.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """


Request: TypeAlias = tuple[int, int]  # sample of a split, seed of what is drawn for it
Decoded: TypeAlias = tuple[tuple[SamplePlace | None, ...], Tensor]


def own_cores() -> int:
    """Return the cores this process may use: its affinity, and the threads its trial was given."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        allowed = os.cpu_count() or 1
    return min(allowed, torch.get_num_threads())


class LostProcessError(Exception):
    """A process was killed, maybe for lack of memory."""


class DecodingProcesses:
    """Started at the first use."""

    def __init__(self, split: Decodes, processes: int) -> None:
        self._requests: list[list[Request]] = []  # read by the loader at the start of an epoch
        self._lifeline = Lifeline()
        context = get_context("forkserver")  # fork after threads or CUDA can hang
        context.set_forkserver_preload(["torch", __name__])  # once, not in each
        self._loader = DataLoader(
            _Decoding(split),
            batch_size=None,
            sampler=_Sampler(self._requests),
            collate_fn=_unchanged,
            num_workers=processes,
            multiprocessing_context=context,
            worker_init_fn=partial(_start, self._lifeline.other_end),
            persistent_workers=True,
            generator=torch.Generator(),  # else each epoch draws from the model's own stream
        )

    def decode(self, batches: Sequence[list[Request]]) -> Iterator[list[Sample]]:
        """Decode batches of requests, in order.

        Raises:
            DataError: A file is missing or damaged; the message names it.
            LostProcessError: A process was killed; what was yielded is right.
        """
        self._requests[:] = batches
        for answer in self._answers():
            if isinstance(answer, DataError):
                raise answer
            places, memory = answer
            content = memory.numpy()
            yield [unpack(place, content) for place in places if place is not None]

    def _answers(self) -> Iterator[Decoded | DataError]:
        try:
            yield from self._loader
        # What is raised depends on when it was killed: torch saw it, or a batch was half fetched.
        # Decoding here would raise again what is no loss of a process.
        except (RuntimeError, OSError, EOFError) as error:
            reason = str(error).split("\n")[0] or type(error).__name__
            raise LostProcessError(
                f"a process that decodes was lost, maybe for lack of memory ({reason})"
            ) from error


class Helpers:
    """The processes of a data source: they work for one split at a time."""

    def __init__(self) -> None:
        self._split: Decodes | None = None
        self._processes: DecodingProcesses | None = None

    def work_for(self, split: Decodes) -> bool:
        """Whether they are running and are this split's."""
        return self._split is split

    def of(self, split: Decodes, processes: int) -> DecodingProcesses:
        """Return a split's, ending those of another; an epoch under way keeps its own."""
        if self._processes is None or self._split is not split:
            self._processes = None  # ends them before the others are started
            self._processes = DecodingProcesses(split, processes)
            self._split = split
        return self._processes

    def dismiss(self, split: Decodes) -> None:
        """End a split's processes, if they are running."""
        if self._split is split:
            self._split = self._processes = None


class _Sampler:
    def __init__(self, batches: list[list[Request]]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[list[Request]]:
        return iter(list(self._batches))

    def __len__(self) -> int:
        return len(self._batches)


class _Decoding(TorchDataset[Any]):
    def __init__(self, split: Decodes) -> None:
        self._split = split

    def __getitem__(self, requests: list[Request]) -> Decoded | DataError:
        try:
            samples = (self._split.decode(request) for request in requests)
            packed = pack(samples, has_checksums=False)
        except DataError as error:
            return error  # raised there: the loader would bury its message in a traceback
        memory = torch.empty(packed.size, dtype=torch.uint8)
        packed.joined(memory.numpy())
        return packed.places, memory


def _unchanged(answer: Any) -> Any:  # noqa: ANN401  # a batch of requests is answered as a whole
    return answer


def _start(other_end: "Connection[None, None]", worker: int) -> None:  # noqa: ARG001  # its number
    end_with(other_end)
    cv2.setNumThreads(0)  # one thread per process; the processes are the parallelism
