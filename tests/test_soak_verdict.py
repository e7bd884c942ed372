"""A soak's verdict sees proposals that were lost, or numbered twice."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.soak.ground import STUDY, Ground
from benchmarks.soak.verdict import numbered_once, proposal_numbers
from studies.running.workspace import open_ledger, open_workspace


@pytest.mark.parametrize(
    ("numbers", "seen"),
    [
        ([0, 1, 3, 4], "missing [2]"),
        ([0, 1, 1, 2, 3], "twice [1]"),
        ([1, 2, 3, 4], "beyond [4]"),
    ],
)
def test_numbers_that_are_not_each_there_once_do_not_hold(
    numbers: Sequence[int], seen: str
) -> None:
    claim = numbered_once(numbers, 4)

    assert not claim.held
    assert seen in claim.seen


def test_numbers_that_are_each_there_once_hold() -> None:
    assert numbered_once([2, 0, 1, 3], 4).held


def test_numbers_are_those_that_the_ledger_holds(tmp_path: Path) -> None:
    ground = Ground(tmp_path, "local", workers=1, postgres=None)
    ledger = open_ledger(open_workspace(ground.runs))
    ledger.save_study(STUDY, text="", resolved={}, environment={})
    for number in (3, 0, 2):
        ledger.save_proposal(STUDY, "joint", number=number, varied={"training.epochs": number})
    ledger.close()

    assert proposal_numbers(ground) == [0, 2, 3]
