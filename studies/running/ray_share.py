"""What a trial takes of a Ray cluster, and how many trials it holds; knows no Ray."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SMALLEST_SHARE = 10_000  # Ray counts in 1/10,000 of a resource


class ClusterError(RuntimeError):
    """The Ray cluster is not there, or cannot run the trials of this launch."""


@dataclass(frozen=True, slots=True)
class Node:
    """A living machine of the cluster."""

    id: str
    host: str
    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class Share:
    """What one trial takes, all on one node."""

    cpus: float
    gpus: float  # below 1: trials have a GPU in common
    processes: int = 1  # that train a trial together, each with a GPU where there is any

    @property
    def threads(self) -> int:
        """Return the threads of a trial."""
        return max(1, int(self.cpus))

    def __str__(self) -> str:
        cpus = f"{self.cpus:g} CPU" + ("" if self.cpus == 1 else "s")
        gpus = f"{self.gpus:g} GPU" + ("" if self.gpus == 1 else "s")
        return f"{gpus} and {cpus}" if self.gpus else cpus


def share_of(nodes: Sequence[Node], *, workers: int | None, gpus_per_trial: int) -> Share:
    """Return what each of `workers` trials at a time may take; None: one per GPU, or per node.

    The cores of a node are divided among the trials that it holds. More workers than GPUs share
    them, as many trials on each.

    Raises:
        ClusterError: no node can run a trial.
    """
    gpus = sum(int(node.gpus) for node in nodes)
    if not gpus:
        return _cpu_share(nodes, workers)
    largest = max(nodes, key=lambda node: node.gpus)
    if gpus_per_trial > largest.gpus:
        raise ClusterError(
            f"a trial on {gpus_per_trial} GPUs needs one node that has them; the largest, "
            f"{largest.host}, has {largest.gpus:g}: lower --processes-per-trial"
        )
    on_one = math.ceil((workers or 1) / gpus) if gpus_per_trial == 1 else 1
    per_trial = _floor(1 / on_one) if on_one > 1 else float(gpus_per_trial)
    holds = [(node, _trials_on_gpus(node, per_trial)) for node in nodes]
    return Share(_floor(min(node.cpus / count for node, count in holds if count)), per_trial)


def room(nodes: Sequence[Node], each: Share) -> int:
    """Return how many trials the nodes hold at a time."""
    total = 0
    for node in nodes:
        by_cpus = int(node.cpus / each.cpus) if each.cpus else math.inf
        by_gpus = _trials_on_gpus(node, each.gpus) if each.gpus else math.inf
        total += int(min(by_cpus, by_gpus))
    return total


def _cpu_share(nodes: Sequence[Node], workers: int | None) -> Share:
    usable = [node for node in nodes if node.cpus >= 1]  # a head may have none to give
    if not usable:
        raise ClusterError(
            "a Ray cluster must have a living node with a CPU or a GPU to give, got "
            f"{len(nodes)} nodes without; see `ray status`"
        )
    on_each = math.ceil((workers or 1) / len(usable))
    return Share(_floor(min(node.cpus for node in usable) / on_each), 0.0)


def _trials_on_gpus(node: Node, gpus: float) -> int:
    """Return how many trials a node's GPUs hold; none has parts of two."""
    return int(node.gpus) * int(1 / gpus) if gpus < 1 else int(node.gpus // gpus)


def _floor(value: float) -> float:
    """Round down to what Ray can count, so that all shares together are no more than there is."""
    return math.floor(value * SMALLEST_SHARE) / SMALLEST_SHARE
