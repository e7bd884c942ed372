"""R-CNN from fine-tuning to scores, on drawn scenes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.source import DataSource, open_data
from models import training
from models.detection.rcnn import trainer
from models.detection.rcnn.settings import RCNNSettings
from models.scoring import score_test
from models.session import Interrupted, TrainingResult

TASK = "object_detection"
SIZE = 64
TINY: dict[str, Any] = {
    "crop": 63,
    "context": 4,
    "head_width": 16,
    "proposals": 20,
    "sampled_regions": 8,
    "hard_negatives": 30,
}


@dataclass
class Sized:
    """A data source whose images have a size."""

    source: DataSource
    size: int = SIZE

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


@pytest.fixture
def cell(attempts: Callable[..., Any]) -> Callable[..., Any]:
    """Make a cell of a tiny R-CNN to attempt: 8 images to train on, 2 and 2 to score."""
    data = StreetScenesData(
        images=12, image_size=SIZE, cache="off", classes=["person", "car"], augment=[]
    )

    def make(**settings: Any) -> Any:
        return attempts(
            RCNNSettings.model_validate({**TINY, **settings}),
            {"epochs": 1, "optimizer": "sgd", "learning_rate": 1e-3, "batch_size": 2},
            Sized(open_data(data, TASK, 0)),
            task=TASK,
            objective="val/loss",
            maximize=False,
        )

    return make


def weights(result: TrainingResult, folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder / result.files["weights"])
    return loaded


def test_scores_are_of_the_svms_and_the_epochs_of_the_softmax(cell: Callable[..., Any]) -> None:
    staged, tuned = cell(), cell()
    steps: list[tuple[int, int, int]] = []
    result = trainer.train(
        staged.session(scores_test=True, on_progress=lambda *each: steps.append(each))
    )
    alone = training.train(tuned.session())
    assert [report.epoch for report in staged.reports] == [1]
    fitted = weights(result, staged.folders[0])
    assert fitted["svms.is_fitted"]
    assert fitted["box_regression.is_fitted"]
    before = weights(alone, tuned.folders[0])
    assert not before["svms.is_fitted"]
    learned = [name for name in fitted if name.split(".")[0] not in ("svms", "box_regression")]
    assert len(learned) == 16
    assert all(torch.equal(fitted[name], before[name]) for name in learned)
    assert result.metrics["val/loss"] == alone.metrics["val/loss"]  # the softmax's, in both
    assert result.train_macs > alone.train_macs
    assert (1, 8, 8) in steps  # two passes over four batches
    assert {"test/loss", "val/loss"} <= set(result.metrics)
    assert all((staged.folders[0] / name).is_file() for name in result.files.values())
    scored = score_test(staged.session(), staged.folders[0] / result.files["weights"])
    expected = {name: each for name, each in result.metrics.items() if name.startswith("test/")}
    assert scored.metrics == expected


@pytest.mark.slow
def test_fitting_that_was_stopped_ends_bit_identical(cell: Callable[..., Any]) -> None:
    whole, stopped = cell(), cell()
    expected = trainer.train(whole.session())
    polls = whole.polls
    with pytest.raises(Interrupted, match="while fitting SVMs"):
        # Before the last scoring of validation, which is one poll: in the second pass.
        trainer.train(stopped.session(stop_at_poll=polls - 2))
    result = trainer.train(stopped.session())
    assert len(stopped.reports) == 2  # the epoch is told anew, not trained anew
    assert stopped.effective[1]["resumed_from_epoch"] == 1
    assert result.metrics == expected.metrics
    ours, theirs = weights(result, stopped.folders[-1]), weights(expected, whole.folders[-1])
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_what_was_fitted_is_not_fitted_again(
    cell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = cell(), cell()
    expected = trainer.train(whole.session())
    with pytest.raises(Interrupted, match="while scoring"):
        trainer.train(stopped.session(stop_at_poll=whole.polls))  # the last one
    monkeypatch.setattr(trainer, "first_examples", None)  # whoever calls it fails
    result = trainer.train(stopped.session())
    assert result.metrics == expected.metrics
    assert result.train_macs == expected.train_macs  # what fitting cost is not forgotten


def test_what_the_memory_does_not_hold_is_refused_before_the_first_epoch(
    cell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.detection.rcnn.room.memory_bytes", lambda: 1000)
    refused = cell()
    with pytest.raises(ValueError, match="2 classes, hard_negatives 30 and box_pairs 2000 come"):
        trainer.train(refused.session())
    assert not any(refused.folders[0].iterdir())


def test_boxes_stay_where_regression_is_not_asked_for(cell: Callable[..., Any]) -> None:
    plain = cell(box_regression=False)
    result = trainer.train(plain.session())
    fitted = weights(result, plain.folders[0])
    assert fitted["svms.is_fitted"]
    assert not fitted["box_regression.is_fitted"]
