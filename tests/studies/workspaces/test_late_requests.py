"""What is asked of a study when it is about to end, or already stopping."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from studies.running.progress import Snapshot

Office = Any  # of conftest.py, which cannot be imported


class Hearing:
    """A view that acts when something is said for the first time."""

    def __init__(self, word: str, act: Callable[[], None]) -> None:
        self._word, self._act = word, act
        self.said = ""

    def update(self, snapshot: Snapshot) -> None:
        """Show nothing."""

    def say(self, message: str) -> None:
        """Act on the word."""
        is_first = self._word not in self.said
        self.said += f"{message}\n"
        if is_first and self._word in message:
            self._act()

    def close(self) -> None:
        """Release nothing."""


@pytest.fixture
def small(empty_office: Callable[..., Office], study: dict[str, Any]) -> Office:
    """Return an office for a study of two cells, one of which diverges whenever it is tried."""
    study["search"] = {
        "tree": [{"stage": "learning rate", "vary": {"training.learning_rate": [1.0, 1e-3]}}]
    }
    office: Office = empty_office(study)
    return office


def test_a_retry_asked_for_as_the_last_cell_ends_is_done_by_the_same_launch(small: Office) -> None:
    def ask() -> None:
        ledger = small.ledger()
        ledger.ask("demo", "retry", cell=_infeasible(ledger))
        ledger.close()

    view = Hearing("complete", ask)
    small.launch(view=view)

    assert "1 cells are tried again, as was asked" in view.said
    assert [cell["attempts"] for cell in small.cells()] == [2, 1]


def test_a_retry_asked_for_after_the_last_cell_is_done_by_the_next_launch(small: Office) -> None:
    small.launch()
    ledger = small.ledger()
    ledger.ask("demo", "retry", cell=_infeasible(ledger))
    small.launch()

    assert ledger.open_requests("demo") == ()
    ledger.close()
    assert [cell["attempts"] for cell in small.cells()] == [2, 1]


def test_the_first_ctrl_c_after_a_budget_ended_kills_nothing(
    empty_office: Callable[..., Office], study: dict[str, Any]
) -> None:
    study["budget"] = {"study": {"epochs": 1}}
    study["training"]["epochs"] = 50
    study["model"] |= {"epoch_seconds": 0.3, "faults": []}
    office = empty_office(study)
    view = Hearing("stopping:", lambda: os.kill(os.getpid(), signal.SIGINT))
    office.launch(view=view)

    assert "stopping: budget.study.epochs" in view.said
    (trial,) = [trial for cell in office.record().cells.values() for trial in cell.trials]
    assert trial.reason == "stopped with a checkpoint"


def _infeasible(ledger: Any) -> str:
    (cell,) = [row["id"] for row in ledger.cells("demo") if row["outcome"] == "infeasible"]
    return str(cell)
