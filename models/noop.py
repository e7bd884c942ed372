"""A scripted trainer without a network: every fault is one line of a study file. Torch-free.

It keeps the obligations of the real trainer (checkpoints, reports, stopping, resuming), and its
score holds a term of 1e-6 that hangs on every epoch since the first: a final value that differs
from an undisturbed run's shows that an epoch was lost or ran twice.

    score(threshold) = planted score - 0.1 * |log10(threshold / optimum)| + chain
"""

import hashlib
import json
import math
import os
import signal
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from models.checkpoints import Checkpoints, UnreadableCheckpointError, write_atomically
from models.epochs import training_macs, with_last_epoch
from models.metrics.ratios import FloatArray
from models.metrics.segmentation import PROBABILITY_BINS, SigmoidPredictions
from models.noop_landscape import DECADE_COST, planted_score
from models.noop_settings import Fault, NoopSettings
from models.session import (
    Diverged,
    EpochReport,
    Interrupted,
    OutOfMemory,
    TrainingResult,
    TrainingSession,
)
from models.spending import Spent

CHAIN_SCALE = 1e-6
LOWEST_SCORE = 0.01
POLL_S = 0.01
LANDSCAPE = {"optimum", "interaction", "noise", "seed_noise", "images"}  # what scores hang on
SCORES = ("iou", "iou_image_mean", "dice", "pixel_accuracy", "class_accuracy")
PIXELS = 10**9  # labelled pixels of the one image whose predictions are written


@dataclass(slots=True)
class NoopState:
    """Everything that a checkpoint holds."""

    epoch: int  # finished
    chain: str  # hexadecimal digest over all epochs so far
    spent: dict[str, Any] = field(default_factory=dict)  # see `models.spending.Spent`
    history: list[dict[str, Any]] = field(default_factory=list)


def train(session: TrainingSession) -> TrainingResult:
    """Run the script of `session.model`."""
    settings = _settings(session)
    epoch_macs = training_macs(settings.macs_per_image, settings.images)
    session = replace(session, training=with_last_epoch(session.training, epoch_macs))
    checkpoints = Checkpoints(session.folder, session.earlier_folders, _dump, _load)
    _, state = next(checkpoints.newest(), (None, NoopState(0, _fingerprint(session, settings))))
    session.report_effective(_effective(session, state.epoch))
    for report in state.history:
        session.report(EpochReport(**report))
    session.meter.restore(Spent.from_state(state.spent))
    while state.epoch < session.training.epochs and not session.meter.reached():
        _run_epoch(session, settings, state, checkpoints)
    return _finish(session, settings, state)


def score_test(session: TrainingSession, weights: Path) -> TrainingResult:
    """Score the test split with the weights that `train` wrote."""
    final = json.loads(weights.read_text(encoding="utf-8"))
    metrics = _score(session, final["score"], "test")
    files = {"predictions_test": "predictions_test.npz"}
    return TrainingResult(metrics, final["epoch"], final["epoch"], train_macs=0.0, files=files)


