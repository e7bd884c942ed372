"""The most memory that a training step takes, against what the allocator hands out."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from models.peak_memory import MIB, LiveStorages, step_peaks
from models.segmentation.settings import UNetSettings
from models.workbench import set_up


def test_storages_count_as_long_as_a_tensor_holds_them() -> None:
    held = torch.zeros(100)
    with LiveStorages([held, held[:10]]) as counter:
        assert counter.peak_bytes == 400, "a view is no storage of its own"
        kept = held + 1
        (kept * 2).sum()
        del kept
        torch.zeros(50)
    assert counter.peak_bytes == 400 + 400 + 400 + 4


def test_count_of_a_step_is_near_what_the_allocator_hands_out(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    network = UNetSettings(base_channels=8, depth=3)
    cell = attempts(network, {"batch_size": 4}, data=tiny_data(count=4, size=64))
    bench = set_up(cell.session())
    batch = next(iter(bench.data.training(4).epoch(1)))
    (counted,) = step_peaks(bench, [batch])

    held = [*bench.model.parameters(), *bench.model.buffers()]
    state = [value for slot in bench.optimizer.state.values() for value in slot.values()]
    before = sum(each.untyped_storage().nbytes() for each in (*held, *state))
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        result = bench.task.training_step(bench.network, batch)
        bench.fabric.backward(result.loss)
        bench.stepper.step()
        bench.stepper.zero_grad()
    most = now = 0
    for event in watched.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    handed_out = (before + most) / MIB
    assert 0.8 * handed_out < counted < handed_out


def test_a_step_grows_by_as_much_for_each_image(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    cell = attempts(UNetSettings(base_channels=8, depth=2), data=tiny_data(count=8, size=64))
    bench = set_up(cell.session())
    batch = next(iter(bench.data.training(8).epoch(1)))
    parts = [bench.task.split_batch(batch, cut)[0] for cut in (8, 4, 2, 1)]
    one, two, four, eight = step_peaks(bench, parts)
    assert two > one
    assert four == pytest.approx(one + 3 * (two - one), rel=0.05)
    assert eight == pytest.approx(one + 7 * (two - one), rel=0.05)
