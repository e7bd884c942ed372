"""How long until a trial's process could begin: ours, and one that is spawned.

    PYTHONPATH=. python benchmarks/process_start.py [REPEATS]

A program of its own: whatever a main module imports, every new process imports again.
"""

import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing.context import BaseContext

PRELOAD = ("studies.running.trial_process",)
METHODS = ("forkserver", "spawn")  # ours, and the other


def main() -> None:
    """Print the median seconds of both as JSON."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    print(json.dumps({method: process_start_s(method, repeats) for method in METHODS}))


def process_start_s(method: str, repeats: int) -> float:
    """Return the median seconds until a trial process could begin: our imports are done."""
    context: BaseContext = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(list(PRELOAD))
    _start(context)  # the fork server itself starts once per launch
    return statistics.median(_start(context) for _ in range(repeats))


def _start(context: BaseContext) -> float:
    started = time.perf_counter()
    process = context.Process(target=_import_trial)  # type: ignore[attr-defined]
    process.start()
    process.join()
    return time.perf_counter() - started


def _import_trial() -> None:
    import studies.running.trial_process  # noqa: F401  # what a trial process needs first


if __name__ == "__main__":
    main()
