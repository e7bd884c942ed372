"""Batches cut into micro-batches and moved, whatever frozen dataclasses of b entries each."""

from dataclasses import fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

BatchT = TypeVar("BatchT")


def pieces(batch: BatchT, parts: int) -> list[BatchT]:
    """Cut a batch into at most `parts` micro-batches of as equal size as can be."""
    entries = _entries(batch)
    count = len(next(iter(entries.values())))
    size = -(-count // parts)
    return [
        _changed(batch, {name: each[start : start + size] for name, each in entries.items()})
        for start in range(0, count, size)
    ]


def on_device(batch: BatchT, device: torch.device) -> BatchT:
    """Move the tensors of a batch."""
    tensors = {name: each for name, each in _entries(batch).items() if isinstance(each, Tensor)}
    return _changed(batch, {name: each.to(device) for name, each in tensors.items()})


def _entries(batch: object) -> dict[str, Any]:
    names = [field.name for field in fields(batch)]  # type: ignore[arg-type]  # as in `_changed`
    return {name: getattr(batch, name) for name in names}


def _changed(batch: BatchT, changes: dict[str, Any]) -> BatchT:
    """Copy the batch; a Protocol, as tasks know batches by, cannot ask for a dataclass."""
    return replace(batch, **changes)  # type: ignore[type-var]
