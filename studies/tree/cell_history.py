"""What a cell's trials wrote into their event logs, read as one history.

Attempts overlap where a checkpoint was older than the last epoch; each epoch counts once, as it
was first reported.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studies.tree.learnt_data import LearntData
from trackers.event_log import Event, read_events
from trackers.records import EpochRecord

EVENTS_FILE = "events.jsonl"


@dataclass(slots=True)
class CellHistory:
    """The epochs of a cell and how its newest attempt ended, as far as the logs say."""

    epochs: dict[int, EpochRecord] = field(default_factory=dict)
    resumed_from_epoch: int = 0  # of the newest attempt
    effective: dict[str, Any] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)  # topic -> the first one's message
    learnt: LearntData | None = None  # None: the log does not say
    end: Event | None = None  # "finished" or "ended" of the newest attempt
    costs: dict[str, Any] = field(default_factory=dict)  # of the newest attempt, as it last said
    last_at: float | None = None  # unix seconds of the last event

    def add(self, events: Iterable[Event]) -> None:
        """Take in the newest attempt's next events."""
        for event in events:
            self.last_at = event.time
            self.costs = event.fields.get("costs", self.costs)
            if event.name == "started":
                self.end = None
                self.resumed_from_epoch = 0
                self.costs = event.fields.get("costs", {})
                self.learnt = event.fields.get("learnt", self.learnt)
            elif event.name == "effective":
                self.effective.update(event.fields)
                self.resumed_from_epoch = int(event.fields.get("resumed_from_epoch", 0))
            elif event.name == "epoch":
                record = epoch_record(event.fields)
                self.epochs.setdefault(record.epoch, record)
            elif event.name == "warning":
                self.warnings.setdefault(event.fields["topic"], event.fields["message"])
            elif event.name in ("finished", "ended"):
                self.end = event

    def in_order(self) -> tuple[EpochRecord, ...]:
        """Return the epochs, first to last."""
        return tuple(self.epochs[number] for number in sorted(self.epochs))


def read_history(folders: Iterable[Path]) -> CellHistory:
    """Read the event logs of a cell's attempts, oldest first."""
    history = CellHistory()
    for folder in folders:
        events, _ = read_events(folder / EVENTS_FILE)
        history.add(events)
    return history


def epoch_record(fields: Mapping[str, Any]) -> EpochRecord:
    """Turn an "epoch" event's fields into a record."""
    return EpochRecord(
        epoch=int(fields["epoch"]),
        metrics=dict(fields["metrics"]),
        wall_s=float(fields["wall_s"]),
        images_seen=int(fields["images_seen"]),
        finished_at=float(fields["finished_at"]),
    )
