"""A trial as the coordinator sees it: its order, its log so far, and when it last moved."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from models.spending import Spent
from studies.running.costs import final_costs, held_by
from studies.running.progress import RunningRow
from studies.running.trial_order import Slot, TrialOrder
from studies.tree.cell_history import EVENTS_FILE, CellHistory
from trackers.event_log import Event, read_events
from trackers.records import JsonValue


@dataclass(slots=True)
class RunningTrial:
    """One trial process and what it has said."""

    order: TrialOrder
    slot: Slot
    row: RunningRow
    history: CellHistory  # of all attempts
    earlier_epochs: int = 0  # finished before this attempt
    started_at: float = field(default_factory=time.monotonic)
    moved_at: float = field(default_factory=time.monotonic)
    uploaded_at: float = field(default_factory=time.monotonic)
    stop_asked_at: float | None = None
    killed_because: str = ""
    is_cut_off: bool = False  # its machine is out of reach, see `pool.CutOff`
    is_pruned: bool = False  # it was told to end
    warnings: dict[str, str] = field(default_factory=dict)  # of this attempt: topic -> message
    _offset: int = 0

    def __post_init__(self) -> None:
        self.earlier_epochs = len(self.history.epochs)
        self.history.end = None
        self.history.costs = {}

    @property
    def log_file(self) -> Path:
        """Return where the trial writes its events."""
        return self.order.folder / EVENTS_FILE

    @property
    def trains_on(self) -> bool:
        """Whether it has epochs to train that it has not finished."""
        if self.order.purpose != "train" or self.history.end is not None or self.is_pruned:
            return False
        epochs: int = self.order.settings["training"]["epochs"]
        most = min(epochs, self.order.limits.epochs or epochs)
        return max(self.history.epochs, default=0) < most

    @property
    def made_progress(self) -> bool:
        """Whether this attempt finished an epoch that none before it had."""
        return len(self.history.epochs) > self.earlier_epochs

    def read(self) -> list[Event]:
        """Take in what the trial wrote since the last reading; return new epochs."""
        events, self._offset = read_events(self.log_file, offset=self._offset)
        self.history.add(events)
        if events:
            self.moved_at = time.monotonic()
        for event in events:
            if event.name == "warning":
                self.warnings.setdefault(event.fields["topic"], event.fields["message"])
        epochs = [event for event in events if event.name == "epoch"]
        if epochs:
            self.row.epoch = int(epochs[-1].fields["epoch"])
            self.row.metrics = dict(epochs[-1].fields["metrics"])
            self.row.step = 0
        return epochs

    def spent(self) -> Spent:
        """Return what this attempt has used so far: its time until now, the rest as it said."""
        return Spent.from_state(self.costs())

    def costs(self) -> dict[str, JsonValue]:
        """Return what this attempt cost so far; see `studies.running.costs`."""
        held = held_by(self.order, self.slot)  # for as long as it has not said so itself
        return final_costs({**held, **self.history.costs}, self.running_s())

    def curve(self, until: int) -> dict[int, float]:
        """Return the objective of every epoch so far, over all attempts.

        Args:
            until: Last epoch that counts.
        """
        metric = self.order.objective
        return {
            number: epoch.metrics[metric]
            for number, epoch in self.history.epochs.items()
            if number <= until and math.isfinite(epoch.metrics.get(metric, math.nan))
        }

    def running_s(self) -> float:
        """Return the seconds since the trial was started."""
        return time.monotonic() - self.started_at

    def trained_s(self) -> float:
        """Return the seconds that the cell trained and validated until its last epoch.

        As its trials said, over all attempts: limits count neither decoding nor waiting.
        """
        newest = next(reversed(self.history.epochs.values()), None)
        return 0.0 if newest is None else newest.wall_s

    def silent_s(self) -> float:
        """Return the seconds since the trial last took a step or wrote something."""
        return time.monotonic() - self.moved_at
