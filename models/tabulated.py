"""A trainer that plays back recorded trainings, to compare searches in seconds; torch-free.

Its scores are those that a real network had after every epoch of a real training, see
`benchmarks/record_landscape.py`. It keeps the obligations of the real trainer: checkpoints,
reports, stopping, resuming.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from models.checkpoints import Checkpoints, UnreadableCheckpointError, write_atomically
from models.session import EpochReport, Interrupted, TrainingResult, TrainingSession
from models.spending import Spent
from models.tabulated_settings import (
    TabulatedSettings,
    point_of,
    read_landscape,
    training_fault,
)

POLL_S = 0.01
Curve = Sequence[Mapping[str, float]]


@dataclass(slots=True)
class _State:
    """Everything that a checkpoint holds."""

    epoch: int  # finished
    spent: dict[str, Any]


def train(session: TrainingSession) -> TrainingResult:
    """Play back the training that `session` describes.

    Raises:
        ValueError: It was not recorded.
    """
    settings, curve = _recorded(session)
    checkpoints = Checkpoints(session.folder, session.earlier_folders, _dump, _load)
    _, state = next(checkpoints.newest(), (None, _State(0, {})))
    session.report_effective(_effective(session, state.epoch))
    session.meter.restore(Spent.from_state(state.spent))
    while state.epoch < session.training.epochs and not session.meter.reached():
        _run_epoch(session, settings, state, checkpoints, curve=curve)
    return _finish(session, state.epoch, curve)


def score_test(session: TrainingSession, weights: Path) -> TrainingResult:
    """Return no metrics: of the test split nothing was recorded."""
    epoch = int(json.loads(weights.read_text(encoding="utf-8"))["epoch"])
    note = "the recording holds no test scores"
    return TrainingResult({}, epoch, session.training.epochs, train_macs=0.0, note=note)


def _recorded(session: TrainingSession) -> tuple[TabulatedSettings, Curve]:
    settings = session.model
    if not isinstance(settings, TabulatedSettings):
        raise TypeError(f"tabulated must be given its own settings, got {settings!r}")
    if fault := training_fault(settings, session.training):
        raise ValueError(fault)
    curves = read_landscape(settings.landscape).curves
    key = (point_of(session.training), session.seed)
    if key not in curves:
        raise ValueError(f"seed must be one that was recorded, got {session.seed}")
    return settings, curves[key]


def _run_epoch(
    session: TrainingSession,
    settings: TabulatedSettings,
    state: _State,
    checkpoints: Checkpoints,
    *,
    curve: Curve,
) -> None:
    epoch, started = state.epoch + 1, time.monotonic()
    while (left := started + settings.epoch_seconds - time.monotonic()) > 0:
        if session.should_stop():
            break
        time.sleep(min(POLL_S, left))
    if session.should_stop():
        checkpoints.save(state, epoch=state.epoch, step=0)
        raise Interrupted(f"asked to stop in epoch {epoch}; epoch {state.epoch} is checkpointed")
    session.meter.add(seconds=time.monotonic() - started, epochs=1)
    state.epoch, state.spent = epoch, session.meter.cell.to_state()
    session.report_progress(epoch, 1, 1)
    checkpoints.save(state, epoch=epoch, step=0)
    spent = session.meter.cell
    session.report(
        EpochReport(
            epoch=epoch,
            metrics={
                **curve[epoch - 1],
                "learning_rate": session.training.learning_rate,
                "seconds": spent.seconds / epoch,
            },
            wall_s=spent.seconds,
            images_seen=spent.images,
            finished_at=time.time(),
        )
    )


def _finish(session: TrainingSession, epochs: int, curve: Curve) -> TrainingResult:
    """Score the best of the epochs that were played back."""
    sign = 1 if session.maximize else -1
    ranked = [sign * each[session.objective] for each in curve[:epochs]]
    best = ranked.index(max(ranked)) + 1
    name = f"best-{best}.json"
    write_atomically(session.folder / name, lambda stream: _write(stream, {"epoch": best}))
    is_short = epochs < session.training.epochs
    return TrainingResult(
        metrics=dict(curve[best - 1]),
        best_epoch=best,
        epochs=epochs,
        train_macs=0.0,
        note=f"{session.meter.reached()} reached after epoch {epochs}" if is_short else "",
        files={"weights": name},
    )


def _effective(session: TrainingSession, resumed_from_epoch: int) -> dict[str, Any]:
    training = session.training
    return {
        "device": "none",
        "optimizer": training.optimizer,
        "learning_rate": training.learning_rate,
        "batch_size": training.batch_size,
        "resumed_from_epoch": resumed_from_epoch,
    }


def _dump(state: _State, stream: BinaryIO) -> None:
    _write(stream, {"epoch": state.epoch, "spent": state.spent})


def _load(stream: BinaryIO) -> _State:
    try:
        return _State(**json.load(stream))
    except (ValueError, TypeError) as error:
        raise UnreadableCheckpointError(f"is not a state of tabulated: {error}") from error


def _write(stream: BinaryIO, content: Mapping[str, Any]) -> None:
    stream.write(json.dumps(content).encode())
