"""Trials of one process or several, run by a pool of their own on five generated pictures."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from studies.running.local_pool import TORCH_PRELOAD, LocalPool
from studies.running.pool import Asked, Exited
from studies.running.trial_order import Slot, TrialOrder

PATIENCE_S = 240.0


@dataclass(slots=True)
class RunTrial:
    """A trial that ended."""

    order: TrialOrder
    exit_code: int | None

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it wrote down."""
        lines = (self.order.folder / "events.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return its events of one name."""
        return [each for each in self.events if each["event"] == name]

    @property
    def end(self) -> dict[str, Any]:
        """Its last word."""
        return self.events[-1]


class Yard:
    """Makes orders, and runs them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pools: list[LocalPool] = []

    def order(
        self,
        name: str,
        *,
        earlier: tuple[Path, ...] = (),
        awaits_verdict: bool = False,
        batch_norm: bool = False,
        **training: Any,
    ) -> TrialOrder:
        """Return an order for a small U-Net."""
        fixed = {"learning_rate": 0.01, "batch_size": 4, "epochs": 2}
        settings: dict[str, Any] = {
            "data": {
                "dataset": "street_scenes",
                "images": 60,
                "classes": ["bus"],
                "image_size": 32,
                "limit": {"train": 9, "val": 7},  # the last batch of each is uneven
                "augment": ["horizontal_flip"],
            },
            "model": {"name": "unet", "base_channels": 4, "depth": 2, "batch_norm": batch_norm},
            "training": {**fixed, **training},
            "evaluation": {},
        }
        return TrialOrder(
            purpose="train",
            task="semantic_segmentation",
            cell=name,
            attempt=1,
            settings=settings,
            seed=0,
            objective="val/loss",
            maximize=False,
            scores_test=False,
            folder=self._folder / name,
            earlier_folders=earlier,
            micro_batch_divisor=1,
            weights=None,
            awaits_verdict=awaits_verdict,
        )

    def run(
        self,
        order: TrialOrder,
        processes: int,
        *,
        gpu: str | None = None,
        when_asked: Callable[[], str | None] = lambda: None,
    ) -> RunTrial:
        """Run an order to its end; `when_asked` gives the verdict after an epoch."""
        pool = LocalPool([Slot(0, gpu, "a slot", 1, processes=processes)], TORCH_PRELOAD)
        self._pools.append(pool)
        slot = pool.take()
        assert slot is not None
        pool.start(order, slot)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for signal in pool.wait(0.05):
                if isinstance(signal, Asked):
                    pool.answer(order.cell, when_asked())
                if isinstance(signal, Exited):
                    return RunTrial(order, signal.exit_code)
        raise TimeoutError(f"trial {order.cell} still runs; a process waits for another")

    def close(self) -> None:
        """End what still runs."""
        for pool in self._pools:
            pool.close()


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Return what makes and runs trials; all of a module share one forkserver and its caches."""
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VISIONSTUDY_WORKSPACE", str(folder))
        made = Yard(folder)
        yield made
        made.close()
