import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.end_note import UNTRAINED
from models.named_layers import TransferError
from models.segmentation.settings import UNetSettings
from models.session import Interrupted, StartingWeights, TrainingResult
from models.training import train

CLASSES = ("background", "bright square", "dark square")
MODEL = UNetSettings(base_channels=2, depth=1, batch_norm=True)
Cells = Callable[..., Any]
TIMES = {"images_per_s", "seconds", "peak_memory_mb"}


@pytest.fixture
def first(attempts: Cells) -> StartingWeights:
    """Train a network, and return its weights to start from."""
    cell = attempts(model=MODEL)
    result = train(cell.session(seed=7))
    file = cell.folders[-1] / result.files["weights"]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return StartingWeights("study:first", file, digest, CLASSES)


def transfer(**settings: Any) -> dict[str, Any]:
    return {"transfer": {"init_from": "study:first", **settings}}


def kept(folder: Path, result: TrainingResult) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = torch.load(folder / result.files["weights"])
    return weights


def run(cell: Any, start: StartingWeights) -> tuple[dict[str, Tensor], Any]:
    """Train to the end; return the weights, and everything else but times."""
    result = train(cell.session(start=start))
    history = {
        report.epoch: {k: v for k, v in report.metrics.items() if k not in TIMES}
        for report in cell.reports
    }
    return kept(cell.folders[-1], result), (result.metrics, result.best_epoch, history)


class TestWhatLearns:
    def changed(self, cell: Any, start: StartingWeights) -> set[str]:
        """Return the layers that a training changes."""
        before, (after, _) = torch.load(start.file), run(cell, start)
        return {
            name.rpartition(".")[0]
            for name in before
            if not torch.equal(before[name], after[name])
        }

    @pytest.mark.parametrize("decay", [0.0, 0.1])
    def test_feature_extractor_changes_the_last_layer_alone(
        self, decay: float, attempts: Cells, first: StartingWeights
    ) -> None:
        training = {**transfer(mode="feature_extractor"), "weight_decay": decay}
        assert self.changed(attempts(model=MODEL, training=training), first) == {"classify"}

    def test_fine_tuning_changes_what_comes_from_its_first_layer_on(
        self, attempts: Cells, first: StartingWeights
    ) -> None:
        cell = attempts(model=MODEL, training=transfer(freeze_to="merge"))
        layers = {"merge.0.0", "merge.0.1", "merge.0.3", "merge.0.4", "classify"}
        assert self.changed(cell, first) == layers

    def test_fine_tuning_of_all_changes_all(self, attempts: Cells, first: StartingWeights) -> None:
        changed = self.changed(attempts(model=MODEL, training=transfer()), first)
        assert {"down.0.0", "down.0.1", "classify"} < changed


def test_what_a_training_starts_from_is_recorded_and_kept_when_it_resumes(
    attempts: Cells, first: StartingWeights
) -> None:
    cell = attempts(model=MODEL, training=transfer(mode="feature_extractor"))
    with pytest.raises(Interrupted):
        train(cell.session(start=first, stop_at_poll=3))
    train(cell.session(start=first))
    record = cell.effective[-1]["transfer"]
    assert record == cell.effective[0]["transfer"]
    assert record["init_from"] == "study:first"
    assert record["sha256"] == first.sha256
    assert record["classes"] == {
        "carried": ["bright square", "dark square"],
        "new": [],
        "left_over": [],
    }
    assert record["new_layers"] == record["left_over_layers"] == []
    network = sum(each.numel() for each in torch.load(first.file).values() if each.ndim)
    statistics = sum(
        each.numel() for name, each in torch.load(first.file).items() if "running" in name
    )
    classify = 2 * 2 + 2
    assert cell.effective[-1]["frozen_parameters"] == network - statistics - classify


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_transfer_stopped_at_any_moments_ends_bit_identical(
    schedule: str, attempts: Cells, first: StartingWeights
) -> None:
    training = {
        **transfer(freeze_to="up", learning_rate_factors={"up": 0.1, "merge": 0.5}),
        "schedule": {"name": schedule},
    }
    cell = attempts(model=MODEL, training=training)
    expected, told = run(cell, first)
    for moment in range(1, cell.polls + 1, 3):
        stopped = attempts(model=MODEL, training=training)
        with pytest.raises(Interrupted):
            train(stopped.session(start=first, stop_at_poll=moment))
        found, also_told = run(stopped, first)
        assert all(torch.equal(expected[name], found[name]) for name in expected), moment
        assert also_told == told, moment


