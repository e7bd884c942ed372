"""One trial in a process of its own: an order in, an event log out.

The coordinator may ask it to stop, or vanish; either way it writes a checkpoint and ends. All it
has to say is in its event log, so nothing is lost with the connection.
"""

import errno
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

from models.catalog import MODELS
from models.ranks import Ranks
from models.session import (
    Diverged,
    EpochReport,
    Interrupted,
    OutOfMemory,
    Pruned,
    TrainingResult,
)
from studies.running.costs import AttemptCosts
from studies.running.eviction import LOCK_FILE
from studies.running.file_lock import FileLock
from studies.running.rank_ends import RankLost
from studies.running.rank_processes import ranks_of
from studies.running.slot_use import redirect_output, use_slot
from studies.running.trial_line import PROGRESS, WROTE, TrialLine, Wire, WireLine
from studies.running.trial_order import Slot, TrialOrder
from studies.running.trial_session import Listener, make_session
from studies.running.trial_warnings import noted_warnings
from studies.tree.cell_history import EVENTS_FILE, read_history
from studies.tree.learnt_data import learnt_data
from trackers.event_log import EventLog
from trackers.records import JsonValue
from trackers.redaction import redact

FOR_PEOPLE = ("message", "topic", "traceback", "note")  # fields that may quote anything
PROGRESS_INTERVAL_S = 0.2
STUCK_EXIT_CODE = 70  # EX_SOFTWARE; how it ended is in the event log


def run_trial(order: TrialOrder, slot: Slot, wire: Wire) -> None:
    """Run one trial; the target of a trial process."""
    use_slot(slot)
    order.folder.mkdir(parents=True, exist_ok=True)
    redirect_output(order.folder / "output.log")
    with FileLock(order.folder / LOCK_FILE):
        line = WireLine(wire)
        if line.is_wanted():
            line.listen()
            conduct(order, slot, line)


def conduct(order: TrialOrder, slot: Slot, line: TrialLine) -> None:
    """Run a trial whose folder is locked, and write down how it ended."""
    log = EventLog(order.folder / EVENTS_FILE)
    costs = AttemptCosts(order, slot)
    trial = _Trial(order, slot, log=log, line=line, costs=costs)
    started: dict[str, Any] = {"attempt": order.attempt, "device": slot.device}
    if order.purpose == "train":
        started["learnt"] = learnt_data(order.settings["data"])
    trial.note("started", pid=os.getpid(), **started, costs=costs.so_far())
    with noted_warnings(trial.note):
        name, fields = _outcome_of(trial.run)
    trial.note(name, **fields, costs=costs.so_far())
    log.close()


def _outcome_of(run: Callable[[], dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Run, and turn however it ends into an event."""
    try:
        return "finished", run()
    except Pruned as error:
        return "ended", {"kind": "pruned", "message": str(error)}
    except Interrupted as error:
        return "ended", {"kind": "stopped", "message": str(error)}
    except RankLost as error:
        return "ended", {"kind": "lost", "message": str(error)}
    except (OutOfMemory, MemoryError) as error:
        return "ended", {"kind": "out_of_memory", "message": str(error)}
    except Diverged as error:
        return "ended", {"kind": "diverged", "message": str(error)}
    except OSError as error:
        kind = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "failed"
        return "ended", _failure(error, kind)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, it is the outcome
        return "ended", _failure(error, "failed")


def _failure(error: Exception, kind: str) -> dict[str, Any]:
    text = "".join(traceback.format_exception(error))
    sys.stderr.write(redact(text))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return {
        "kind": kind,
        "message": f"{type(error).__name__}: {error}",
        "traceback": text,
        "signature": f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}",
    }


class _Trial:
    """Connects a trainer with the event log and the coordinator."""

    def __init__(
        self,
        order: TrialOrder,
        slot: Slot,
        *,
        log: EventLog,
        line: TrialLine,
        costs: AttemptCosts,
    ) -> None:
        self._order = order
        self._slot = slot
        self._costs = costs
        self._log = log
        self._line = line
        self._writing = threading.RLock()  # a warning may come from any thread
        self._last_progress = 0.0
        earlier = read_history(reversed(order.earlier_folders))
        self._reported = set(earlier.epochs)

    def run(self) -> dict[str, Any]:
        """Train or score, and return the fields of the "finished" event."""
        if self._order.purpose == "assembly":
            # Imported at use: torch, which a trainer without data never needs.
            from studies.running.assembly_process import run_assembly

            return run_assembly(self._order, self._report_progress, self._line.should_stop)
        with ranks_of(self._order, self._slot, self._end_now) as ranks:
            result = self._train_or_score(ranks)
        return {
            "metrics": dict(result.metrics),
            "best_epoch": result.best_epoch,
            "epochs": result.epochs,
            "train_macs": result.train_macs,
            "note": result.note,
            "files": dict(result.files),
        }

    def _train_or_score(self, ranks: Ranks) -> TrainingResult:
        listener = Listener(
            report=self._report,
            report_effective=self._report_effective,
            report_progress=self._report_progress,
            should_stop=self._line.should_stop,
        )
        session = make_session(self._order, listener, meter=self._costs.meter, ranks=ranks)
        entry = MODELS[session.model.name]
        result: TrainingResult
        if self._order.purpose == "test":
            result = resolve_name(entry.scorer)(session, self._order.weights)
        else:
            result = resolve_name(entry.trainer)(session)
        return result

    def _end_now(self, error: Exception) -> None:
        """Write down what ended the trial while it hangs, and end its process."""

        def fail() -> NoReturn:
            raise error

        name, fields = _outcome_of(fail)
        self.note(name, **fields, costs=self._costs.so_far())
        os._exit(STUCK_EXIT_CODE)

    def note(self, event: str, **fields: JsonValue) -> None:
        """Write an event and wake the coordinator."""
        spoken = {
            name: redact(value) if name in FOR_PEOPLE and isinstance(value, str) else value
            for name, value in fields.items()
        }
        with self._writing:
            self._log.append(event, **spoken)
        self._line.say((WROTE,))

    def _report(self, epoch: EpochReport) -> None:
        """Write an epoch down; with a pruner, wait whether to go on.

        The newest one that an earlier attempt wrote is asked for again: that attempt may have
        been killed while it waited.
        """
        if epoch.epoch not in self._reported:
            self._note_epoch(epoch)
        is_last = epoch.epoch == self._order.settings["training"]["epochs"]  # too late to prune
        awaits = self._order.awaits_last_verdict if is_last else self._order.awaits_verdict
        if awaits and epoch.epoch == max(self._reported):
            reason = self._line.verdict(epoch.epoch)
            if reason is not None:
                raise Pruned(reason)

    def _note_epoch(self, epoch: EpochReport) -> None:
        self._reported.add(epoch.epoch)
        self._costs.note_epoch(epoch)
        self.note(
            "epoch",
            epoch=epoch.epoch,
            metrics=dict(epoch.metrics),
            wall_s=epoch.wall_s,
            images_seen=epoch.images_seen,
            finished_at=epoch.finished_at,
            costs=self._costs.so_far(),
        )

    def _report_effective(self, effective: Mapping[str, Any]) -> None:
        self.note("effective", **effective)

    def _report_progress(self, epoch: int, step: int, steps: int) -> None:
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_INTERVAL_S:
            self._last_progress = now
            self._line.say((PROGRESS, epoch, step, steps))
