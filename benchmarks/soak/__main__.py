"""Soak a study: random faults for as long as it runs, then compare it with an undisturbed one.

    python -m benchmarks.soak                      200 trials, 4 workers, SQLite
    python -m benchmarks.soak --database postgresql
    python -m benchmarks.soak --executor ray

Prints every fault with its moment, then each claim with what was seen. Exit status 1: a claim did
not hold. A full disk is real, and so needs the right to mount one; without it that fault is left
out, and said so.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.soak.faults import FAULTS
from benchmarks.soak.ground import STUDY, Ground
from benchmarks.soak.postgres import start_postgres
from benchmarks.soak.verdict import claims

POLL_S = 0.1
RELAUNCH_AFTER_S = 1.0
SPARE_LAUNCHES = 2  # more than faults struck
QUIET_START_S = 8.0  # for the first trials to come up


def main() -> int:
    """Run both studies and print the verdict."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    postgres = start_postgres() if options.database == "postgresql" else None
    grounds = [
        Ground(folder / name, options.executor, options.workers, postgres)
        for name in ("calm", "soaked")
    ]
    try:
        seconds = []
        for ground in grounds:
            ground.prepare(_study(options))
            ground.bring_server_back()
            is_soaked = ground is grounds[1]
            moment = random.Random(options.seed) if is_soaked else None
            seconds.append(_run(ground, moment, options=options))
            ground.sync()
        held = _print_claims(grounds, options.trials, seconds)
    finally:
        for ground in grounds:
            ground.close()
        if postgres is not None:
            postgres.close()
    if held:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"kept for a look: {folder}")
    return 0 if held else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.soak")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--executor", choices=["local", "ray"], default="local")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--epoch-seconds", type=float, default=0.25)
    parser.add_argument("--every", type=float, default=6.0, help="mean seconds between faults")
    parser.add_argument("--seed", type=int, default=1, help="of the order and moments of faults")
    parser.add_argument("--only", nargs="*", choices=list(FAULTS), help="strike with these alone")
    return parser.parse_args()


def _study(options: argparse.Namespace) -> dict[str, Any]:
    rate = {"low": 1e-5, "high": 1e-1, "log": True}
    return {
        "study": STUDY,
        "task": "semantic_segmentation",
        "data": {"dataset": "none"},
        "model": {
            "name": "noop",
            "epoch_seconds": options.epoch_seconds,
            "optimum": {"learning_rate": 1e-3},
        },
        "training": {"epochs": options.epochs},
        "objective": {"metric": "val/iou"},
        "search": {
            "joint": {
                "space": {"training.learning_rate": rate},
                "sampler": "random",
                "trials": options.trials,
            }
        },
    }


def _run(ground: Ground, moment: random.Random | None, *, options: argparse.Namespace) -> float:
    """Launch until the study is finished; strike at random moments. Return the seconds."""
    started_at = time.monotonic()
    struck: Counter[str] = Counter()
    next_strike = started_at + QUIET_START_S
    ground.start_launch()
    while (code := _exit_code(ground)) != 0:
        if code is not None:
            _require_a_reason(ground, struck)
            ground.say(started_at, f"launch {ground.launches} ended with {code}; launched again")
            time.sleep(RELAUNCH_AFTER_S)
            ground.start_launch()
        ground.revive_server()
        if moment is not None and time.monotonic() >= next_strike:
            _strike(ground, moment, struck, options=options, started_at=started_at)
            next_strike = time.monotonic() + moment.expovariate(1 / options.every)
        time.sleep(POLL_S)
    seconds = time.monotonic() - started_at
    ground.say(started_at, f"finished after {ground.launches} launches; faults: {dict(struck)}")
    ground.bring_server_back()
    return seconds


def _require_a_reason(ground: Ground, struck: Counter[str]) -> None:
    """Give up on a study that ends although nothing struck it.

    Raises:
        RuntimeError: with the last lines that it printed.
    """
    if ground.launches > struck.total() + SPARE_LAUNCHES:
        lines = (ground.folder / f"launch-{ground.launches}.log").read_text().splitlines()
        raise RuntimeError("the study ends without a fault:\n" + "\n".join(lines[-20:]))


def _exit_code(ground: Ground) -> int | None:
    return None if ground.launch is None else ground.launch.poll()


def _strike(
    ground: Ground,
    moment: random.Random,
    struck: Counter[str],
    *,
    options: argparse.Namespace,
    started_at: float,
) -> None:
    """Strike with one of the faults that struck least so far."""
    names = options.only or list(FAULTS)
    least = min(struck[name] for name in names)
    name = moment.choice([each for each in names if struck[each] == least])
    done = FAULTS[name](ground, moment)
    if done is None:
        if reason := _left_out(name, ground):
            struck[name] += 1
            ground.say(started_at, f"{name}: left out, {reason}")
        return
    struck[name] += 1
    ground.say(started_at, done)


def _left_out(name: str, ground: Ground) -> str:
    """Say why a fault cannot strike here at all; "": it can."""
    if name == "disk full" and not ground.is_small_disk:
        return "since no disk could be mounted"
    if name == "PostgreSQL restart" and ground.postgres is None:
        return "since the databases are files"
    return ""


def _print_claims(grounds: list[Ground], trials: int, seconds: list[float]) -> bool:
    held = True
    for claim in claims(*grounds, trials=trials, seconds=(seconds[0], seconds[1])):
        held = held and claim.held
        print(f"{'held' if claim.held else 'NOT HELD':8}  {claim.text}: {claim.seen}")
    return held


if __name__ == "__main__":
    sys.exit(main())
