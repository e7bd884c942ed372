"""What ended a trial of several processes is told from what followed from it."""

import pytest

from models.ranks import LeftAlone
from models.session import OutOfMemory
from studies.running.rank_ends import RankEnd, RankLost, cause_of_end

RUNS = RankEnd(1, None, None)
LEFT = RankEnd(2, 1, LeftAlone("connection reset by peer"))
KILLED = RankEnd(3, -9, None)
ABORTED = RankEnd(3, -6, None)
FULL = RankEnd(4, 1, OutOfMemory("a micro-batch did not fit into memory"))
BROKEN = RankEnd(4, 1, RuntimeError("sizes do not match"))
SILENT = RankEnd(5, 3, None)


@pytest.mark.parametrize(
    ("ends", "kind", "says"),
    [
        ([LEFT, KILLED], RankLost, "process 4 of 6 was lost: exit code -9"),
        ([LEFT, SILENT], RankLost, "process 6 of 6 was lost: exit code 3"),
        ([LEFT, ABORTED, FULL], OutOfMemory, "a micro-batch did not fit"),  # NCCL aborts others
        ([BROKEN, KILLED], RankLost, "exit code -9"),
        ([LEFT, BROKEN, SILENT], RuntimeError, "sizes do not match"),
    ],
)
def test_cause_is_what_nothing_else_brought_about(
    ends: list[RankEnd], kind: type[Exception], says: str
) -> None:
    cause = cause_of_end(ends, 6)

    assert type(cause) is kind
    assert says in str(cause)


def test_those_that_were_left_alone_and_those_that_run_are_no_cause() -> None:
    assert cause_of_end([RUNS, LEFT], 3) is None
