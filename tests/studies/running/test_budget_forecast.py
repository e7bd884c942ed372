"""Whether a plan fits its budget, and which cells would not run."""

from collections.abc import Callable
from typing import Any

import pytest

from data_pipeline.catalog import data_fingerprint
from models.spending import Spent
from studies.cli.budget_output import budget_text
from studies.running.budget_forecast import BudgetLine, cut_cells, study_lines
from studies.running.forecast import Forecast, TimedBatch, forecast
from studies.running.prices import Price
from studies.spec.schema import StudySpec
from studies.tree.sources import Sources

RATES = {"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.2, 0.3]}}
PRICE = Price("T4", "Modal", 2.0, "USD", "", "")
SCENES = {
    "dataset": "street_scenes", "image_size": 64, "limit": {"train": 90, "val": 30, "test": 4},
    "cache": "off",
}  # fmt: skip


@pytest.fixture
def plan(make_spec: Callable[..., StudySpec]) -> Callable[..., tuple[StudySpec, Forecast]]:
    """Return the plan of three cells of 2 epochs that take an hour each."""

    def make(**budget: Any) -> tuple[StudySpec, Forecast]:
        network = {"name": "unet", "base_channels": 2, "depth": 1}
        spec = make_spec(RATES, data=SCENES, model=network, budget=budget)
        timed = TimedBatch("cpu", 1800 / 100, 1, 64, 90, 30, weights_bytes=1, checkpoint_bytes=1)
        found = forecast(spec, {}, sources=Sources(data_fingerprint), timed=timed, workers=2)
        assert [row.seconds for row in found.rows] == [3600.0] * 3
        return spec, found

    return make


def lines(
    planned: tuple[StudySpec, Forecast], used: Spent, wall_s: float = 0.0
) -> dict[str, BudgetLine]:
    found = study_lines(*planned, used=used, wall_s=wall_s, workers=2, price=PRICE)
    return {line.limit.removeprefix("budget.study."): line for line in found}


def test_every_limit_is_compared_with_what_is_left_of_it(plan: Callable[..., Any]) -> None:
    study = {
        "epochs": 7, "steps": 300, "images": 540, "time": "2h", "gpu_hours": 3.5, "money": 5,
    }  # fmt: skip
    found = lines(plan(study=study), Spent(2, 60, 0, 1800.0, 1800.0, None, 1.0), 1200.0)
    assert {name: (line.used, line.planned) for name, line in found.items()} == {
        "epochs": (2, 6),
        "steps": (60, 270.0),
        "images": (0, 540.0),
        "time": (pytest.approx(1 / 3), 1.5),
        "gpu_hours": (0.5, 3.0),
        "money": (1.0, 6.0),
    }
    assert {name: line.fits for name, line in found.items()} == {
        "epochs": False, "steps": False, "images": True,
        "time": True, "gpu_hours": True, "money": False,
    }  # fmt: skip
    assert {name: line.left_over for name, line in found.items() if line.left_over} == {
        "epochs": 1, "steps": 1, "money": 1,
    }  # fmt: skip


def test_without_limits_nothing_is_compared(plan: Callable[..., Any]) -> None:
    assert lines(plan(), Spent()) == {}


def test_cells_that_a_limit_of_each_trial_ends_are_counted(plan: Callable[..., Any]) -> None:
    spec, found = plan(per_trial={"epochs": 2, "time": "30m", "images": 100, "money": 2})
    cut = {each.limit: each.cells for each in cut_cells(spec, found, PRICE)}
    assert cut == {"budget.per_trial.time": 3, "budget.per_trial.images": 3}


def test_what_does_not_fit_is_said(plan: Callable[..., Any]) -> None:
    spec, found = plan(study={"epochs": 5}, per_trial={"steps": 89})
    compared = study_lines(spec, found, used=Spent(epochs=1), wall_s=0.0, workers=2, price=None)
    assert budget_text(compared, cut_cells(spec, found, None)) == [
        "budget.study.epochs: about 7 of 5 epochs (1 used already); 1 known cells would not run",
        "budget.per_trial.steps: would end 3 cells early, which are scored as they are then",
    ]
