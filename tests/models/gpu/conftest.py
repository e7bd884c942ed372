"""The thesis's models on a GPU, on random batches; and ranks that each have a GPU."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from benchmarks.gpu_loads import Load, loads, random_batches, session_of
from models.determinism import seed_everything
from models.stepping import take_step
from models.workbench import Workbench, set_up

Gradients = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _clean_device() -> Iterator[None]:
    """Give memory back, and leave determinism as it was."""
    was = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(was)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = False, False
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@pytest.fixture
def small_load() -> Callable[[str], Load]:
    """Return the smallest load of a model, with two images or clips of it."""

    def find(model: str) -> Load:
        first = next(load for load in loads() if load.model == model)
        return replace(first, batch=2)

    return find


@pytest.fixture
def first_step() -> Callable[..., tuple[float, dict[str, torch.Tensor]]]:
    """Return what takes one training step; returns the loss and the weights after it."""

    def run(load: Load, precision: str = "32-true") -> tuple[float, dict[str, torch.Tensor]]:
        session = session_of(load, precision=precision, deterministic=True)
        bench: Workbench = set_up(session)
        seed_everything(1)  # of dropout and sampled regions
        (batch,) = random_batches(load, 1)
        result = bench.task.training_step(bench.network, bench.task.to_device(batch, bench.device))
        bench.fabric.backward(result.loss)
        take_step(bench, session.training)
        state: dict[str, Any] = bench.model.state_dict()
        return float(result.loss.detach()), {name: value.cpu() for name, value in state.items()}

    return run
