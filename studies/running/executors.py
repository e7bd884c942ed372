"""Where trials may run, by the name that `launch --executor` takes.

Each builder imports what it needs when it is called: most launches need only one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from studies.running.devices import slots
from studies.running.inline_pool import InlinePool
from studies.running.local_pool import TORCH_PRELOAD, LocalPool
from studies.running.pool import Pool

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the trials of a launch run, and how many of them at a time."""

    executor: str = "local"  # a key of `EXECUTORS`
    workers: int | None = None  # trials at a time; None: as many as there are GPUs, or one
    processes: int = 1  # of one trial, a GPU each
    ray_address: str | None = None  # of a running cluster; None: as Ray itself looks for one


def _local(placement: Placement, needs_torch: bool, _: Say) -> Pool:
    return LocalPool(
        slots(placement.workers, placement.processes), TORCH_PRELOAD if needs_torch else ()
    )


def _inline(placement: Placement, _: bool, __: Say) -> Pool:
    return InlinePool(slots(placement.workers)[0])


def _ray(placement: Placement, needs_torch: bool, say: Say) -> Pool:
    # Lazy: an optional package that takes seconds to load.
    from studies.running.ray_cluster import open_ray_pool

    return open_ray_pool(placement, TORCH_PRELOAD if needs_torch else (), say)


PoolBuilder = Callable[[Placement, bool, Say], Pool]  # where, whether trials need torch
EXECUTORS: Mapping[str, PoolBuilder] = {
    "local": _local,
    "inline": _inline,
    "ray": _ray,
}
