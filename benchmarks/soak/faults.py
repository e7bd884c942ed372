"""What goes wrong in a soak: each fault is a function that strikes once.

It returns a sentence of what it did, or None where there was nothing to strike.
"""

import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.soak.ground import Ground

SUSPENDED_S = 8.0
FULL_DISK_S = 4.0
CLOCK_JUMPS_S = (-7200.0, 7200.0)
OUTAGES_S = (0.0, 20.0, 60.0)
BALLAST = "ballast"
BALLAST_BLOCK = 1 << 20  # bytes
Strike = Callable[[Ground, random.Random], str | None]


def _signal_trial(number: signal.Signals) -> Strike:
    def strike(ground: Ground, moment: random.Random) -> str | None:
        trials = sorted(ground.trials().items())
        if not trials:
            return None
        folder, pid = moment.choice(trials)
        return f"{number.name} to trial {folder.name}" if ground.send(pid, number) else None

    return strike


def _signal_coordinator(number: signal.Signals) -> Strike:
    def strike(ground: Ground, _moment: random.Random) -> str | None:
        launch = ground.launch
        if launch is None or launch.poll() is not None:
            return None
        launch.send_signal(number)
        return f"{number.name} to the coordinator"

    return strike


def _suspend_trial(ground: Ground, moment: random.Random) -> str | None:
    trials = sorted(ground.trials().items())
    if not trials:
        return None
    folder, pid = moment.choice(trials)
    if not ground.send(pid, signal.SIGSTOP):
        return None
    time.sleep(SUSPENDED_S)
    ground.send(pid, signal.SIGCONT)
    return f"trial {folder.name} was suspended for {SUSPENDED_S:g} s"


def _suspend_coordinator(ground: Ground, _moment: random.Random) -> str | None:
    launch = ground.launch
    if launch is None or launch.poll() is not None:
        return None
    launch.send_signal(signal.SIGSTOP)
    time.sleep(SUSPENDED_S)
    launch.send_signal(signal.SIGCONT)
    return f"the coordinator was suspended for {SUSPENDED_S:g} s"


def _truncate_checkpoint(ground: Ground, moment: random.Random) -> str | None:
    """Kill a trial, and cut its newest checkpoint in half."""
    trials = sorted(ground.trials().items())
    if not trials:
        return None
    folder, pid = moment.choice(trials)
    files = sorted(folder.glob("checkpoint-*.ckpt"))
    if not files or not ground.send(pid, signal.SIGKILL):
        return None
    newest = sorted(folder.glob("checkpoint-*.ckpt"))[-1]
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2])
    cut_list = ground.folder / "truncated"
    with cut_list.open("a") as stream:
        stream.write(f"{folder.name}\n")
    return f"{newest.name} of trial {folder.name} was cut in half, its trial killed"


def _fill_disk(ground: Ground, _moment: random.Random) -> str | None:
    if not ground.is_small_disk:
        return None
    ballast = ground.runs / BALLAST
    try:
        with ballast.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"\0" * BALLAST_BLOCK)
    except OSError:
        time.sleep(FULL_DISK_S)
    ballast.unlink(missing_ok=True)
    return f"the disk was full for {FULL_DISK_S:g} s"


def _shift_clock(ground: Ground, moment: random.Random) -> str | None:
    shift = moment.choice(CLOCK_JUMPS_S)
    ground.clock_file.write_text(str(float(ground.clock_file.read_text()) + shift))
    return f"the clock jumped by {shift:+g} s"


def _restart_postgres(ground: Ground, _moment: random.Random) -> str | None:
    if ground.postgres is None:
        return None
    ground.postgres.stop()
    ground.postgres.start()
    return "PostgreSQL crashed and came back"


def _end_server(outage_s: float) -> Strike:
    def strike(ground: Ground, _moment: random.Random) -> str | None:
        if ground.server is None:
            return None
        ground.stop_server()
        ground.server_back_at = time.monotonic() + outage_s
        return f"the MLflow server was killed for {outage_s:g} s"

    return strike


def truncated_folders(ground: Ground) -> set[str]:
    """Return the trial folders whose newest checkpoint was cut."""
    file = Path(ground.folder / "truncated")
    return set(file.read_text().split()) if file.exists() else set()


FAULTS: Mapping[str, Strike] = {
    **{
        f"trial {number.name}": _signal_trial(number)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    },
    **{
        f"coordinator {number.name}": _signal_coordinator(number)
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    },
    "trial suspended": _suspend_trial,
    "coordinator suspended": _suspend_coordinator,
    "checkpoint truncated": _truncate_checkpoint,
    "disk full": _fill_disk,
    "clock jump": _shift_clock,
    "PostgreSQL restart": _restart_postgres,
    **{f"MLflow down {outage_s:g} s": _end_server(outage_s) for outage_s in OUTAGES_S},
}
