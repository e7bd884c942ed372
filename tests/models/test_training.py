import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.checkpoints import Checkpoints
from models.segmentation.settings import UNetSettings
from models.session import EpochReport, Interrupted, OutOfMemory, TrainingResult
from models.spending import Meter, TrainingLimits
from models.training import train
from models.workbench import dump_state, load_state, set_up

TIMES = {"images_per_s", "seconds", "peak_memory_mb"}


class Killed(BaseException):
    """Stands for a SIGKILL: nothing of ours may catch it."""


def comparable(result: TrainingResult, reports: list[EpochReport]) -> dict[str, Any]:
    """Everything but times; of repeated reports, the last."""
    return {
        "metrics": result.metrics,
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "train_macs": result.train_macs,
        "history": {
            report.epoch: (
                {name: value for name, value in report.metrics.items() if name not in TIMES},
                report.images_seen,
            )
            for report in reports
        },
    }


def weights(result: TrainingResult, folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder / result.files["weights"])
    return loaded


def run_to_end(cell: Any) -> dict[str, Any]:  # Attempts of conftest
    result = train(cell.session())
    return {
        **comparable(result, cell.reports),
        "weights": {
            name: value.tolist() for name, value in weights(result, cell.folders[-1]).items()
        },
    }


RECIPES: dict[str, dict[str, Any]] = {
    "adam and steps": {"schedule": {"name": "step", "every_epochs": 1, "factor": 0.5}},
    "momentum": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
    "plateau": {
        "optimizer": "rmsprop",
        "schedule": {"name": "plateau", "patience_epochs": 0, "factor": 0.1},
        "learning_rate": 0.3,
    },
    "accumulation": {"accumulate": 2, "optimizer": "adamw", "schedule": {"name": "cosine"}},
    "rare checkpoints": {"checkpoint_epochs": 2, "loss": "cross_entropy"},
    "bfloat16": {"precision": "bf16-mixed"},
    "warm-up, short gradients, blocks computed again": {
        "optimizer": "sgd",
        "momentum": 0.9,
        "accumulate": 2,
        "schedule": {"name": "cosine"},
        "warmup": {"epochs": 1.4},
        "clip_gradients": 0.05,
        "gradient_checkpointing": True,
    },
    "weighted pixels": {
        "loss": "softmax_focal",
        "class_weights": "median_frequency",
        "border_weight": {"of": "bright square"},
    },
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_stopped_at_any_moments_ends_bit_identical(
    recipe: str, attempts: Callable[..., Any]
) -> None:
    expected_cell = attempts(training=RECIPES[recipe])
    expected = run_to_end(expected_cell)
    polls = expected_cell.polls
    # Stops after every poll in turn, and once more two polls later: mid-epoch, while
    # validating, at an epoch's end and while the best weights are scored.
    step = 1 if recipe == "momentum" else 4
    for moment in range(1, polls + 1, step):
        cell = attempts(training=RECIPES[recipe])
        for stop in (moment, 2):
            try:
                train(cell.session(stop_at_poll=stop))
            except Interrupted:
                continue
        assert run_to_end(cell) == expected, f"stopped at poll {moment}"


@pytest.mark.parametrize("recipe", ["momentum", "rare checkpoints"])
def test_training_killed_at_any_step_ends_bit_identical(
    recipe: str, attempts: Callable[..., Any]
) -> None:
    expected = run_to_end(attempts(training=RECIPES[recipe]))
    for death in range(1, 10, 2):
        cell = attempts(training=RECIPES[recipe])

        def die(epoch: int, step: int, steps: int, death: int = death) -> None:
            if (epoch - 1) * steps + step == death:
                raise Killed

        with pytest.raises(Killed):
            train(cell.session(on_progress=die))
        assert run_to_end(cell) == expected, f"killed at step {death}"


def test_random_states_are_resumed_too(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    class Noisy(tiny_data):  # type: ignore[misc,valid-type]
        """Draws from the global generators, as dropout and some augmentations do."""

        def training(self, batch_size: int) -> Any:
            source = super().training(batch_size)
            original = source.epoch

            def epoch(number: int, **cut: Any) -> Iterator[Any]:
                for batch in original(number, **cut):
                    noise = torch.randint(0, 20, batch.images.shape, dtype=torch.uint8)
                    shift = random.randrange(10) + int(np.random.randint(10))  # noqa: NPY002
                    yield replace(batch, images=batch.images // 2 + noise + shift)

            source.epoch = epoch
            return source

    expected = run_to_end(attempts(data=Noisy()))
    for moment in (1, 2, 5, 7, 11):
        cell = attempts(data=Noisy())
        with pytest.raises(Interrupted):
            train(cell.session(stop_at_poll=moment))
        assert run_to_end(cell) == expected, f"stopped at poll {moment}"


def test_resumed_training_repeats_no_checkpointed_epoch(attempts: Callable[..., Any]) -> None:
    cell = attempts()
    with pytest.raises(Interrupted):
        train(cell.session(stop_at_poll=7))  # second epoch, second step: each has 3 and scores 2
    seen: list[tuple[int, int]] = []
    train(cell.session(on_progress=lambda epoch, step, _: seen.append((epoch, step))))
    assert seen[0][0] == 2
    assert cell.effective[1]["resumed_from_epoch"] == 1
    assert cell.effective[1]["resumed_from_step"] == seen[0][1] - 1


def test_epoch_that_was_checkpointed_but_not_reported_is_reported_by_the_next_attempt(
    attempts: Callable[..., Any],
) -> None:
    cell = attempts()

    def die(_: EpochReport) -> None:
        raise Killed

    with pytest.raises(Killed):
        train(cell.session(report=die))
    train(cell.session())
    assert [report.epoch for report in cell.reports] == [1, 2, 3]


def test_training_falls_back_when_the_newest_checkpoint_is_torn(
    attempts: Callable[..., Any],
) -> None:
    falling = {"objective": "val/loss", "maximize": False}
    expected = run_to_end(attempts(**falling))
    cell = attempts(**falling)

    def die(report: EpochReport) -> None:
        if report.epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        train(cell.session(report=die))
    bests = {file.name for file in cell.folders[0].glob("best-*.pt")}
    assert bests == {"best-1.pt", "best-2.pt"}, "each kept checkpoint needs its own"
    newest = max(cell.folders[0].glob("*.ckpt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    assert run_to_end(cell) == expected
    assert cell.effective[1]["resumed_from_epoch"] == 1


def test_training_starts_over_when_best_weights_are_gone(attempts: Callable[..., Any]) -> None:
    expected = run_to_end(attempts())
    cell = attempts()
    with pytest.raises(Interrupted):
        train(cell.session(stop_at_poll=8))
    for file in cell.folders[0].glob("best-*.pt"):
        file.unlink()
    assert run_to_end(cell) == expected


def test_attempt_killed_after_training_scores_again_without_training(
    attempts: Callable[..., Any],
) -> None:
    cell = attempts()
    first = run_to_end(cell)
    seen: list[tuple[int, int, int]] = []
    again = train(cell.session(on_progress=lambda *step: seen.append(step)))
    epochs, _, batches = seen[-1]
    assert seen == [(epochs, step, batches) for step in range(1, batches + 1)], "one pass: scoring"
    assert epochs == cell.session().training.epochs
    assert again.metrics == first["metrics"]
    assert (cell.folders[1] / again.files["weights"]).is_file()


def test_finished_training_leaves_weights_predictions_and_a_picture(
    attempts: Callable[..., Any],
) -> None:
    cell = attempts(scores_test=True)
    result = train(cell.session())
    kept = {"weights", "predictions_val", "predictions_test", "predictions_strip"}
    assert kept <= set(result.files)
    left = {file.name for file in cell.folders[0].iterdir()}
    assert set(result.files.values()) <= left
    small = left - set(result.files.values())
    assert len(small) == 1, "one small checkpoint that holds progress and no weights"
    store = Checkpoints(cell.folders[0], (), dump_state, load_state)
    assert [set(state) for _, state in store.newest()] == [{"progress"}]
    assert {"val/iou", "test/iou"} <= set(result.metrics)


def test_best_weights_are_those_of_the_best_epoch(attempts: Callable[..., Any]) -> None:
    cell = attempts(
        training={"epochs": 5, "learning_rate": 0.3}, objective="val/loss", maximize=False
    )
    result = train(cell.session())
    losses = {report.epoch: report.metrics["val/loss"] for report in cell.reports}
    best = min(losses, key=lambda epoch: losses[epoch])
    assert best < 5, "the case must overshoot"
    assert result.best_epoch == best
    assert result.metrics["val/loss"] == losses[best]
    assert [file.name for file in cell.folders[0].glob("best-*.pt")] == [f"best-{best}.pt"]


@pytest.mark.parametrize("divisor", [2, 4])
def test_micro_batches_give_the_gradient_of_the_whole_batch(
    divisor: int, attempts: Callable[..., Any]
) -> None:
    training = {"optimizer": "sgd", "batch_size": 4, "epochs": 2, "learning_rate": 0.1}
    whole, cut = (
        attempts(training=training),
        attempts(training=training, micro_batch_divisor=divisor),
    )
    expected, result = train(whole.session()), train(cut.session())
    assert cut.effective[0]["micro_batch"] == 4 // divisor
    for name, value in weights(expected, whole.folders[0]).items():
        torch.testing.assert_close(
            weights(result, cut.folders[0])[name], value, rtol=1e-4, atol=1e-6
        )


def test_accumulated_batches_give_the_gradient_of_one_large_batch(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    common = {"optimizer": "sgd", "epochs": 2, "learning_rate": 0.1}
    data = tiny_data(count=8)
    large = attempts(training={**common, "batch_size": 4}, data=data)
    small = attempts(training={**common, "batch_size": 2, "accumulate": 2}, data=data)
    expected, result = train(large.session()), train(small.session())
    for name, value in weights(expected, large.folders[0]).items():
        torch.testing.assert_close(
            weights(result, small.folders[0])[name], value, rtol=1e-4, atol=1e-6
        )


def test_unet_overfits_a_tiny_set(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any]
) -> None:
    class Memorised(tiny_data):  # type: ignore[misc,valid-type]
        def validation(self, batch_size: int) -> Any:
            return self.training(batch_size)

    cell = attempts(
        model=UNetSettings(base_channels=8, depth=2),
        training={"epochs": 80, "batch_size": 2, "learning_rate": 0.003, "checkpoint_epochs": 80},
        data=Memorised(count=4, size=16),
    )
    assert train(cell.session()).metrics["val/iou"] > 0.9


def test_early_stopping_ends_after_the_patience(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"epochs": 30, "learning_rate": 1e-9, "early_stopping_epochs": 2})
    result = train(cell.session())
    assert (result.epochs, result.best_epoch) == (3, 1)
    assert result.note == "stopped early after epoch 3: no better val/iou since epoch 1"


def test_time_limit_ends_the_epoch_and_scores(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"epochs": 1000}, meter=Meter(TrainingLimits(seconds=0.2)))
    result = train(cell.session())
    assert 1 <= result.epochs < 1000
    assert "time limit of 0.2 s reached" in result.note
    assert "val/iou" in result.metrics


def test_epoch_far_longer_than_the_time_limit_is_cut_and_scored(
    attempts: Callable[..., Any],
) -> None:
    cell = attempts(meter=Meter(TrainingLimits(seconds=1e-6)))
    result = train(cell.session())
    assert result.note == (
        "time limit of 1e-06 s reached in epoch 1, which ended after step 1 of 3"
    )
    assert cell.reports[0].images_seen == 2
    assert "val/iou" in result.metrics


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError("9 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_running_out_of_memory_is_told_apart(
    error: Exception, attempts: Callable[..., Any]
) -> None:
    def fill_memory(*_: int) -> None:
        raise error

    with pytest.raises(OutOfMemory):
        train(attempts().session(on_progress=fill_memory))


def test_other_errors_pass_through(attempts: Callable[..., Any]) -> None:
    def fail(*_: int) -> None:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        train(attempts().session(on_progress=fail))


def test_unknown_objective_fails_before_training(attempts: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="got 'val/iuo'; did you mean 'iou'"):
        train(attempts(objective="val/iuo").session())


def test_half_precision_on_a_cpu_is_refused(attempts: Callable[..., Any]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match="16-mixed needs a GPU"):
        set_up(attempts(training={"precision": "16-mixed"}).session())


def test_train_macs_are_three_forward_passes_per_image_seen(attempts: Callable[..., Any]) -> None:
    cell = attempts()
    result = train(cell.session())
    # base 2, depth 1 at 8 px: convolutions at 8 px 3→2, 2→2, 4→2, 2→2 and 1x1 2→2; at 4 px
    # 2→4, 4→4; the up-convolution 4→2 makes 4 pixels of each of 4x4 with one tap each.
    forward = 64 * (9 * (3 * 2 + 2 * 2 + 4 * 2 + 2 * 2) + 2 * 2) + 16 * 9 * (2 * 4 + 4 * 4)
    forward += 16 * 4 * 4 * 2
    assert cell.effective[0]["macs_per_image"] == forward
    assert result.train_macs == 3 * forward * 5 * 3


def test_epoch_reports_hold_every_metric(attempts: Callable[..., Any]) -> None:
    cell = attempts(training={"schedule": {"name": "step", "every_epochs": 1, "factor": 0.1}})
    train(cell.session())
    first = cell.reports[0].metrics
    assert {
        "train/loss",
        "train/pixel_accuracy",
        "train/iou",
        "val/loss",
        "val/iou",
        "val/iou_bright_square",
        "learning_rate",
        "images_per_s",
        "seconds",
        "peak_memory_mb",
    } <= set(first)
    rates = [report.metrics["learning_rate"] for report in cell.reports]
    assert rates == pytest.approx([1e-2, 1e-3, 1e-4])
    assert [report.images_seen for report in cell.reports] == [5, 10, 15]
    assert all(math.isfinite(value) for value in first.values())
