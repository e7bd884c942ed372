"""Why a trial of several processes ended, out of how each of them did.

One that goes takes the others with it: they lose its connection, or a library ends them. So they
are believed in this order:

    an end that training has a name for ─► a kill or a crash ─► another error ─► no word at all

What one says only because another has gone (`LeftAlone`) is never the cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.ranks import LeftAlone
from models.session import TrainingEnd


class RankLost(TrainingEnd):
    """A process that trained with the others was killed, or crashed."""


@dataclass(frozen=True, slots=True)
class RankEnd:
    """How one process ended, or that it has not."""

    rank: int
    exit_code: int | None  # negative: the signal that ended it; None: it runs
    words: Exception | None  # what it said of it


def cause_of_end(ends: Sequence[RankEnd], count: int) -> Exception | None:
    """Return what ended the trial; None: none of these processes did.

    Args:
        ends: Of all processes but the first.
        count: Of all processes.
    """
    said = [each.words for each in ends if each.words and not isinstance(each.words, LeftAlone)]
    named = [words for words in said if isinstance(words, TrainingEnd)]
    killed = [each for each in ends if each.exit_code is not None and each.exit_code < 0]
    silent = [each for each in ends if each.exit_code and each.words is None]
    lost = [_lost(each, count) for each in (*killed, *silent)]
    in_order = [*named, *lost[: len(killed)], *said, *lost]
    return in_order[0] if in_order else None


def _lost(end: RankEnd, count: int) -> RankLost:
    return RankLost(f"process {end.rank + 1} of {count} was lost: exit code {end.exit_code}")
