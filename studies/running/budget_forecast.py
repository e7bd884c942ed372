"""Does a plan fit its budget, and which cells would not?

What is planned is added to what earlier launches used, cell by cell in the order of the plan. Of
cells that are not known yet, or whose time nobody estimated, only the sums say something.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from models.spending import HOUR_S, Spent
from studies.running.forecast import Forecast, PlannedRow, TimedBatch
from studies.running.prices import Price
from studies.spec.budget_schema import duration_s
from studies.spec.schema import StudySpec
from studies.tree.ledger import RETRIED_AT_LAUNCH

Cost = Callable[[PlannedRow], float | None]


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A limit of the study, and what the plan takes of it."""

    limit: str  # "budget.study.epochs"
    most: float
    used: float  # by earlier launches
    planned: float | None  # beyond that; None: not estimated
    unit: str  # "epochs", "h", "USD"
    left_over: int  # cells of the plan that would not run

    @property
    def fits(self) -> bool | None:
        """Whether the plan fits; None: nobody knows."""
        return None if self.planned is None else self.used + self.planned <= self.most


@dataclass(frozen=True, slots=True)
class CutCells:
    """Cells that a limit of each trial would end early."""

    limit: str
    cells: int


def study_lines(
    spec: StudySpec,
    forecast: Forecast,
    *,
    used: Spent,
    wall_s: float,
    workers: int,
    price: Price | None,
) -> tuple[BudgetLine, ...]:
    """Compare a plan with each limit of `budget.study` that is set, but energy.

    Args:
        spec: The study.
        forecast: Its plan.
        used: By trials of earlier launches.
        wall_s: Seconds that earlier launches took.
        workers: Trials at a time.
        price: Of the device that the batch was timed on; None: unknown.
    """
    budget, timed = spec.budget.study, forecast.timed
    total_s = None if forecast.seconds is None else forecast.seconds * workers
    hour_price = None if price is None else price.per_hour
    costs = _costs(timed, hour_price)
    hours = None if total_s is None else total_s / HOUR_S
    money = None if hours is None or hour_price is None else hours * hour_price
    rows = [row for row in forecast.rows if _is_trained(row)]
    sums = {name: _sum(rows, costs[name]) for name in ("steps", "images")}
    if forecast.unknown_cells:
        sums = dict.fromkeys(sums)  # nobody knows their batches
    unit = "" if price is None else price.currency
    wall_h = None if forecast.seconds is None else forecast.seconds / HOUR_S
    limits: Mapping[str, tuple[float | None, float, float | None, str]] = {
        "epochs": (budget.epochs, used.epochs, forecast.epochs, "epochs"),
        "steps": (budget.steps, used.steps, sums["steps"], "steps"),
        "images": (budget.images, used.images, sums["images"], "images"),
        "time": (_hours(budget.time), wall_s / HOUR_S, wall_h, "h"),
        "gpu_hours": (budget.gpu_hours, used.device_s / HOUR_S, hours, "h"),
        "money": (budget.money, used.money or 0.0, money, unit),
    }
    lines = []
    for name, (most, before, planned, words) in limits.items():
        if most is not None:
            share = workers if name == "time" else 1
            left_over = _left_over(rows, costs[name], (most - before) * share)
            line = BudgetLine(f"budget.study.{name}", most, before, planned, words, left_over)
            lines.append(line)
    return tuple(lines)


def cut_cells(spec: StudySpec, forecast: Forecast, price: Price | None) -> tuple[CutCells, ...]:
    """Count the cells that each limit of `budget.per_trial` would end early, as far as known."""
    budget = spec.budget.per_trial
    costs = _costs(forecast.timed, None if price is None else price.per_hour)
    limits = {
        "epochs": budget.epochs,
        "steps": budget.steps,
        "images": budget.images,
        "time": _hours(budget.time),
        "gpu_hours": budget.gpu_hours,
        "money": budget.money,
    }
    rows = [row for row in forecast.rows if _is_trained(row)]
    cut = []
    for name, most in limits.items():
        if most is not None:
            count = sum((costs[name](row) or 0.0) > most for row in rows)
            cut.append(CutCells(f"budget.per_trial.{name}", count))
    return tuple(each for each in cut if each.cells)


def _costs(timed: TimedBatch | None, hour_price: float | None) -> dict[str, Cost]:
    """Return by each limit's name what a cell takes of it."""

    def images(row: PlannedRow) -> float | None:
        if timed is None:
            return None
        most = row.cell.settings.data.limit.train or timed.train_images
        return float(row.epochs * min(most, timed.train_images))

    def steps(row: PlannedRow) -> float | None:
        seen, training = images(row), row.cell.settings.training
        return None if seen is None else seen / training.batch_size / training.accumulate

    def hours(row: PlannedRow) -> float | None:
        return None if row.seconds is None else row.seconds / HOUR_S

    def money(row: PlannedRow) -> float | None:
        held = hours(row)
        return None if held is None or hour_price is None else held * hour_price

    return {
        "epochs": lambda row: float(row.epochs),
        "steps": steps,
        "images": images,
        "time": hours,
        "gpu_hours": hours,
        "money": money,
    }


def _left_over(rows: Sequence[PlannedRow], cost: Cost, left: float) -> int:
    """Count the cells, from the first on, that do not fit into what is left."""
    for index, row in enumerate(rows):
        left -= cost(row) or 0.0
        if left < 0:
            return len(rows) - index
    return 0


def _sum(rows: Sequence[PlannedRow], cost: Cost) -> float | None:
    found = [cost(row) for row in rows]
    return None if None in found else sum(each or 0.0 for each in found)


def _hours(limit: str | None) -> float | None:
    return None if limit is None else duration_s(limit) / HOUR_S


def _is_trained(row: PlannedRow) -> bool:
    is_open = row.outcome is None or row.outcome in RETRIED_AT_LAUNCH
    return row.needs_trial and not row.is_reused and is_open
