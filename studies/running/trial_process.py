"""One trial in a process of its own: an order in, an event log out.

The coordinator may ask it to stop, or vanish; either way it writes a checkpoint and ends. All it
has to say is in its event log, so nothing is lost with the connection.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from models.catalog import MODELS
from models.session import (
    DataSource,
    Diverged,
    EpochReport,
    Interrupted,
    OutOfMemory,
    TrainingResult,
    TrainingSession,
)
from studies.running.eviction import LOCK_FILE
from studies.running.file_lock import FileLock
from studies.running.trial_order import Slot, TrialOrder
from studies.running.trial_warnings import noted_warnings
from studies.spec.clip_checks import clip_shape
from studies.spec.schema import CellSettings
from studies.tree.cell_history import EVENTS_FILE, read_history
from trackers.event_log import EventLog
from trackers.records import JsonValue

PROGRESS_INTERVAL_S = 0.2
ORPHAN_GRACE_S = 30.0  # a trial that does not stop for a vanished coordinator is ended
READY, GO, STOP = "ready", b"go", b"stop"
ORPHANED_EXIT_CODE = 75  # EX_TEMPFAIL


def run_trial(order: TrialOrder, slot: Slot, connection: Connection) -> None:
    """Run one trial; the target of a trial process."""
    _use_slot(slot)
    order.folder.mkdir(parents=True, exist_ok=True)
    _redirect_output(order.folder / "output.log")
    with FileLock(order.folder / LOCK_FILE):
        if not _is_wanted(connection):
            return
        stop = _listen(connection)
        log = EventLog(order.folder / EVENTS_FILE)
        trial = _Trial(order, log, connection, stop)
        trial.note("started", pid=os.getpid(), attempt=order.attempt, device=slot.device)
        with noted_warnings(trial.note):
            name, fields = _outcome_of(trial.run)
        trial.note(name, **fields)
        log.close()


def _use_slot(slot: Slot) -> None:
    """Take the leased device and threads before anything initialises CUDA."""
    os.environ["CUDA_VISIBLE_DEVICES"] = slot.gpu if slot.gpu is not None else ""
    os.environ["OMP_NUM_THREADS"] = str(slot.threads)
    torch = sys.modules.get("torch")  # preloaded: the variable would come too late
    if torch is not None:
        torch.set_num_threads(slot.threads)
    cv2 = sys.modules.get("cv2")  # else it takes every core of the machine
    if cv2 is not None:
        cv2.setNumThreads(slot.threads)


def _redirect_output(file: Path) -> None:
    """Send everything printed, also by native code, to the trial's own file."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _is_wanted(connection: Connection) -> bool:
    """Ask the coordinator, now that the folder is locked, whether to begin.

    A process that comes up after its coordinator died must not touch anything: the next
    coordinator found its folder free, and may have started another attempt.
    """
    try:
        connection.send((READY,))
        return connection.recv_bytes() == GO
    except (EOFError, OSError):
        return False


def _listen(connection: Connection) -> threading.Event:
    """Return an event that is set when the trial should stop."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's to pass on
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def wait_for_word() -> None:
        try:
            connection.recv_bytes()
            stop.set()
        except (EOFError, OSError):
            stop.set()
            time.sleep(ORPHAN_GRACE_S)
            os._exit(ORPHANED_EXIT_CODE)

    threading.Thread(target=wait_for_word, daemon=True, name="coordinator").start()
    return stop


def _outcome_of(run: Callable[[], dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Run, and turn however it ends into an event."""
    try:
        return "finished", run()
    except Interrupted as error:
        return "ended", {"kind": "stopped", "message": str(error)}
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
    sys.stderr.write(text)
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
        self, order: TrialOrder, log: EventLog, connection: Connection, stop: threading.Event
    ) -> None:
        self._order = order
        self._log = log
        self._connection = connection
        self._stop = stop
        self._saying = threading.RLock()  # a warning may come from any thread
        self._last_progress = 0.0
        earlier = read_history(reversed(order.earlier_folders))
        self._reported = set(earlier.epochs)

    def run(self) -> dict[str, Any]:
        """Train or score, and return the fields of the "finished" event."""
        if self._order.purpose == "assembly":
            # Imported at use: torch, which a trainer without data never needs.
            from studies.running.assembly_process import run_assembly

            return run_assembly(self._order, self._report_progress, self._stop.is_set)
        session = self._session(CellSettings.model_validate(self._order.settings))
        entry = MODELS[session.model.name]
        if self._order.purpose == "test":
            result: TrainingResult = resolve_name(entry.scorer)(session, self._order.weights)
        else:
            result = resolve_name(entry.trainer)(session)
        return {
            "metrics": dict(result.metrics),
            "best_epoch": result.best_epoch,
            "epochs": result.epochs,
            "train_macs": result.train_macs,
            "note": result.note,
            "files": dict(result.files),
        }

    def note(self, event: str, **fields: JsonValue) -> None:
        """Write an event and wake the coordinator."""
        with self._saying:
            self._log.append(event, **fields)
            self._send(("wrote",))

    def _session(self, settings: CellSettings) -> TrainingSession:
        order = self._order
        return TrainingSession(
            task=order.task,
            model=settings.model,
            training=settings.training,
            evaluation=settings.evaluation,
            image_size=settings.data.image_size,
            seed=order.seed,
            micro_batch_divisor=order.micro_batch_divisor,
            objective=order.objective,
            maximize=order.maximize,
            scores_test=order.scores_test,
            time_limit_s=order.time_limit_s,
            folder=order.folder,
            earlier_folders=order.earlier_folders,
            data=lambda: self._open_data(settings),
            report=self._report,
            report_effective=self._report_effective,
            report_progress=self._report_progress,
            should_stop=self._stop.is_set,
            start=order.start,
            clip=clip_shape(settings.data),
        )

    def _open_data(self, settings: CellSettings) -> DataSource:
        # Imported at use: torch, which a trainer without data never needs.
        import torch

        from data_pipeline.source import open_data

        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return open_data(
            settings.data,
            self._order.task,
            self._order.seed,
            device=device,
            progress=self._report_reading,
        )

    def _report_reading(self, done: int, samples: int) -> None:
        """Say that the trial moves while its data is decoded for the first time."""
        if self._stop.is_set():
            raise Interrupted("asked to stop while decoding; what was decoded is kept")
        self._report_progress(0, done, samples)

    def _report(self, epoch: EpochReport) -> None:
        if epoch.epoch in self._reported:
            return
        self._reported.add(epoch.epoch)
        self.note(
            "epoch",
            epoch=epoch.epoch,
            metrics=dict(epoch.metrics),
            wall_s=epoch.wall_s,
            images_seen=epoch.images_seen,
            finished_at=epoch.finished_at,
        )

    def _report_effective(self, effective: Mapping[str, Any]) -> None:
        self.note("effective", **effective)

    def _report_progress(self, epoch: int, step: int, steps: int) -> None:
        now = time.monotonic()
        if now - self._last_progress >= PROGRESS_INTERVAL_S:
            self._last_progress = now
            self._send(("progress", epoch, step, steps))

    def _send(self, message: tuple[Any, ...]) -> None:
        # A vanished coordinator is seen by the listener.
        with self._saying, contextlib.suppress(OSError):
            self._connection.send(message)
