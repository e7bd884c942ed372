"""Ranks on one machine: gloo between processes of the CPU, and NCCL between GPUs.

Gradients are added up here rather than by DistributedDataParallel. That wants as many backward
passes of every rank, and each weight in each of them; here a rank may have fewer images, or
micro-batches, and a detector a head that nothing reached. A weight without a gradient in any rank
stays without, as in one process, for an optimizer's weight decay would change it otherwise.

What is decided goes through gloo, also beside NCCL: a GPU never waits for it, and a process that
died is noticed at once.
"""

import os
import pickle
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch._C._distributed_c10d import FileStore  # torch.distributed has it, but not its type

from models.ranks import LeftAlone

T = TypeVar("T")
# The first rank may decode a data set while the others wait; who died is seen without a timeout.
TIMEOUT = timedelta(days=7)
COLLECTIVES = Path(distributed.__file__).parent
BUCKET = 2**23  # gradients sent at once: 32 MiB, at which the cost of a message is nothing


class RankError(RuntimeError):
    """What another rank raised, which cannot be sent as it is."""


class ProcessGroup:
    """A rank among several; made by all of them at the same time.

    Args:
        rank: Which one this is, from 0.
        count: How many there are, at least 2.
        rendezvous: A file on this machine that is not there yet, the same for all.
    """

    def __init__(self, rank: int, count: int, rendezvous: Path) -> None:
        self.rank = rank
        self.count = count
        self._device = torch.device("cpu")
        if sys.platform == "linux":  # never over a network, whatever the host's name resolves to
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        if torch.cuda.is_available():
            self._device = torch.device("cuda", rank)
            torch.cuda.set_device(self._device)
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if self._device.type == "cuda" else "gloo",
            store=FileStore(str(rendezvous), count),
            rank=rank,
            world_size=count,
            timeout=TIMEOUT,
        )
        words = distributed.new_group(backend="gloo", timeout=TIMEOUT)
        assert isinstance(words, distributed.ProcessGroup)  # every rank is in it
        self._words = words

    def close(self) -> None:
        """Leave the group."""
        distributed.destroy_process_group()

    @contextmanager
    def together(self, *, meets_inside: bool = False) -> Iterator[None]:
        """Raise in every rank what one of them raises inside: its own, or the first one's.

        With `meets_inside` only its own is: the others may wait for this one on a GPU, and would
        never come here to be told. Whoever started them has to end them.
        """
        own: Exception | None = None
        try:
            yield
        except Exception as error:  # raised below, when all know of it
            if meets_inside:
                raise
            own = error
        is_failed = torch.tensor([own is not None], dtype=torch.int32)
        distributed.all_reduce(is_failed, distributed.ReduceOp.MAX, self._words)
        if is_failed:
            errors: list[bytes] = [b""] * self.count
            distributed.all_gather_object(errors, pickled(own), self._words)
            if own is not None:
                raise own
            raise unpickled(next(each for each in errors if each))

    def decided(self, is_so: bool) -> bool:
        """Return what the first one says."""
        said = torch.tensor([is_so], dtype=torch.int32)
        distributed.broadcast(said, 0, self._words)
        return bool(said)

    def told(self, value: T) -> T:
        """Return the first one's value."""
        values = [value]
        distributed.broadcast_object_list(values, 0, self._words)
        return values[0]

    def gathered(self, value: T) -> list[T]:
        """Return every rank's value to the first one, [] to others."""
        values: list[Any] | None = [None] * self.count if self.rank == 0 else None
        distributed.gather_object(value, values, 0, self._words)
        return values or []

    def wait(self) -> None:
        """Wait until all are here."""
        distributed.barrier(self._words)

    def add_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Replace the gradient of each weight by the sum of every rank's."""
        trained = [each for each in weights if each.requires_grad]
        is_there = torch.tensor([each.grad is not None for each in trained], dtype=torch.int32)
        distributed.all_reduce(is_there, distributed.ReduceOp.MAX, self._words)
        changed = [each for each, is_one in zip(trained, is_there.tolist(), strict=True) if is_one]
        for bucket in _buckets(changed):
            _add_up(bucket)


def as_last_words(error: Exception) -> Exception:
    """Return what a rank has to say of the error that ends it.

    `LeftAlone` where it waited for another: that is where torch's own code raised it.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = Path(frames[-1].filename) if frames else Path()
    is_waiting = isinstance(error, RuntimeError) and COLLECTIVES in place.parents
    return LeftAlone(str(error)) if is_waiting else error


def pickled(error: Exception | None) -> bytes:
    """Return an error as bytes, as it is or by what it says; b"" for None."""
    if error is None:
        return b""
    try:
        content = pickle.dumps(error)
        pickle.loads(content)  # some errors cannot be made anew
    except Exception:  # noqa: BLE001  # whatever an error's own code raises
        return pickle.dumps(RankError(f"{type(error).__name__}: {error}"))
    return content


def unpickled(content: bytes) -> Exception:
    """Return the error that another process of this trial has pickled."""
    error: Exception = pickle.loads(content)
    return error


def _buckets(weights: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Cut into runs of one type and about `BUCKET` numbers, or one larger weight."""
    bucket: list[nn.Parameter] = []
    size = 0
    for each in weights:
        if bucket and (size + each.numel() > BUCKET or each.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(each)
        size += each.numel()
    if bucket:
        yield bucket


def _add_up(weights: Sequence[nn.Parameter]) -> None:
    gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in weights]
    flat: Tensor = torch.cat([each.reshape(-1) for each in gradients])
    distributed.all_reduce(flat, distributed.ReduceOp.SUM)
    parts = torch.split(flat, [each.numel() for each in weights])
    for weight, part in zip(weights, parts, strict=True):
        weight.grad = part.view_as(weight).clone(memory_format=torch.preserve_format)
