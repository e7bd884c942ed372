"""The training loop: epochs, micro-batches, early stopping, exact resume.

Knows no task, no tracker and no study. What happens when an epoch is finished, in this order:

    best weights written (if better) ──► checkpoint ──► older files deleted ──► epoch reported

so a report is never ahead of what a kill leaves behind, and an epoch that was checkpointed but
not yet reported is reported by the next attempt. A stop in the middle of an epoch writes a
checkpoint after the current optimizer step; a run that was stopped or killed ends, on a CPU, bit
for bit like one that was not.

Gradients: a batch's loss is the mean over its images. Batches that are accumulated, and the
micro-batches that a batch is cut into to save memory, are weighted by their images; so all ways
to cut the same images give the same gradient, up to rounding. (Not with batch normalisation,
whose statistics are those of a micro-batch.)
"""

import difflib
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, NoReturn

import torch

from models.best_weights import best_name, bring_best, drop_other_best, save_best
from models.checkpoints import Checkpoints
from models.determinism import random_state, restore_random_state
from models.divergence import require_finite
from models.effective import check_batch, check_optimizer, describe, describe_clips
from models.epochs import ROUNDING, training_macs, with_last_epoch
from models.memory import out_of_memory_named, peak_memory_mb, reset_peak_memory
from models.optimizers import read_learning_rate
from models.progress import Lap, Progress
from models.schedules import learning_rate
from models.scoring import evaluate, micro_batch_size, prefixed, require_defined, score_splits
from models.session import EpochReport, Interrupted, TrainingResult, TrainingSession
from models.starting import load_start
from models.stepping import set_step_rate, take_step
from models.workbench import dump_state, load_state, load_weights, set_up

logger = logging.getLogger(__name__)

OVERTIME = 1.5  # an epoch is cut short when the time limit is exceeded this many times
CHECK_STEPS = 16  # steps between looks whether the loss is finite; each makes a GPU wait
FINISHED_STEP = 99_999_999  # step of the small checkpoint that a finished training leaves
STARTED_FROM = ("pretrained", "transfer")  # facts that a checkpoint keeps
UNTRAINED = "training.epochs is 0: the weights that it starts from were scored"


def train(session: TrainingSession) -> TrainingResult:
    """Train one cell, from the newest checkpoint of all its attempts on.

    With `scores_test` epochs are still compared on validation; the test split is scored once.

    Raises:
        TrainingEnd: see `models.session`.
        SettingWithoutEffectError: a setting did not arrive where it acts.
        ValueError: the objective is no metric of the task, or a split is empty.
    """
    with out_of_memory_named():
        return _Training(session).run()