def test_rates_of_layers_are_read_back(attempts: Cells, first: StartingWeights) -> None:
    factors = {"down": 0.1, "classify": 2.0}
    cell = attempts(model=MODEL, training=transfer(learning_rate_factors=factors))
    train(cell.session(start=first))
    assert cell.effective[0]["learning_rate"] == 0.01
    assert cell.effective[0]["learning_rates"] == {"": 0.01, "down": 0.001, "classify": 0.02}
    assert [each.metrics["learning_rate"] for each in cell.reports] == [0.01] * 3


def test_optimizer_that_ignores_a_layers_factor_ends_the_trial(
    attempts: Cells, first: StartingWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stubborn(_: object, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return torch.optim.Adam([{**each, "lr": 0.01} for each in groups])

    monkeypatch.setattr("models.workbench.build_optimizer", stubborn)
    cell = attempts(model=MODEL, training=transfer(learning_rate_factors={"classify": 2.0}))
    with pytest.raises(RuntimeError, match=r"transfer for classify.weight did not take effect"):
        train(cell.session(start=first))


class TestNoEpochs:
    def test_the_weights_that_it_starts_from_are_scored(
        self, attempts: Cells, first: StartingWeights
    ) -> None:
        trained = attempts(model=MODEL)
        expected = train(trained.session(seed=7)).metrics  # as `first` was
        cell = attempts(model=MODEL, training={**transfer(), "epochs": 0})
        result = train(cell.session(start=first, scores_test=True))
        assert {name: result.metrics[name] for name in expected} == expected
        assert "test/iou" in result.metrics
        assert (result.best_epoch, result.epochs, result.train_macs) == (0, 0, 0.0)
        assert result.note == UNTRAINED
        assert cell.reports == []
        weights, start = kept(cell.folders[-1], result), torch.load(first.file)
        assert all(torch.equal(weights[name], start[name]) for name in start)

    def test_a_second_attempt_scores_them_too(
        self, attempts: Cells, first: StartingWeights
    ) -> None:
        cell = attempts(model=MODEL, training={**transfer(), "epochs": 0})
        with pytest.raises(Interrupted):
            train(cell.session(start=first, stop_at_poll=1))
        once = train(cell.session(start=first))
        again = train(cell.session(start=first))
        assert again.metrics == once.metrics
        assert (cell.folders[-1] / again.files["weights"]).is_file()


def test_training_that_is_not_given_what_it_starts_from_ends(attempts: Cells) -> None:
    with pytest.raises(TransferError, match="starts from study:first must be given its weights"):
        train(attempts(model=MODEL, training=transfer()).session())


def test_a_layer_that_is_not_there_ends_the_trial_before_its_first_step(
    attempts: Cells, first: StartingWeights
) -> None:
    cell = attempts(model=MODEL, training=transfer(freeze_to="decoder"))
    with pytest.raises(TransferError, match="unknown layer 'decoder' in freeze_to"):
        train(cell.session(start=first))


def test_layers_that_the_run_lacks_are_warned_of(
    attempts: Cells, first: StartingWeights, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    weights = {k: v for k, v in torch.load(first.file).items() if not k.startswith("up.")}
    file = tmp_path / "part.pt"
    torch.save(weights, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    cell = attempts(model=MODEL, training=transfer())
    train(cell.session(start=StartingWeights("part.pt", file, digest, CLASSES)))
    assert "part.pt has nothing for up.0, which start anew" in caplog.text
    assert cell.effective[0]["transfer"]["new_layers"] == ["up.0"]
