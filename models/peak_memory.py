"""The most memory that a training step takes: measured on a GPU, counted where there is none.

Counted are the tensors alive at any moment of a step, whose storages are followed from the
operation that makes them to the one that lets go of them. What a kernel takes for itself in
between is not seen: the count is a lower bound, 1 to 14 percent below what the CPU's allocator
hands out for a ResNet-18 and small U-Nets. A GPU's convolutions may take more, which only a
measurement on it tells.
"""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from models.workbench import Workbench

MIB = 2**20


class LiveStorages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors alive, those that operations make while it is active."""

    def __init__(self, held: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._bytes = 0
        self._alive: dict[int, weakref.ref[Any]] = {}
        for tensor in held:
            self._follow(tensor)
        self.peak_bytes = self._bytes

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401  # an operator of torch
        types: Any,  # noqa: ANN401
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Run an operation and follow what it returns."""
        made = func(*args, **(kwargs or {}))
        for each in tree_iter(made):
            if isinstance(each, Tensor):
                self._follow(each)
        self.peak_bytes = max(self.peak_bytes, self._bytes)
        return made

    def _follow(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        if key in self._alive:
            return

        def forget(_: object) -> None:
            del self._alive[key]
            self._bytes -= size

        self._alive[key] = weakref.ref(storage, forget)
        self._bytes += size


def step_peaks(bench: Workbench, batches: Sequence[Any]) -> list[float]:
    """Return the most memory that a training step on each batch takes, MiB.

    The first batch is stepped on twice: the first step makes the optimizer's state.
    """
    moved = [bench.task.to_device(batch, bench.device) for batch in batches]
    _step(bench, moved[0])
    measure = _measured if bench.device.type == "cuda" else _counted
    return [measure(bench, batch) for batch in moved]


def _step(bench: Workbench, batch: Any) -> None:  # noqa: ANN401  # of the task
    result = bench.task.training_step(bench.network, batch)
    bench.fabric.backward(result.loss)
    bench.stepper.step()
    bench.stepper.zero_grad()


def _measured(bench: Workbench, batch: Any) -> float:  # noqa: ANN401
    """Return what the allocator takes from the GPU, what it keeps for later included."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(bench.device)
    _step(bench, batch)
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_reserved(bench.device)) / MIB


def _counted(bench: Workbench, batch: Any) -> float:  # noqa: ANN401
    with LiveStorages([*_held(bench), *_tensors(batch)]) as counter:
        _step(bench, batch)
    return float(counter.peak_bytes / MIB)


def _held(bench: Workbench) -> Iterable[Tensor]:
    """Yield what is alive before a step: weights, buffers and the optimizer's state."""
    yield from bench.model.parameters()
    yield from bench.model.buffers()
    yield from _tensors(list(bench.optimizer.state.values()))


def _tensors(value: Any) -> Iterable[Tensor]:  # noqa: ANN401  # a batch, or a part of one
    """Yield the tensors of a batch, whatever dataclass it is."""
    if hasattr(value, "__dataclass_fields__"):
        value = [getattr(value, name) for name in value.__dataclass_fields__]
    yield from (each for each in tree_iter(value) if isinstance(each, Tensor))
