"""Before a trial starts: will a search leave workers idle that it was given?"""

from collections.abc import Iterator

from studies.running.devices import slots
from studies.running.executors import Placement
from studies.search.samplers import FORESEEABLE
from studies.spec.schema import StudySpec
from studies.tree.replicates import replicate_count
from studies.tree.stages import stages_of


def idle_warnings(spec: StudySpec, placement: Placement) -> Iterator[str]:
    """Yield a sentence for each search that waits for results before it fills every worker."""
    workers = _workers(placement)
    branches = 1  # that a stage inherits, at most
    for stage in stages_of(spec):
        busy = stage.rules.ahead * replicate_count(spec) * len(stage.groups) * branches
        if stage.sampler is not None and stage.sampler not in FORESEEABLE and busy < workers:
            each = -(-workers * stage.rules.ahead // busy)
            yield (
                f"warning: stage '{stage.name}' runs at most {busy} trials at a time, and there "
                f"are {workers} workers: its sampler waits for results; parallel: {each} in its "
                "search keeps all busy, and learns from each result later"
            )
        branches = stage.beam


def _workers(placement: Placement) -> int:
    """Return how many trials may run at a time; 0 where machines come and go."""
    if placement.executor == "inline":
        return 1
    if placement.executor == "ray":
        return placement.workers or 0
    return len(slots(placement.workers, placement.processes))
