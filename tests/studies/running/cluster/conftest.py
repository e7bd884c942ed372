"""A Ray cluster on this machine, with GPUs that are only counted, and pools on it."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studies.running.pool import Exited, Signal
from studies.running.ray_pool import RayPool
from studies.running.ray_share import Share
from studies.running.trial_order import Slot, TrialOrder

ray_cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs the ray extra")

FIRST_NODE = {"num_cpus": 2, "num_gpus": 2, "object_store_memory": 80_000_000}
TIMEOUT_S = 90.0  # a guard, no expectation
OpenPool = Callable[..., RayPool]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Return a cluster of one node; a test that adds one takes it away again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # Ray reads it once; it may be imported already
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))
        cluster = ray_cluster_utils.Cluster(
            initialize_head=True, head_node_args={**FIRST_NODE, "include_dashboard": False}
        )
        yield cluster
        cluster.shutdown()


@pytest.fixture
def open_pool(cluster: Any) -> Iterator[OpenPool]:
    """Return a function that opens a pool of tasks with a share each; they are closed."""
    import ray  # where there is a cluster there is Ray

    from studies.running.ray_cluster import RayTasks

    opened: list[RayPool] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def build(share: Share, limit: int, say: Callable[[str], None] = print) -> RayPool:
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        pool = RayPool(RayTasks(share, (), limit=limit, say=say), share, "127.0.0.1")
        opened.append(pool)
        return pool

    yield build
    for pool in opened:
        pool.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def take_all() -> Callable[[RayPool, int], list[Slot]]:
    """Return a function that waits until so many slots are free, and returns them."""

    def take(pool: RayPool, count: int) -> list[Slot]:
        deadline = time.monotonic() + TIMEOUT_S
        slots: list[Slot] = []
        while len(slots) < count:
            assert time.monotonic() < deadline
            slot = pool.take(count - len(slots))
            if slot is None:
                pool.wait(0.1)
            else:
                slots.append(slot)
        return slots

    return take


@pytest.fixture
def follow() -> Callable[[RayPool, str], list[Signal]]:
    """Return a function that waits for a trial's exit, and returns all that it said."""

    def wait(pool: RayPool, cell: str) -> list[Signal]:
        deadline = time.monotonic() + TIMEOUT_S
        heard: list[Signal] = []
        while not any(isinstance(each, Exited) and each.cell == cell for each in heard):
            assert time.monotonic() < deadline
            heard.extend(pool.wait(0.1))
        return heard

    return wait


@pytest.fixture
def make_order(tmp_path: Path) -> Callable[..., TrialOrder]:
    """Return a function that makes an order for the scripted trainer."""

    def make(cell: str, *, epochs: int = 2, awaits_verdict: bool = False) -> TrialOrder:
        return TrialOrder(
            purpose="train",
            task="semantic_segmentation",
            cell=cell,
            attempt=1,
            settings={
                "data": {"dataset": "none"},
                "model": {"name": "noop"},
                "training": {"epochs": epochs},
                "evaluation": {},
            },
            seed=0,
            objective="val/iou",
            maximize=True,
            scores_test=False,
            folder=tmp_path / f"{cell}-1",
            earlier_folders=(),
            micro_batch_divisor=1,
            weights=None,
            awaits_verdict=awaits_verdict,
        )

    return make
