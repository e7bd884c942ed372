"""What other processes ask of the one that runs a study: to stop, or to try cells again.

They write into the ledger, so that it does not matter on which host the study runs:

    visionstudy stop / retry ──► ledger's `requests` ──► RequestDesk, looked at once a second
"""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass

from studies.tree.ledger import Ledger
from trackers.records import Outcome

STOP, KILL, RETRY = "stop", "kill", "retry"  # with checkpoints; at once; a cell
LOOK_S = 1.0  # between looks
# Not what was pruned: nothing went wrong there, its other seeds were settled by the same verdict,
# and the pruner would say it again.
RETRIABLE = (Outcome.FAILED, Outcome.LOST, Outcome.STOPPED, Outcome.INFEASIBLE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked since the last look, and is written down as handled."""

    stops: bool = False
    kills: bool = False
    reopened: tuple[str, ...] = ()  # cells that are planned again


@dataclass(slots=True)
class RequestDesk:
    """Takes the requests of one study, for the process that holds its lease."""

    ledger: Ledger
    study: str
    _looked_at: float = -math.inf

    def is_due(self) -> bool:
        """Whether the last look was a while ago."""
        return time.monotonic() - self._looked_at >= LOOK_S

    def take(self) -> Asked:
        """Look for requests; reopen the cells that are to be retried."""
        self._looked_at = time.monotonic()
        rows = self.ledger.open_requests(self.study)
        wanted = [row["cell"] for row in rows if row["kind"] == RETRY]
        reopened = retriable(self.ledger, self.study, wanted)
        if reopened:
            self.ledger.reopen(self.study, reopened)
        for row in rows:
            self.ledger.handle_request(row["id"])
        kinds = {row["kind"] for row in rows}
        return Asked(stops=STOP in kinds, kills=KILL in kinds, reopened=reopened)


def forget_stops(ledger: Ledger, study: str) -> None:
    """Drop what an earlier process was asked and did not live to do: it has stopped."""
    for row in ledger.open_requests(study):
        if row["kind"] in (STOP, KILL):
            ledger.handle_request(row["id"])


def retriable(ledger: Ledger, study: str, wanted: Collection[str]) -> tuple[str, ...]:
    """Return those of the wanted cells that ended and may be tried again, in running order."""
    if not wanted:
        return ()
    return tuple(
        row["id"]
        for row in ledger.cells(study)
        if row["id"] in wanted and row["outcome"] in RETRIABLE
    )
