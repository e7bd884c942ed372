"""Budgets and costs of whole launches."""

from pathlib import Path
from typing import Any

import pytest

from trackers.costs import costs_of
from trackers.records import Outcome

PRICES = "gpu,provider,price_per_hour,currency,date,source\ncpu,ours,3600,EUR,2026,bill\n"
RATES = {"stage": "learning rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}


@pytest.fixture
def priced_study(noop_study: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return one stage of two cells on a CPU that costs a euro a second."""
    file = tmp_path / "prices.csv"
    file.write_text(PRICES)
    noop_study["search"] = {"tree": [RATES]}
    noop_study["budget"] = {"prices": str(file)}
    return noop_study


@pytest.mark.slow
def test_trials_end_at_their_budget_and_say_what_they_cost(
    workshop: Any, priced_study: Any
) -> None:
    priced_study["budget"]["per_trial"] = {"images": 32}
    priced_study["budget"]["study"] = {"money": 1000, "epochs": 2}
    shop = workshop(priced_study)
    planned = shop.run("plan", str(shop.file))
    assert "budget.study.epochs: about 8 of 2 epochs; 2 known cells would not run" in planned
    assert "budget.study.money: not estimated, 0 used of 1000 EUR" in planned

    shop.launch("--set", "budget.study.epochs=null")
    cells = shop.record().cells.values()
    assert [cell.outcome for cell in cells] == [Outcome.COMPLETE] * 2
    assert {cell.reason for cell in cells} == {"limit of 32 images reached after epoch 2"}
    for cell in cells:
        (trial,) = cell.trials
        costs = costs_of(cell.trials)
        assert (costs.epochs, costs.steps, costs.images, costs.energy_j) == (2, 16, 32, None)
        assert trial.ended_at is not None
        assert costs.seconds == pytest.approx(trial.ended_at - trial.started_at, abs=2.0)
        assert costs.device_s == costs.seconds
        assert costs.money == pytest.approx(costs.seconds)
        assert costs.currency == "EUR"
    report = (shop.runs / "studies" / shop.name / "report.html").read_text(encoding="utf-8")
    assert "ours: 3600 EUR/h" in report


@pytest.mark.slow
def test_a_budget_of_money_ends_the_launch(workshop: Any, priced_study: Any) -> None:
    priced_study["model"]["epoch_seconds"] = 0.5
    priced_study["training"]["epochs"] = 40
    priced_study["budget"]["study"] = {"money": 3}
    shop = workshop(priced_study)
    shop.launch(exit_code=1)
    stopped = shop.record()
    assert stopped.note == "budget.study.money: 3 EUR used"
    spent = sum(costs_of(cell.trials).money or 0.0 for cell in stopped.cells.values())
    assert 3.0 <= spent < 30.0


@pytest.mark.slow
def test_a_budget_of_as_many_epochs_as_planned_finishes_the_study(
    workshop: Any, priced_study: Any
) -> None:
    priced_study["budget"]["study"] = {"epochs": 8}
    shop = workshop(priced_study)
    shop.launch()
    assert shop.record().is_finished
    priced_study["search"]["replicates"] = 2
    shop.write(priced_study)
    shop.launch(exit_code=1)
    assert shop.record().note == "budget.study.epochs: 8 of 8 epochs used"
    assert len(shop.trial_folders()) == 2, "nothing more was begun"


def test_a_limit_without_a_price_is_refused_before_anything_runs(
    workshop: Any, noop_study: Any
) -> None:
    noop_study["budget"] = {"per_trial": {"money": 1}}
    shop = workshop(noop_study)
    output = shop.launch(exit_code=2)
    assert "a limit of money needs the price of every device, got none for 'cpu'" in output
    assert not shop.trial_folders()
