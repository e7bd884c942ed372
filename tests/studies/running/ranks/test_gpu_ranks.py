"""Slots pin their GPUs, and ranks with a GPU each end as one process does."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from studies.running.devices import visible_gpus

pytestmark = pytest.mark.gpu
TOLERANCE = 1e-4  # kernels choose their own order of adding up
MOST_GPUS = 4


def test_slot_pins_its_gpu() -> None:
    identifier, name = visible_gpus()[-1]
    code = (
        "from studies.running.slot_use import use_slot; "
        "from studies.running.trial_order import Slot; "
        f"use_slot(Slot(0, {identifier!r}, 'a slot', 1)); "
        "import torch; print(torch.cuda.device_count(), torch.cuda.get_device_name(0))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == f"1 {name}"


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("count", range(1, MOST_GPUS + 1))
def test_ranks_with_a_gpu_each_end_as_one(yard: Any, count: int, batch_norm: bool) -> None:
    gpus = [identifier for identifier, _ in visible_gpus()]
    if count > len(gpus):
        pytest.skip(f"{count} ranks need as many GPUs, got {len(gpus)}")
    # A multiple of the ranks, and an uneven batch at the end of nine images.
    training = {"batch_size": count, "batch_norm": batch_norm}
    alone = yard.run(yard.order(f"alone-{count}-{batch_norm}", **training), 1, gpu=gpus[0])

    order = yard.order(f"together-{count}-{batch_norm}", **training)
    together = yard.run(order, count, gpu=",".join(gpus[:count]))

    (effective,) = together.named("effective")
    assert effective["processes"] == count
    assert effective["device"].startswith("cuda:0")
    for one, other in zip(alone.named("epoch"), together.named("epoch"), strict=True):
        assert other["metrics"]["val/loss"] == pytest.approx(
            one["metrics"]["val/loss"], abs=TOLERANCE
        )
    mine, theirs = (
        torch.load(trial.order.folder / trial.end["files"]["weights"], weights_only=True)
        for trial in (alone, together)
    )
    for name in mine:
        torch.testing.assert_close(
            mine[name], theirs[name], rtol=0, atol=TOLERANCE, check_device=False
        )
