"""Before a trial starts: which cells fit on this machine's GPU?

Asked where cells differ in what their steps take; what was found by an earlier launch, or by
`visionstudy plan --memory`, is not measured again. A cell that does not fit whatever its
micro-batch is tried all the same: it ends as infeasible, which its stage has to know.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from studies.running.forecast import Forecast
from studies.running.memory import distinct, find_memory, gpu_mb
from studies.running.progress import View
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings
from studies.tree.ledger import Ledger
from trackers.memory_fit import telling_settings
from trackers.memory_records import MIB_PER_GB, MemoryRecord

LEAST = 2  # of what differs, or there is nothing to compare


def check_memory(
    spec: StudySpec,
    folder: Path,
    view: View,
    *,
    planned: Callable[[], Iterable[CellSettings]],
) -> None:
    """Find what the cells' steps take, if this machine has a GPU, and say what does not fit.

    Args:
        spec: The study.
        folder: Of the study, where it is kept.
        view: Where it is said.
        planned: Returns the settings of cells that are known; called where there is a GPU.
    """
    room = gpu_mb(None)
    if room is None:
        return
    cells = list(planned()) or [base_settings(spec)]  # a sampler has proposed none yet
    batches = {each.training.batch_size for each in cells}
    if not distinct(cells) or len(distinct(cells)) * len(batches) < LEAST:
        return
    view.say("finding which cells fit on the GPU ...")
    records, problems = find_memory(spec.task, cells, folder)
    _say(view, records, problems, room)


def planned_settings(
    plan: Callable[..., Forecast], ledger: Ledger, study: str
) -> list[CellSettings]:
    """Return the settings of cells that will be trained, as far as they are known.

    Args:
        plan: `studies.running.forecast.forecast` of the study, without what the ledger holds.
        ledger: With its results and proposals.
        study: Its name.
    """
    results, proposals = ledger.results(study), ledger.proposals(study)
    found = plan(results, timed=None, workers=1, proposals=proposals)
    return [row.cell.settings for row in found.rows if row.needs_trial]


def _say(
    view: View, records: Sequence[MemoryRecord], problems: Sequence[str], room: float
) -> None:
    for problem in problems:
        view.say(f"memory not found: {problem}; trials find out by themselves")
    for record, told in zip(records, telling_settings(records), strict=True):
        name = ", ".join(f"{path} {value}" for path, value in told.items()) or "every cell"
        for batch in record.batch_sizes:
            divisor = record.divisor(batch, room)
            if divisor is None:
                need = f"{record.need_mb(1) / MIB_PER_GB:.1f} of {room / MIB_PER_GB:.1f} GB"
                view.say(f"{name}: does not fit on the GPU, a single image takes {need}")
            elif divisor > 1:
                view.say(f"{name}: batch {batch} is cut into micro-batches to fit on the GPU")
