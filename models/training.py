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

Several processes may train together, each on its part of every batch: `models.ranks`. All of them
run this loop; the first one writes the files and reports.
"""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NoReturn

import torch

from models.best_weights import best_name, bring_best, drop_other_best, save_best
from models.checkpoints import Checkpoints
from models.determinism import random_state
from models.divergence import require_finite
from models.effective import FirstStep, check_optimizer, describe_training
from models.end_note import end_note
from models.epochs import training_macs, with_last_epoch
from models.memory import out_of_memory_named, peak_memory_mb, reset_peak_memory
from models.optimizers import read_learning_rate
from models.progress import Lap, Progress
from models.rank_randomness import restore_rank, seed_rank
from models.ranks import first_goes_ahead
from models.schedules import Place, learning_rate
from models.scoring import (
    epoch_objective,
    evaluate,
    micro_batch_size,
    prefixed,
    require_defined,
    score_splits,
)
from models.session import EpochReport, Interrupted, TrainingResult, TrainingSession
from models.shares import Shares, batch_sizes
from models.starting import load_start
from models.stepping import set_step_rate, take_step
from models.synced_norm import is_normalised
from models.tasks.task import Evaluator
from models.workbench import dump_state, load_state, load_weights, set_up

logger = logging.getLogger(__name__)

CHECK_STEPS = 16  # steps between looks whether the loss is finite; each makes a GPU wait
FINISHED_STEP = 99_999_999  # step of the small checkpoint that a finished training leaves
STARTED_FROM = ("pretrained", "transfer")  # facts that a checkpoint keeps


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
        self.ranks = session.ranks
        self.is_first = self.ranks.rank == 0
        with first_goes_ahead(self.ranks):
            self.bench = set_up(session)
        self.shares = Shares(self.ranks, is_even=is_normalised(self.bench.model))
        self.objective = epoch_objective(session, self.bench.task.metric_names)
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
        self.meter = session.meter
        self.reported = 0  # epochs told in this attempt
        self.committed_best = 0  # best epoch of the newest checkpoint
        self.is_described = False
        self.lap = Lap()

    def run(self) -> TrainingResult:
        """Train what is left, then score the best epoch's weights."""
        with first_goes_ahead(self.ranks):
            self._resume()
        if not self._is_finished():
            with first_goes_ahead(self.ranks):
                self.source.prepare()
                self.validation.prepare()
        while not self._is_finished():
            self._run_epoch()
        if not self.is_described:
            self._describe()
        result = self._score()
        self.ranks.wait()  # who is done leaves the group
        return result

    def _run_epoch(self) -> None:
        progress = self.progress
        rate = learning_rate(self.session.training, progress.val_losses)
        reset_peak_memory(self.bench.device)
        self.lap()
        for window in self._windows():
            if progress.step and self.ranks.decided(bool(self.meter.cuts())):
                progress.cut_at_step = progress.step
                break
            place = Place(progress.epoch, progress.step, self.steps)
            set_step_rate(self.bench, self.session.training, rate, place)
            images = self._run_step(window)
            progress.step += 1
            seconds = self.lap()
            self.meter.add(seconds=seconds, steps=1, images=images)
            progress.epoch_train_s += seconds
            self.session.report_progress(progress.epoch + 1, progress.step, self.steps)
            if self.ranks.decided(self.session.should_stop()):
                self._stop()
        self._finish_epoch()

    def _windows(self) -> Iterator[list[Any]]:
        """Yield what is left of the epoch, as the batches of one optimizer step each."""
        progress, accumulate = self.progress, self.session.training.accumulate
        if progress.step >= self.steps:
            return
        first = progress.step * accumulate
        epoch = self.source.epoch(progress.epoch + 1, first_batch=first, part=self.shares.part)
        batches = iter(epoch)
        while window := list(islice(batches, accumulate)):
            yield window

    def _run_step(self, window: list[Any]) -> int:
        """Take an optimizer step; return its images, those of all ranks."""
        bench, training = self.bench, self.session.training
        first = self.progress.step * training.accumulate
        sizes = batch_sizes(self.source, training.batch_size, range(first, first + len(window)))
        with self.ranks.together(meets_inside=self.shares.is_even):
            self._add_gradients(window, sizes)
        self.ranks.add_gradients(bench.model.parameters())
        take_step(bench, training)
        self.progress.epoch_images += sum(sizes)
        return sum(sizes)

    def _add_gradients(self, window: list[Any], sizes: list[int]) -> None:
        """Run this rank's part of a step's batches forward and backward."""
        bench, divisor = self.bench, self.session.micro_batch_divisor
        copies = [self.shares.copies(size) for size in sizes]
        parts = [
            (part, times)
            for batch, times in zip(window, copies, strict=True)
            for part in bench.task.split_batch(batch, divisor * times)
        ]
        if not self.is_described:
            self._describe(window, sizes, [part for part, _ in parts])
        for part, times in parts:
            result = bench.task.training_step(
                bench.network, bench.task.to_device(part, bench.device)
            )
            self._check_loss(result.loss.detach())
            bench.fabric.backward(result.loss * (result.images / (sum(sizes) * times)))
            if times == 1 or self.is_first:
                self.progress.add(result.sums)

    def _finish_epoch(self) -> None:
        progress, bench = self.progress, self.bench
        progress.join_sums(self.ranks, bench.device)
        train_metrics: dict[str, float] = {}
        with self.ranks.together():
            if self.is_first:
                train_metrics = prefixed("train", bench.task.summarise(progress.sums))
                self._require_finite("train/loss", train_metrics)  # not every step was looked at
        try:
            evaluator = evaluate(
                bench, self.validation, self.session, epoch=progress.epoch + 1, is_saved=False
            )
        except Interrupted:
            self._stop()
        peaks = self.ranks.gathered(peak_memory_mb(bench.device))
        report: EpochReport | None = None
        with self.ranks.together():
            seconds = self.lap()
            self.meter.add(seconds=seconds, epochs=1)
            if self.is_first:
                train_metrics["peak_memory_mb"] = max(peaks)
                report = self._epoch_report(train_metrics, evaluator, seconds)
        report = self.ranks.told(report)
        assert report is not None  # the first one has made it
        progress.finish_epoch(report)
        self._keep_if_best(report.metrics[self.objective])
        if progress.epoch % self.session.training.checkpoint_epochs == 0 or self._is_finished():
            self._checkpoint()

    def _epoch_report(
        self, metrics: Mapping[str, float], evaluator: Evaluator[Any], seconds: float
    ) -> EpochReport:
        """Put together what an epoch came to, `seconds` after its last step."""
        progress = self.progress
        metrics = {
            **metrics,
            **prefixed("val", evaluator.compute()),
            "learning_rate": read_learning_rate(self.bench.optimizer),
            "images_per_s": progress.epoch_images / max(progress.epoch_train_s, 1e-9),
            "seconds": progress.epoch_train_s + seconds,
        }
        self._require_finite("val/loss", metrics)
        require_defined(self.objective, metrics)
        return EpochReport(
            epoch=progress.epoch + 1,
            metrics=metrics,
            wall_s=progress.spent.seconds,
            images_seen=progress.spent.images,
            finished_at=time.time(),
        )

    def _keep_if_best(self, value: float) -> None:
        progress, maximize = self.progress, self.session.maximize
        better = value > progress.best_value if maximize else value < progress.best_value
        if progress.best_epoch == 0 or better:
            progress.best_epoch, progress.best_value = progress.epoch, value
            if self.is_first:
                save_best(self.session.folder, self.bench.model, progress.epoch)

    def _stop(self) -> NoReturn:
        self._checkpoint()
        progress = self.progress
        raise Interrupted(
            f"asked to stop in epoch {progress.epoch + 1} after step {progress.step} of "
            f"{self.steps}; a checkpoint was written"
        )

    def _checkpoint(self) -> None:
        self.progress.join_sums(self.ranks, self.bench.device)
        randoms = self.ranks.gathered(random_state())
        with self.ranks.together():
            if self.is_first:
                self._write_checkpoint(randoms)
            self._report()

    def _write_checkpoint(self, randoms: Sequence[dict[str, Any]]) -> None:
        """Write what a training of any number of ranks goes on from."""
        bench, progress = self.bench, self.progress
        state = {
            "progress": progress.to_state(),
            "model": bench.model.state_dict(),
            "optimizer": bench.optimizer.state_dict(),
            "precision": bench.fabric.strategy.precision.state_dict(),  # the gradient scaler
            "random": randoms[0],
            "random_of_others": list(randoms[1:]),
            "started_from": {name: self.effective[name] for name in STARTED_FROM},
        }
        self.checkpoints.save(state, epoch=progress.epoch, step=progress.step)
        # The checkpoint before this one is kept, and so are the weights that it names.
        drop_other_best(self.session, progress.best_epoch, self.committed_best)
        self.committed_best = progress.best_epoch

    def _resume(self) -> None:
        is_trained = self.session.training.epochs > 0  # else there is nothing to resume
        for file, state in self.checkpoints.newest() if is_trained else ():
            progress = Progress.from_state(state["progress"], self.bench.device)
            if progress.best_epoch and not bring_best(self.session, progress.best_epoch):
                logger.warning("skipping checkpoint %s: its best weights are gone", file)
                continue
            self.progress = progress
            if not self.is_first:
                progress.sums = {}
            self.committed_best = progress.best_epoch
            self.effective["resumed_from_step"] = progress.step
            if "model" in state:  # a finished training keeps no more than its progress
                self.bench.model.load_state_dict(state["model"])
                self.bench.optimizer.load_state_dict(state["optimizer"])
                self.bench.fabric.strategy.precision.load_state_dict(state["precision"])
                restore_rank(state, self.session, epoch=progress.epoch, step=progress.step)
                self.effective |= state["started_from"]
            break
        else:
            self._start()
        self.meter.restore(self.progress.spent)
        self.effective["resumed_from_epoch"] = self.progress.epoch
        self._report()

    def _start(self) -> None:
        """Begin with the first epoch; without one, what it begins with is the best there is."""
        session, bench = self.session, self.bench
        self.effective |= load_start(bench.model, session, bench.data.class_names)
        if not session.training.epochs and self.is_first:
            save_best(session.folder, bench.model, 0)
        seed_rank(session)

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
        if progress.epoch >= training.epochs or is_stale:
            return True
        return self.ranks.decided(bool(self.meter.reached()))

    def _score(self) -> TrainingResult:
        session, progress, bench = self.session, self.progress, self.bench
        self.ranks.wait()  # until the first one has written them
        load_weights(bench.model, session.folder / best_name(progress.best_epoch))
        metrics, files = score_splits(session, bench)
        # If the process dies before its result is noted, this lets the next attempt score again.
        if self.is_first:
            state = {"progress": progress.to_state()}
            last = self.checkpoints.save(state, epoch=progress.epoch, step=FINISHED_STEP)
            self.checkpoints.keep_only(last)
            drop_other_best(session, progress.best_epoch)
        return TrainingResult(
            metrics=metrics,
            best_epoch=progress.best_epoch,
            epochs=progress.epoch,
            train_macs=training_macs(bench.macs_per_image, progress.spent.images),
            note=end_note(
                progress,
                session.training,
                limit=self.meter.reached(),
                macs=training_macs(bench.macs_per_image, progress.spent.images),
                steps=self.steps,
                objective=self.objective,
            ),
            files={"weights": best_name(progress.best_epoch), **files},
        )

    def _describe(
        self,
        window: Sequence[Any] = (),
        sizes: Sequence[int] = (),
        parts: Sequence[Any] = (),
    ) -> None:
        """Report what the training runs with, and what its first step is, if it has one."""
        steps = {
            "train_images": self.source.images,
            "val_images": self.validation.images,
            "steps_per_epoch": self.steps,
        }
        input_shape = self.bench.task.input_shape
        first = FirstStep(
            [input_shape(batch) for batch in window],
            list(sizes),
            [input_shape(part)[0] for part in parts],
            ends_epoch=self.progress.step == self.steps - 1,
        )
        described = describe_training(self.session, self.bench, first)
        self.session.report_effective({**self.effective, **described, **steps})
        self.is_described = True

    def _check_loss(self, loss: torch.Tensor) -> None:
        is_due = self.bench.device.type == "cpu" or self.progress.step % CHECK_STEPS == 0
        if is_due:
            epoch, step = self.progress.epoch + 1, self.progress.step + 1
            require_finite(loss, f"train/loss in epoch {epoch}, step {step}")

    def _require_finite(self, name: str, metrics: Mapping[str, float]) -> None:
        value = torch.tensor(metrics[name], dtype=torch.float64)
        require_finite(value, f"{name} of epoch {self.progress.epoch + 1}")