class _Training:
    """One attempt."""

    def __init__(self, session: TrainingSession) -> None:
        self.session = session
        self.bench = set_up(session)
        self.objective = self._objective()
        self.effective = check_optimizer(session, self.bench)
        self.source = self.bench.data.training(session.training.batch_size)
        self.validation = self.bench.data.validation(micro_batch_size(session))
        if len(self.source) == 0:
            raise ValueError(
                "the training split must hold a batch, got none; check data.limit and data.split"
            )
        epoch_macs = training_macs(self.bench.macs_per_image, self.source.images)
        self.session = replace(session, training=with_last_epoch(session.training, epoch_macs))
        self.steps = math.ceil(len(self.source) / session.training.accumulate)
        self.checkpoints = Checkpoints(
            session.folder, session.earlier_folders, dump_state, load_state
        )
        self.progress = Progress()
        self.reported = 0  # epochs told in this attempt
        self.committed_best = 0  # best epoch of the newest checkpoint
        self.is_described = False
        self.lap = Lap()

    def run(self) -> TrainingResult:
        """Train what is left, then score the best epoch's weights."""
        self._resume()
        if not self._is_finished():
            self.source.prepare()
            self.validation.prepare()
        while not self._is_finished():
            self._run_epoch()
        if not self.is_described:
            self._describe()
        return self._score()

    def _run_epoch(self) -> None:
        progress = self.progress
        rate = learning_rate(self.session.training, progress.val_losses)
        reset_peak_memory(self.bench.device)
        self.lap()
        for window in self._windows():
            epochs = progress.epoch + progress.step / self.steps
            set_step_rate(self.bench, self.session.training, rate, epochs=epochs)
            self._run_step(window)
            progress.step += 1
            seconds = self.lap()
            progress.wall_s += seconds
            progress.epoch_train_s += seconds
            self.session.report_progress(progress.epoch + 1, progress.step, self.steps)
            if self.session.should_stop():
                self._stop()
            if self._is_late(OVERTIME) and progress.step < self.steps:
                progress.cut_at_step = progress.step
                break
        self._finish_epoch()

    def _windows(self) -> Iterator[list[Any]]:
        """Yield what is left of the epoch, as the batches of one optimizer step each."""
        progress, accumulate = self.progress, self.session.training.accumulate
        if progress.step >= self.steps:
            return
        first = progress.step * accumulate
        batches = iter(self.source.epoch(progress.epoch + 1, first_batch=first))
        while window := list(islice(batches, accumulate)):
            yield window

    def _run_step(self, window: list[Any]) -> None:
        bench, progress = self.bench, self.progress
        divisor = self.session.micro_batch_divisor
        parts = [part for batch in window for part in bench.task.split_batch(batch, divisor)]
        if not self.is_described:
            self._describe(window, parts)
        images = sum(bench.task.input_shape(batch)[0] for batch in window)
        for part in parts:
            result = bench.task.training_step(
                bench.network, bench.task.to_device(part, bench.device)
            )
            self._check_loss(result.loss.detach())
            bench.fabric.backward(result.loss * (result.images / images))
            progress.add(result.sums)
        take_step(bench, self.session.training)
        progress.images_seen += images
        progress.epoch_images += images

    def _finish_epoch(self) -> None:
        progress, bench = self.progress, self.bench
        train_metrics = prefixed("train", bench.task.summarise(progress.sums))
        self._require_finite("train/loss", train_metrics)  # not every step was looked at
        try:
            evaluator = evaluate(
                bench, self.validation, self.session, epoch=progress.epoch + 1, is_saved=False
            )
        except Interrupted:
            self._stop()
        seconds = self.lap()
        progress.wall_s += seconds
        metrics = {
            **train_metrics,
            **prefixed("val", evaluator.compute()),
            "learning_rate": read_learning_rate(bench.optimizer),
            "images_per_s": progress.epoch_images / max(progress.epoch_train_s, 1e-9),
            "seconds": progress.epoch_train_s + seconds,
            "peak_memory_mb": peak_memory_mb(bench.device),
        }
        self._require_finite("val/loss", metrics)
        require_defined(self.objective, metrics)
        progress.finish_epoch(
            EpochReport(
                epoch=progress.epoch + 1,
                metrics=metrics,
                wall_s=progress.wall_s,
                images_seen=progress.images_seen,
                finished_at=time.time(),
            )
        )
        self._keep_if_best(metrics[self.objective])
        if progress.epoch % self.session.training.checkpoint_epochs == 0 or self._is_finished():
            self._checkpoint()

    def _keep_if_best(self, value: float) -> None:
        progress, maximize = self.progress, self.session.maximize
        better = value > progress.best_value if maximize else value < progress.best_value
        if progress.best_epoch == 0 or better:
            progress.best_epoch, progress.best_value = progress.epoch, value
            save_best(self.session.folder, self.bench.model, progress.epoch)

    def _stop(self) -> NoReturn:
        self._checkpoint()
        progress = self.progress
        raise Interrupted(
            f"asked to stop in epoch {progress.epoch + 1} after step {progress.step} of "
            f"{self.steps}; a checkpoint was written"
        )

    def _checkpoint(self) -> None:
        bench, progress = self.bench, self.progress
        state = {
            "progress": progress.to_state(),
            "model": bench.model.state_dict(),
            "optimizer": bench.optimizer.state_dict(),
            "precision": bench.fabric.strategy.precision.state_dict(),  # the gradient scaler
            "random": random_state(),
            "started_from": {name: self.effective[name] for name in STARTED_FROM},
        }
        self.checkpoints.save(state, epoch=progress.epoch, step=progress.step)
        # The checkpoint before this one is kept, and so are the weights that it names.
        drop_other_best(self.session, progress.best_epoch, self.committed_best)
        self.committed_best = progress.best_epoch
        self._report()

    def _resume(self) -> None:
        is_trained = self.session.training.epochs > 0  # else there is nothing to resume
        for file, state in self.checkpoints.newest() if is_trained else ():
            progress = Progress.from_state(state["progress"], self.bench.device)
            if progress.best_epoch and not bring_best(self.session, progress.best_epoch):
                logger.warning("skipping checkpoint %s: its best weights are gone", file)
                continue
            self.progress = progress
            self.committed_best = progress.best_epoch
            self.effective["resumed_from_step"] = progress.step
            if "model" in state:  # a finished training keeps no more than its progress
                self.bench.model.load_state_dict(state["model"])
                self.bench.optimizer.load_state_dict(state["optimizer"])
                self.bench.fabric.strategy.precision.load_state_dict(state["precision"])
                restore_random_state(state["random"])
                self.effective |= state["started_from"]
            break
        else:
            self._start()
        self.effective["resumed_from_epoch"] = self.progress.epoch
        self._report()

    def _start(self) -> None:
        """Begin with the first epoch; without one, what it begins with is the best there is."""
        session, bench = self.session, self.bench
        self.effective |= load_start(bench.model, session, bench.data.class_names)
        if not session.training.epochs:
            save_best(session.folder, bench.model, 0)

    def _report(self) -> None:
        for report in self.progress.history[self.reported :]:
            self.session.report(report)
        self.reported = len(self.progress.history)

    def _is_finished(self) -> bool:
        progress, training = self.progress, self.session.training
        if progress.step > 0 or progress.epoch == 0:
            return not training.epochs
        waited, patience = progress.epoch - progress.best_epoch, training.early_stopping_epochs
        is_stale = patience is not None and waited >= patience
        return progress.epoch >= training.epochs or is_stale or self._is_late(1.0)

    def _is_late(self, times: float) -> bool:
        limit = self.session.time_limit_s
        return limit is not None and self.progress.wall_s >= times * limit

    def _score(self) -> TrainingResult:
        session, progress, bench = self.session, self.progress, self.bench
        load_weights(bench.model, session.folder / best_name(progress.best_epoch))
        metrics, files = score_splits(session, bench)
        # If the process dies before its result is noted, this lets the next attempt score again.
        state = {"progress": progress.to_state()}
        last = self.checkpoints.save(state, epoch=progress.epoch, step=FINISHED_STEP)
        self.checkpoints.keep_only(last)
        drop_other_best(session, progress.best_epoch)
        return TrainingResult(
            metrics=metrics,
            best_epoch=progress.best_epoch,
            epochs=progress.epoch,
            train_macs=training_macs(bench.macs_per_image, progress.images_seen),
            note=self._note(),
            files={"weights": best_name(progress.best_epoch), **files},
        )

    def _note(self) -> str:
        progress, training = self.progress, self.session.training
        limit = self.session.time_limit_s
        if progress.cut_at_step:
            return (
                f"time limit of {limit:g} s reached in epoch {progress.epoch}, "
                f"which ended after step {progress.cut_at_step} of {self.steps}"
            )
        if not training.epochs:
            return UNTRAINED
        if progress.epoch >= training.epochs:
            return self._macs_note()
        if self._is_late(1.0):
            return f"time limit of {limit:g} s reached after epoch {progress.epoch}"
        return (
            f"stopped early after epoch {progress.epoch}: "
            f"no better {self.objective} since epoch {progress.best_epoch}"
        )

    def _macs_note(self) -> str:
        """Say that compute ended the training, if it was that."""
        limit = self.session.training.macs_limit
        spent = training_macs(self.bench.macs_per_image, self.progress.images_seen)
        if limit is None or spent < limit * (1 - ROUNDING):
            return ""
        return f"training.macs_limit of {limit:g} spent after epoch {self.progress.epoch}"

    def _objective(self) -> str:
        """Return the epoch metric to compare by: always the validation split's."""
        name = self.session.objective.partition("/")[2]
        known = self.bench.task.metric_names
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"objective must be a metric of the task ({', '.join(known)}), "
                f"got {self.session.objective!r}{meant}"
            )
        return f"val/{name}"

    def _describe(self, window: Iterable[Any] = (), parts: Iterable[Any] = ()) -> None:
        """Report what the training runs with, and what its first step is, if it has one."""
        shapes = [self.bench.task.input_shape(batch) for batch in window]
        first = self.progress.step * self.session.training.accumulate
        for index, shape in enumerate(shapes, start=first):
            check_batch(self.session, shape, is_last=index == len(self.source) - 1)
        sizes = [self.bench.task.input_shape(part)[0] for part in parts]
        self.session.report_effective(
            {
                **self.effective,
                **describe(self.bench),
                **describe_clips(self.session),
                "batch_shapes": [list(shape) for shape in shapes],
                "batch_size": shapes[0][0] if shapes else None,
                "micro_batch": max(sizes, default=None),
                "accumulate": len(shapes) or None,
                "first_learning_rate": read_learning_rate(self.bench.optimizer)
                if shapes
                else None,
                "clip_gradients": self.session.training.clip_gradients,
                "train_images": self.source.images,
                "val_images": self.validation.images,
                "steps_per_epoch": self.steps,
            }
        )
        self.is_described = True

    def _check_loss(self, loss: torch.Tensor) -> None:
        is_due = self.bench.device.type == "cpu" or self.progress.step % CHECK_STEPS == 0
        if is_due:
            epoch, step = self.progress.epoch + 1, self.progress.step + 1
            require_finite(loss, f"train/loss in epoch {epoch}, step {step}")

    def _require_finite(self, name: str, metrics: Mapping[str, float]) -> None:
        value = torch.tensor(metrics[name], dtype=torch.float64)
        require_finite(value, f"{name} of epoch {self.progress.epoch + 1}")
