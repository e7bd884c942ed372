"""What a trial costs beside its training: our engine and others, 20 reports per trial.

    PYTHONPATH=. python benchmarks/orchestration.py [--quick] [--earlier 0 1000 5000]

At each number of earlier trials, which really are in the databases, every contender runs blocks
of trials in turn, and the median block counts: a machine that is busy is busy for all. Ours is a
launch with ledger, Optuna's copy and MLflow, trials inline, until all of them hold everything;
what a launch does once (opening, planning, the report) stands on a line of its own. Optuna's copy
holds the result of a trial, and its 20 values are in the event log and in MLflow; the pair logs
to MLflow what ours has there of each step. No contender but ours can go on after a crash: the
scripted trainer writes one checkpoint, at its end.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna

from benchmarks.own_launch import OwnLaunch
from benchmarks.peers import SPACE, BareOptuna, Contender, OptunaAndMlflow, RayTune
from trackers.mlflow_client import configure_mlflow

MOST_OF_PAIR, MOST_OF_OPTUNA, MOST_OF_SPAWN = 0.35, 1.2, 0.5  # what we promise
FLAT = 1.25  # the slowest size beside the fastest
PROCESSOR = ", processor"  # its time, which others on the machine lengthen less
PROCESS_START = Path(__file__).with_name("process_start.py")
Seconds = dict[str, float]  # contender -> median seconds per trial; beside it of the processor


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table per number of earlier trials, then which promises held."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test: tiny, without Ray")
    parser.add_argument("--earlier", type=int, nargs="+", default=[0, 1000, 5000])
    parser.add_argument("--blocks", type=int, default=5, help="of each contender, in turn")
    parser.add_argument("--trials", type=int, default=10, help="per block")
    parser.add_argument("--without-ray", action="store_true")
    given = parser.parse_args(arguments)
    configure_mlflow()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore")  # of contenders, which are used as they are
    sizes = [0, 3] if given.quick else given.earlier
    blocks, trials = (1, 2) if given.quick else (given.blocks, given.trials)
    measured: dict[int, Seconds] = {}
    for earlier in sizes:
        with tempfile.TemporaryDirectory(prefix="orchestration-") as folder:
            measured[earlier] = compare(
                Path(folder),
                earlier,
                blocks=blocks,
                trials=trials,
                with_ray=not (given.quick or given.without_ray),
            )
    _print_sizes(measured)
    starts = process_starts_s(2 if given.quick else 9)
    ours, spawned = starts["forkserver"], starts["spawn"]
    print(f"\nstart of a trial process: ours {ours * 1e3:.0f} ms, spawned {spawned * 1e3:.0f} ms")
    for earlier in sizes:
        print(f"TPE's own suggestion after {earlier} trials: {suggestion_s(earlier) * 1e3:.1f} ms")
    _print_promises(measured, start_ratio=ours / spawned)


def compare(folder: Path, earlier: int, *, blocks: int, trials: int, with_ray: bool) -> Seconds:
    """Return the median seconds per trial of each contender, at a number of earlier trials."""
    others: list[Contender] = [
        BareOptuna(None, earlier),
        BareOptuna(folder / "optuna", earlier),
        OptunaAndMlflow(folder / "pair", earlier),
    ]
    if with_ray:
        others.append(RayTune(folder / "ray", earlier))
    taken: dict[str, list[float]] = {each.name: [] for each in others}

    def between() -> None:
        for each in others:
            busy_s = time.process_time()
            taken[each.name].append(each.run(trials))
            computed = (time.process_time() - busy_s) / trials
            taken.setdefault(each.name + PROCESSOR, []).append(computed)

    own = OwnLaunch(folder / "own", earlier)
    started = time.perf_counter()
    pace = own.run(blocks + 1, trials, between)
    once_s = pace.first_at - started + time.perf_counter() - pace.last_at
    once = f"what a launch of ours does once takes {once_s:.1f} s"
    print(f"{earlier} earlier trials: {once}", flush=True)
    taken[own.name] = pace.blocks
    taken[own.name + PROCESSOR] = pace.busy_blocks
    # The first block of each still imports and connects.
    return {name: statistics.median(each[1:]) for name, each in taken.items()}


def process_starts_s(repeats: int) -> dict[str, float]:
    """Return the median seconds until a trial process could begin, by method."""
    command = [sys.executable, str(PROCESS_START), str(repeats)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(printed))


def suggestion_s(earlier: int, repeats: int = 5) -> float:
    """Return the median seconds that TPE takes for a proposal; nobody else is in the way."""
    sampler = optuna.samplers.TPESampler(seed=0, multivariate=True, constant_liar=True)
    study = optuna.create_study(sampler=sampler)
    random = optuna.samplers.RandomSampler(seed=0)
    filled = optuna.create_study(sampler=random)
    for number in range(earlier):
        filled.tell(filled.ask(SPACE), number % 7)
    study.add_trials(filled.get_trials(deepcopy=False))
    return statistics.median(_timed(lambda: study.ask(SPACE)) for _ in range(repeats))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _print_sizes(measured: dict[int, Seconds]) -> None:
    """Print milliseconds per trial, a line per contender."""
    names = list(next(iter(measured.values())))
    print("\nms per trial, after so many earlier trials")
    print(f"{'':44}" + "".join(f"{earlier:>10,}" for earlier in measured))
    for name in names:
        values = "".join(f"{each[name] * 1e3:10.1f}" for each in measured.values())
        print(f"{name:44}{values}")


def _print_promises(measured: dict[int, Seconds], *, start_ratio: float) -> None:
    """Print each ratio that we promise, and whether it held."""
    own = [each[OwnLaunch.name] for each in measured.values()]
    for earlier, each in measured.items():
        ours = each[OwnLaunch.name]
        _say(f"ours / pair, {earlier}", ours / each[OptunaAndMlflow.name], MOST_OF_PAIR)
        _say(f"ours / Optuna SQLite, {earlier}", ours / each["Optuna SQLite"], MOST_OF_OPTUNA)
        computed = each[OwnLaunch.name + PROCESSOR] / each["Optuna SQLite" + PROCESSOR]
        _say(f"the same, processor time, {earlier}", computed, MOST_OF_OPTUNA)
    _say("ours, slowest / fastest size", max(own) / min(own), FLAT)
    _say("process start, ours / spawned", start_ratio, MOST_OF_SPAWN)


def _say(what: str, ratio: float, most: float) -> None:
    verdict = "held" if ratio <= most else "NOT held"
    print(f"{what:36} {ratio:6.2f}  (at most {most:g}: {verdict})")


if __name__ == "__main__":
    main()
