"""What `visionstudy plan` compares a study with: its budget, and the memory of GPUs."""

from models.spending import Spent
from studies.running.budget_forecast import BudgetLine, CutCells, cut_cells, study_lines
from studies.running.costs import spent_by
from studies.running.devices import local_devices
from studies.running.forecast import Forecast
from studies.running.memory import find_memory
from studies.running.prices import price_of
from studies.running.workspace import WorkspaceFolder, open_ledger
from studies.spec.schema import StudySpec
from trackers.memory_records import MemoryRecord

Limits = tuple[tuple[BudgetLine, ...], tuple[CutCells, ...]]


def budget_limits(
    spec: StudySpec, forecast: Forecast, place: WorkspaceFolder, *, workers: int
) -> Limits:
    """Return what the plan takes of each limit of the study, and the cells that one would end.

    Raises:
        PriceError: `budget.prices` cannot be read, or `budget.provider` is nobody in it.
    """
    price = price_of(local_devices()[0], spec.budget)
    used, wall_s = Spent(), 0.0
    if place.has_ledger():
        ledger = open_ledger(place)
        try:
            row = ledger.study(spec.study)
            wall_s = row["wall_s"] if row is not None else 0.0
            used = spent_by(ledger.trials(spec.study))
        finally:
            ledger.close()
    lines = study_lines(spec, forecast, used=used, wall_s=wall_s, workers=workers, price=price)
    return lines, cut_cells(spec, forecast, price)


def memory_limits(
    spec: StudySpec, forecast: Forecast, place: WorkspaceFolder
) -> tuple[list[MemoryRecord], list[str]]:
    """Find the memory of every planned cell's steps; see `studies.running.memory`."""
    cells = [row.cell.settings for row in forecast.rows if row.needs_trial]
    return find_memory(spec.task, cells, place.study(spec.study))
