"""Batches on the device that trains: copied ahead of the training on a GPU, as they are on a CPU.

On a GPU a thread of its own gathers the next batches, pins them and starts their copies on a
stream beside the training's, so that neither waits for the other. On a CPU there is no copy to
hide, and a thread would only take the cores that train.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import fields, replace
from queue import Full, Queue
from typing import Any, TypeVar

import torch
from torch import Tensor

from data_pipeline.samples import Batch

AHEAD = 2  # batches copied before they are asked for
WAIT_S = 0.1  # between looks whether the other side has gone
AnyBatch = TypeVar("AnyBatch", bound=Batch)
Item = TypeVar("Item")


def delivered(batches: Iterator[AnyBatch], device: torch.device) -> Iterator[AnyBatch]:
    """Yield the batches on a device, in order; uint8 stays uint8."""
    if device.type == "cuda":
        return _copied_ahead(batches, device)
    if device.type == "cpu":
        return batches
    return (mapped(batch, lambda tensor: tensor.to(device)) for batch in batches)


def mapped(batch: AnyBatch, change: Callable[[Tensor], Tensor]) -> AnyBatch:
    """Return the batch with every tensor in it changed, whatever its fields."""
    return replace(
        batch,
        **{field.name: _mapped(getattr(batch, field.name), change) for field in fields(batch)},
    )


def ahead(items: Iterator[Item], count: int) -> Iterator[Item]:
    """Yield what a thread takes from an iterator, at most `count` items before they are used.

    The thread ends with the iterator, or when what is yielded here is not wanted any more. What
    it raises is raised here.
    """
    queue: Queue[tuple[bool, Any]] = Queue(count)
    is_unwanted = threading.Event()
    thread = threading.Thread(
        target=_fill, args=(items, queue, is_unwanted), daemon=True, name="loading ahead"
    )
    thread.start()
    try:
        while True:
            is_item, value = queue.get()
            if is_item:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        is_unwanted.set()
        thread.join()


def _fill(
    items: Iterator[Item], queue: "Queue[tuple[bool, Any]]", is_unwanted: threading.Event
) -> None:
    try:
        for item in items:
            if not _put(queue, (True, item), is_unwanted):
                return
        _put(queue, (False, None), is_unwanted)
    except BaseException as error:  # noqa: BLE001  # it is raised where the item was wanted
        _put(queue, (False, error), is_unwanted)
    finally:
        if isinstance(items, Generator):
            items.close()  # here and now, not when it happens to be collected


def _put(
    queue: "Queue[tuple[bool, Any]]", item: tuple[bool, Any], is_unwanted: threading.Event
) -> bool:
    while not is_unwanted.is_set():
        try:
            queue.put(item, timeout=WAIT_S)
        except Full:
            continue
        return True
    return False


def _copied_ahead(batches: Iterator[AnyBatch], device: torch.device) -> Iterator[AnyBatch]:
    beside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch types it not

    def copies() -> Iterator[tuple[AnyBatch, torch.cuda.Event]]:
        for batch in batches:
            pinned = mapped(batch, Tensor.pin_memory)
            with torch.cuda.stream(beside):
                copy = mapped(pinned, lambda tensor: tensor.to(device, non_blocking=True))
                done = torch.cuda.Event()  # type: ignore[no-untyped-call]  # nor this
                done.record(beside)
            yield copy, done

    def ready(tensor: Tensor) -> Tensor:
        # Its memory was taken on the other stream: not to be given away before this one is done.
        tensor.record_stream(torch.cuda.current_stream(device))
        return tensor

    for copy, done in ahead(copies(), AHEAD):
        torch.cuda.current_stream(device).wait_event(done)
        yield mapped(copy, ready)


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:  # noqa: ANN401
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and value and isinstance(value[0], Tensor):
        return tuple(change(each) for each in value)
    return value
