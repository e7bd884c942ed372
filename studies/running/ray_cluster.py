"""The Ray cluster behind a `RayPool`: the only module that speaks to Ray."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ray

from studies.running.devices import cpu_count
from studies.running.environment import source_hash
from studies.running.ray_node import PROTOCOL_PACKAGES, Call, Knock, OtherSource, serve
from studies.running.ray_pool import Ended, RayPool
from studies.running.ray_share import ClusterError, Node, Share, room, share_of

if TYPE_CHECKING:
    from studies.running.executors import Placement

LOOK_S = 2.0  # between looks at which nodes there are
REPEAT_S = 60.0  # before the user is told the same again
OBJECT_STORE_BYTES = 2**27  # of a cluster of our own: tasks return next to nothing
CRASHES_IN_A_ROW = 3  # of tasks before they had a trial; then something is wrong with all
NODE_LABEL = "ray.io/node-id"


def open_ray_pool(
    placement: "Placement", preload: Sequence[str], say: Callable[[str], None]
) -> RayPool:
    """Join a Ray cluster, or start one on this machine, and open a pool on it.

    Raises:
        ClusterError: there is no cluster at the address, or it cannot run a trial.
    """
    _join(placement.ray_address)
    try:
        whole = share_of(
            living_nodes(), workers=placement.workers, gpus_per_trial=placement.processes
        )
        share = replace(whole, processes=placement.processes)
        tasks = RayTasks(share, tuple(preload), limit=placement.workers, say=say)
        ip: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        return RayPool(tasks, share, ip)
    except BaseException:
        ray.shutdown()
        raise


def living_nodes() -> list[Node]:
    """Return the machines of the cluster that are up."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [
        Node(
            id=node["NodeID"],
            host=node["NodeManagerHostname"],
            cpus=node["Resources"].get("CPU", 0.0),
            gpus=node["Resources"].get("GPU", 0.0),
        )
        for node in nodes
        if node["Alive"]
    ]


class RayTasks:
    """Tasks that each take one share of a node; the `Tasks` of a `RayPool`."""

    def __init__(
        self,
        share: Share,
        preload: tuple[str, ...],
        *,
        limit: int | None,
        say: Callable[[str], None],
    ) -> None:
        self._share = share
        self._preload = preload
        self._limit = limit
        self._say = say
        self._source = source_hash(PROTOCOL_PACKAGES)
        self._refs: dict[int, ray.ObjectRef[OtherSource | None]] = {}
        self._refused: dict[str, str] = {}  # node id -> host
        self._nodes: list[Node] = []
        self._looked_at = 0.0
        self._crashes = 0
        self._said: tuple[str, float] = ("", 0.0)

    def room(self) -> int:
        """Return how many tasks to have; without a limit what the cluster holds just now."""
        return room(self._usable(), self._share) if self._limit is None else self._limit

    def submit(self, knock: Knock, tell: Callable[[Ended], None]) -> None:
        """Queue a task; `tell` is called from another thread when it is over."""
        call = Call(
            knock=knock,
            source=self._source,
            uses_gpu=self._share.gpus > 0,
            preload=self._preload,
            environment={
                name: value for name, value in os.environ.items() if name.startswith("VISIONSTUDY")
            },
        )
        ref = ray.remote(**self._options())(serve).remote(call)
        self._refs[knock.ticket] = ref

        def over(future: "Future[OtherSource | None]") -> None:
            self._refs.pop(knock.ticket, None)
            error = future.exception()
            tell(Ended(knock.ticket, error, None if error else future.result()))

        ref.future().add_done_callback(over)

    def kill(self, ticket: int) -> None:
        """End a task at once; one that is over stays as it is."""
        if ref := self._refs.get(ticket):
            ray.cancel(ref, force=True)

    def take_in(self, ended: Ended, *, had_trial: bool) -> None:
        """Learn from how a task ended.

        Raises:
            ClusterError: no node can run a trial.
        """
        if isinstance(ended.answer, OtherSource):
            self._refuse(ended.answer)
        elif had_trial or ended.error is None:
            self._crashes = 0
        elif not isinstance(ended.error, ray.exceptions.TaskCancelledError):
            self._crashes += 1
            if self._crashes == CRASHES_IN_A_ROW:
                raise ClusterError(
                    f"a task on the cluster must start, got {CRASHES_IN_A_ROW} in a row that did "
                    f"not; is visionstudy installed on every node? {ended.error}"
                ) from ended.error

    def say_waiting(self, count: int) -> None:
        """Tell the user, now and then, what tasks that do not start wait for."""
        has = ray.cluster_resources()  # type: ignore[no-untyped-call]
        free = ray.available_resources()  # type: ignore[no-untyped-call]
        unit = "GPU" if self._share.gpus else "CPU"
        self._say_once(
            f"{count} more trials wait for a slot: each takes {self._share} of one node; "
            f"{free.get(unit, 0.0):g} of {has.get(unit, 0.0):g} {unit}s in "
            f"{len(self._usable())} nodes are free"
        )

    def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        ray.shutdown()

    def _usable(self) -> list[Node]:
        now = time.monotonic()
        if not self._looked_at or now - self._looked_at > LOOK_S:
            self._nodes, self._looked_at = living_nodes(), now
        return [node for node in self._nodes if node.id not in self._refused]

    def _options(self) -> dict[str, Any]:
        """Return what Ray is to do: a process per task, and no retries, which are ours."""
        options: dict[str, Any] = {
            "num_cpus": self._share.cpus,
            "num_gpus": self._share.gpus,
            "max_calls": 1,
            "max_retries": 0,
        }
        if self._refused:
            options["label_selector"] = {NODE_LABEL: f"!in({','.join(self._refused)})"}
        return options

    def _refuse(self, node: OtherSource) -> None:
        """Use a machine with other code no more: its results would be of another program."""
        self._looked_at = 0.0
        fresh = [each.id for each in self._usable() if each.host == node.host]
        if fresh:
            self._refused |= dict.fromkeys(fresh, node.host)
            self._say(
                f"{node.host} is not used: its visionstudy has source {node.source}, this one "
                f"{self._source}; install the same version there"
            )
        if not self._usable():
            raise ClusterError(
                f"a node must have the coordinator's source {self._source}, none has; install the "
                f"same version on {', '.join(sorted(set(self._refused.values())))}"
            )

    def _say_once(self, text: str) -> None:
        now = time.monotonic()
        if text != self._said[0] or now - self._said[1] > REPEAT_S:
            self._say(text)
            self._said = text, now


def _join(address: str | None) -> None:
    """Connect to a cluster: the named one, else the one on this machine, else one of our own."""
    wanted = address or os.environ.get("RAY_ADDRESS")
    if wanted and wanted.startswith("ray://"):
        raise ClusterError(
            f"a coordinator must run on a node of its cluster, got the remote address {wanted}; "
            "launch there, with --ray-address auto"
        )
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if wanted != "local":
        try:
            ray.init(address=wanted or "auto", **quiet)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            if wanted or not isinstance(error, ConnectionError):
                raise ClusterError(
                    f"a Ray cluster must answer at {wanted or 'this machine'}, got {error}"
                ) from error
        else:
            return
    ray.init(
        address="local",
        num_cpus=cpu_count(),
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        **quiet,
    )