def _run_epoch(
    session: TrainingSession, settings: NoopSettings, state: NoopState, checkpoints: Checkpoints
) -> None:
    epoch, started = state.epoch + 1, time.monotonic()
    fault = _due_fault(session, settings, epoch)
    while (left := started + settings.epoch_seconds - time.monotonic()) > 0 and fault is None:
        if session.should_stop():
            break
        time.sleep(min(POLL_S, left))
    if fault is not None:
        _strike(fault, session)
    if session.should_stop():
        checkpoints.save(state, epoch=state.epoch, step=0)
        raise Interrupted(f"asked to stop in epoch {epoch}; epoch {state.epoch} is checkpointed")
    state.epoch = epoch
    state.chain = hashlib.sha256(f"{state.chain} {epoch}".encode()).hexdigest()
    steps = -(-settings.images // session.training.batch_size)
    seconds = time.monotonic() - started
    session.meter.add(seconds=seconds, epochs=1, steps=steps, images=settings.images)
    state.spent = session.meter.cell.to_state()
    report = _report(session, settings, state)
    state.history.append(asdict(report))
    session.report_progress(epoch, 1, 1)
    if epoch % session.training.checkpoint_epochs == 0 or epoch == session.training.epochs:
        checkpoints.save(state, epoch=epoch, step=0)
    session.report(report)


def _report(session: TrainingSession, settings: NoopSettings, state: NoopState) -> EpochReport:
    # Rises to the planted score, so that curves look like training and the last epoch is best.
    missing = 0.2 * (1 - state.epoch / session.training.epochs)
    trained = max(LOWEST_SCORE, _trained_score(session, settings, state) - missing)
    value = float(_score_at(session, trained, np.array(session.evaluation.threshold)))
    spent = session.meter.cell
    seconds = max(spent.seconds, 1e-9)
    metrics = {
        "train/loss": 1 - value,
        "train/pixel_accuracy": value,
        "train/iou": value,
        **{f"val/{name}": value for name in SCORES},
        "val/loss": 1 - value,
        "learning_rate": session.training.learning_rate,
        "images_per_s": spent.images / seconds,
        "seconds": spent.seconds / state.epoch,
        "peak_memory_mb": 0.0,
    }
    if settings.reports == "objective":
        metrics = {session.objective: metrics[session.objective]}
    return EpochReport(
        epoch=state.epoch,
        metrics=metrics,
        wall_s=spent.seconds,
        images_seen=spent.images,
        finished_at=time.time(),
    )


def _finish(session: TrainingSession, settings: NoopSettings, state: NoopState) -> TrainingResult:
    score = _trained_score(session, settings, state)
    weights = json.dumps({"epoch": state.epoch, "score": score})
    name = f"best-{state.epoch}.json"
    write_atomically(session.folder / name, lambda stream: _write(stream, weights))
    files = {"weights": name, "predictions_val": "predictions_val.npz"}
    metrics = _score(session, score, "val")
    if session.scores_test:
        metrics |= _score(session, score, "test")
        files["predictions_test"] = "predictions_test.npz"
    stopped = state.epoch < session.training.epochs
    return TrainingResult(
        metrics=metrics,
        best_epoch=state.epoch,
        epochs=state.epoch,
        train_macs=training_macs(settings.macs_per_image, settings.images * state.epoch),
        note=f"{session.meter.reached()} reached after epoch {state.epoch}" if stopped else "",
        files=files,
    )


def _trained_score(session: TrainingSession, settings: NoopSettings, state: NoopState) -> float:
    """Return the score of the weights, before any threshold takes from it."""
    score = planted_score(
        settings,
        partial(_setting, session),
        seed=session.seed,
        identity=_fingerprint(session, settings),
    )
    score += CHAIN_SCALE * int(state.chain, 16) / 2**256
    return min(1.0, max(LOWEST_SCORE, score))


def _score_at(session: TrainingSession, trained: float, thresholds: FloatArray) -> FloatArray:
    """Return the IoU of weights of score `trained` at each threshold."""
    best = _settings(session).optimum.get("threshold")
    if best is None:
        return np.full(thresholds.shape, trained)
    lost = DECADE_COST * np.abs(np.log10(thresholds / best))
    return np.maximum(LOWEST_SCORE, trained - lost)


def _score(session: TrainingSession, trained: float, split: str) -> dict[str, float]:
    """Write predictions whose IoU at every threshold is the planted one; return their metrics."""
    grid = np.arange(1, PROBABILITY_BINS) / (PROBABILITY_BINS - 1)
    iou = _score_at(session, trained, grid)
    best = int(np.argmax(iou))
    # Beyond the best threshold finds are lost; before it, false finds are added.
    found = np.round(PIXELS * np.where(np.arange(grid.size) > best, iou, iou[best]))
    false = np.round(found / iou) - PIXELS
    false[best:] = 0
    predictions = SigmoidPredictions(
        image_ids=("planted",),
        class_names=("planted",),
        losses=np.array([1 - iou[best]]),
        positives=_histogram(found, PIXELS)[None, None],
        negatives=_histogram(false, 2 * PIXELS)[None, None],
    )
    predictions.save(session.folder / f"predictions_{split}.npz")
    metrics = predictions.metrics(session.evaluation)
    return {f"{split}/{name}": value for name, value in metrics.items()}


def _histogram(counts: FloatArray, total: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return bins of which those from k on add up to `counts[k - 1]`, and all to `total`."""
    ends = np.concatenate([[total], counts, [0]]).astype(np.int64)
    return ends[:-1] - ends[1:]


def _due_fault(session: TrainingSession, settings: NoopSettings, epoch: int) -> Fault | None:
    attempt = len(session.earlier_folders) + 1
    for fault in settings.faults:
        is_due = fault.at_epoch == epoch and attempt <= (fault.attempts or attempt)
        if fault.action == "oom":
            micro_batch = -(-session.training.batch_size // session.micro_batch_divisor)
            is_due = is_due and micro_batch > fault.fits_micro_batch
        if is_due and _matches(session, fault):
            return fault
    return None


def _matches(session: TrainingSession, fault: Fault) -> bool:
    values = {name: _setting(session, name) for name in fault.when}
    return all(
        value is not None and math.isclose(value, fault.when[name])
        for name, value in values.items()
    )


def _strike(fault: Fault, session: TrainingSession) -> None:
    """Do what the fault says; this does not return."""
    match fault.action:
        case "raise":
            raise RuntimeError(f"planted failure in epoch {fault.at_epoch}")
        case "oom":
            raise OutOfMemory(
                f"planted: a micro-batch must be at most {fault.fits_micro_batch} images, "
                f"got batch {session.training.batch_size} / {session.micro_batch_divisor}"
            )
        case "nan":
            raise Diverged(f"train/loss must be finite, got nan in epoch {fault.at_epoch}")
        case "hang":
            while True:
                time.sleep(1)
        case "exit" | "kill" | "segfault":
            _end_process(fault)


def _end_process(fault: Fault) -> None:
    if fault.action == "exit":
        os._exit(fault.code)
    number = signal.SIGKILL if fault.action == "kill" else signal.SIGSEGV
    if number == signal.SIGSEGV:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _setting(session: TrainingSession, name: str) -> float | None:
    if name in ("seed", "image_size"):
        return float(getattr(session, name))
    value: float | None = getattr(session.training, name)
    return None if value is None else float(value)


def _settings(session: TrainingSession) -> NoopSettings:
    if not isinstance(session.model, NoopSettings):
        raise TypeError(f"noop must be given its own settings, got {session.model!r}")
    return session.model


def _fingerprint(session: TrainingSession, settings: NoopSettings) -> str:
    """Hash what may change a result; faults, times and checkpoints may not."""
    facts = {
        "training": session.training.model_dump(mode="json", exclude={"checkpoint_epochs"}),
        "model": settings.model_dump(mode="json", include=LANDSCAPE),
        "image_size": session.image_size,
        "seed": session.seed,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _effective(session: TrainingSession, resumed_from_epoch: int) -> dict[str, Any]:
    training = session.training
    return {
        "device": "none",
        "optimizer": training.optimizer,
        "learning_rate": training.learning_rate,
        "batch_size": training.batch_size,
        "micro_batch": -(-training.batch_size // session.micro_batch_divisor),
        "image_size": session.image_size,
        "resumed_from_epoch": resumed_from_epoch,
    }


def _dump(state: NoopState, stream: BinaryIO) -> None:
    _write(stream, json.dumps(asdict(state)))


def _load(stream: BinaryIO) -> NoopState:
    try:
        content = json.load(stream)
        content.pop("wall_s", None)  # of before budgets
        return NoopState(**content)
    except (ValueError, TypeError) as error:
        raise UnreadableCheckpointError(f"is not a state of noop: {error}") from error


def _write(stream: BinaryIO, text: str) -> None:
    stream.write(text.encode())
