"""The contract of a tracker: it takes snapshots at once and stores each fact exactly once.

A snapshot replaces the one before it, so whoever calls keeps no upload state: after a restart, or
an outage of any length, it sends everything again and nothing is stored twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trackers.records import CellRecord, JsonValue, StudyRecord


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file to keep with a cell's run."""

    path: Path
    name: str  # inside the run's artifacts, e.g. "predictions/strip.png"


@dataclass(frozen=True, slots=True)
class CellUpload:
    """All that is to be stored of a cell, as far as it has come."""

    cell: CellRecord
    name: str  # of the run, e.g. "learning rate / 0.001 / seed 0"
    stages: tuple[str, ...]
    configuration: str  # id
    varied: Mapping[str, JsonValue]  # dotted path -> value
    attempts: int
    artifacts: tuple[Artifact, ...]  # stored once the cell has an outcome
    resolved_config: Callable[[], str]  # writes YAML, the artifact "config.yaml": it takes long
    weights: Path | None  # best weights, a state_dict file; None: not kept
    task: str  # e.g. "semantic_segmentation"
    kind: str = "cell"  # or "assembly"


@dataclass(frozen=True, slots=True)
class CitedResult:
    """A cited result that a study names, in the names of our settings and metrics."""

    id: str  # tells it from all others of the study, and stays the same
    name: str  # of its run, e.g. "baseline / thesis/table-8 / Car, 256"
    source: str  # the work and its table
    settings: Mapping[str, JsonValue]  # its protocol: dotted path -> value
    metrics: Mapping[str, float]  # "val/iou" -> value, as the study's cells name theirs
    note: str  # Markdown


class Tracker(Protocol):
    """Where facts go, besides the ledger.

    No method raises for a store that is away, and only `drain` waits for one.
    """

    def study(
        self,
        study: StudyRecord,
        *,
        report: Path | None = None,
        cited: Sequence[CitedResult] = (),
    ) -> None:
        """Take the study's summary, its HTML report and what it cites, and return at once."""

    def cell(self, study: str, upload: CellUpload) -> None:
        """Take a cell's snapshot, which replaces an earlier one, and return at once."""

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything is stored; say whether it is."""

    @property
    def is_away(self) -> bool:
        """Whether the store could not be reached when it was last tried."""

    def close(self) -> None:
        """Stop; what is not stored by now must be sent again another time."""
