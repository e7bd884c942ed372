"""A Ray task on some node of the cluster: it asks the coordinator for one trial and runs it.

    coordinator ──task (address, key)──► Ray ──► a node with room
                ◄────────── I am here ── task           knocks, see `ray_door`
                ── order, slot ────────► task           runs it as any trial process
                ◄────────── line ──────► trial          see `trial_line`

Which cell it gets is decided when it has its GPU, not while it waits for one in Ray's queue. A
process runs one trial and ends, so that all of the GPU's memory is given back.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Client, Connection

from studies.running.devices import visible_gpus
from studies.running.environment import source_hash
from studies.running.trial_process import run_trial

PROTOCOL_PACKAGES = ("models", "data_pipeline", "trackers", "studies")
KEEPALIVE_S = 10  # of silence on a connection, then a probe; after three lost ones it is dead
KEEPALIVE_PROBES = 3


@dataclass(frozen=True, slots=True)
class Knock:
    """How a task reaches its coordinator."""

    ticket: int
    address: tuple[str, int]
    key: bytes  # both sides prove that they know it


@dataclass(frozen=True, slots=True)
class Call:
    """What a task is told before it has a trial."""

    knock: Knock
    source: str  # hash of the coordinator's code
    uses_gpu: bool
    preload: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a task says when it is there."""

    ticket: int
    host: str
    gpu: str | None  # as in CUDA_VISIBLE_DEVICES; None: the CPU
    device: str  # for people: "cpu", "cuda:0 NVIDIA H200"


@dataclass(frozen=True, slots=True)
class OtherSource:
    """A task's reason to run nothing: its node has other code than the coordinator."""

    host: str
    source: str


def serve(call: Call) -> OtherSource | None:
    """Run the trial that the coordinator hands out, or none when it has none left."""
    source = source_hash(PROTOCOL_PACKAGES)
    if source != call.source:
        return OtherSource(socket.gethostname(), source)
    os.environ.update(call.environment)
    for module in call.preload:
        import_module(module)
    try:
        connection = Client(call.knock.address, authkey=call.knock.key)
    except OSError:
        return None  # the coordinator ended while this task waited
    with connection:
        tune(connection)
        connection.send(_arrival(call))
        try:
            order, slot = connection.recv()
        except (EOFError, OSError):
            return None  # nothing left to run
        run_trial(order, slot, connection)
    return None


def tune(connection: Connection) -> None:
    """Send small messages at once, and notice a machine that went away without a word."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):  # not everywhere
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)


def _arrival(call: Call) -> Arrival:
    host = socket.gethostname()
    if not call.uses_gpu:
        return Arrival(call.knock.ticket, host, None, "cpu")
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")  # as Ray leased it
    names = dict.fromkeys(name for _, name in visible_gpus())
    return Arrival(call.knock.ticket, host, gpu, " ".join([f"cuda:{gpu}", *names]))
