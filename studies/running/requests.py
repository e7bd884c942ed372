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

STOP, RETRY = "stop", "retry"
LOOK_S = 1.0  # between looks
RETRIABLE = (
    Outcome.FAILED,
    Outcome.LOST,
    Outcome.STOPPED,
    Outcome.INFEASIBLE,
    Outcome.PRUNED,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked since the last look, and is written down as handled."""

    stops: int = 0
    reopened: tuple[str, ...] = ()  # cells that are planned again


@dataclass(slots=True)
class RequestDesk:
    """Takes the requests of one study, for the process that holds its lease."""

    ledger: Ledger
    study: str
    _looked_at: float = -math.inf

    def take(self) -> Asked:
        """Look for requests, at most once a second; reopen the cells that are to be retried."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return Asked()
        self._looked_at = now
        rows = self.ledger.open_requests(self.study)
        wanted = [row["cell"] for row in rows if row["kind"] == RETRY]
        reopened = retriable(self.ledger, self.study, wanted)
        if reopened:
            self.ledger.reopen(self.study, reopened)
        for row in rows:
            self.ledger.handle_request(row["id"])
        stops = sum(row["kind"] == STOP for row in rows)
        return Asked(stops, reopened)


def forget_stops(ledger: Ledger, study: str) -> None:
    """Drop what an earlier process was asked and did not live to do: it has stopped."""
    for row in ledger.open_requests(study):
        if row["kind"] == STOP:
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
