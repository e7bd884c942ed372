"""From how trials ended to what the ledger says."""

from typing import Any

from trackers.records import Outcome


def test_only_losses_in_a_row_use_up_the_tries(workshop: Any, noop_study: Any) -> None:
    noop_study["model"]["faults"] = [
        {"action": "kill", "at_epoch": 1, "attempts": 2},
        {"action": "kill", "at_epoch": 3, "attempts": 5},  # the third one finished two epochs
    ]
    noop_study["search"] = {
        "tree": [{"stage": "rate", "vary": {"training.learning_rate": [1e-2]}}],
    }
    shop = workshop(noop_study)
    shop.launch()
    (cell,) = shop.record().cells.values()

    assert cell.outcome is Outcome.COMPLETE
    assert [trial.outcome for trial in cell.trials] == [Outcome.LOST] * 5 + [Outcome.COMPLETE]
