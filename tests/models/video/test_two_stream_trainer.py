"""Two streams from learning to an SVM on their scores, on generated films with their flow."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
import pytest
import torch

from data_pipeline.datasets.dataset import VideoItem
from data_pipeline.datasets.settings.flow import Flow
from data_pipeline.datasets.settings.generated import StreetActionsData, StreetClip
from data_pipeline.source import DataSource, open_data
from data_pipeline.video.clips import cut_square, shorter_side, view_corners
from models import training
from models.entries import ClipShape
from models.scoring import score_test
from models.session import Interrupted, TrainingResult
from models.video import two_stream_trainer as trainer
from models.video.two_stream import TwoStream
from models.video.two_stream_settings import TwoStreamSettings
from models.workbench import set_up

TASK, SIZE, FRAMES = "action_recognition", 44, 4


@dataclass
class Sized:
    """A data source whose clips have a size."""

    source: DataSource
    size: int = SIZE

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> StreetActionsData:
    return StreetActionsData(
        drawn_in=tmp_path_factory.mktemp("films"),
        actions="motion_only",
        groups=5,
        videos_per_group=2,
        video_frames=8,
        video_width=64,
        video_height=64,
        image_size=SIZE,
        clip=StreetClip(frames=FRAMES, stride=2, flow=Flow()),
        cache="off",
        workers=0,
    )


@pytest.fixture
def cell(attempts: Callable[..., Any], films: StreetActionsData) -> Callable[..., Any]:
    """Make a cell of two narrow streams to attempt."""

    def make(**settings: Any) -> Any:
        fields = {"width": 0.02, "dropout": 0.0, "flow_frames": FRAMES - 1, **settings}
        return attempts(
            TwoStreamSettings.model_validate(fields),
            {"epochs": 1, "learning_rate": 1e-3, "batch_size": 4},
            Sized(open_data(films, TASK, 0)),
            task=TASK,
            clip=ClipShape(FRAMES, has_flow=True),
            objective="val/loss",
            maximize=False,
        )

    return make


def weights(result: TrainingResult, folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder / result.files["weights"])
    return loaded


def test_scores_are_of_the_svm_and_the_epochs_of_the_average(cell: Callable[..., Any]) -> None:
    staged, averaged = cell(fusion="svm"), cell()
    result = trainer.train(staged.session(scores_test=True))
    alone = trainer.train(averaged.session())
    fitted, before = weights(result, staged.folders[0]), weights(alone, averaged.folders[0])
    assert fitted["svm.is_fitted"]
    assert fitted["svm.weight"].any()
    assert all(torch.equal(fitted[name], before[name]) for name in before)
    assert not any(name.startswith("svm") for name in before)
    [epoch] = staged.reports
    assert epoch.metrics["val/loss"] == alone.metrics["val/loss"]
    assert result.metrics["val/loss"] == alone.metrics["val/loss"]
    assert result.metrics["val/log_loss"] != alone.metrics["val/log_loss"]
    assert result.train_macs > alone.train_macs
    assert all((staged.folders[0] / name).is_file() for name in result.files.values())
    scored = score_test(staged.session(), staged.folders[0] / result.files["weights"])
    expected = {name: each for name, each in result.metrics.items() if name.startswith("test/")}
    assert expected
    assert scored.metrics == expected


def test_a_kill_before_the_result_forgets_no_compute(
    cell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = cell(fusion="svm")
    spent: list[float] = []

    def die(_session: Any, bench: Any) -> NoReturn:
        videos = bench.data.training_images(4).images
        spent.append((3 + 1) * videos * bench.macs_per_image)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "score_splits", die)
        with pytest.raises(KeyboardInterrupt):
            trainer.train(killed.session())
    assert trainer.train(killed.session()).train_macs == pytest.approx(spent[0])


def test_the_svm_is_fitted_to_middles_in_the_precision_of_the_network_alone(
    cell: Callable[..., Any], films: StreetActionsData, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_data(films, TASK, 0)
    batches, read_under_autocast, run_under_autocast = [], [], []

    class Watched:
        def __init__(self, loader: Any) -> None:
            self.loader = loader

        def __len__(self) -> int:
            return len(self.loader)

        def prepare(self) -> None:
            self.loader.prepare()

        def epoch(self, number: int) -> Any:
            for batch in self.loader.epoch(number):
                read_under_autocast.append(torch.is_autocast_enabled("cpu"))
                batches.append(batch)
                yield batch

    class Network(TwoStream):
        def stream_logits(self, clips: torch.Tensor) -> torch.Tensor:
            run_under_autocast.append(torch.is_autocast_enabled("cpu"))
            return super().stream_logits(clips)

    staged = cell(fusion="svm")
    staged.training = staged.training.model_copy(update={"precision": "bf16-mixed"})
    bench = set_up(staged.session())
    network = Network(staged.model, len(source.class_names))
    monkeypatch.setattr(
        bench.data,
        "training_images",
        lambda size: Watched(source.training_images(size)),
        raising=False,
    )
    trainer._training_scores(staged.session(), bench, network)
    assert run_under_autocast
    assert all(run_under_autocast)
    assert not any(read_under_autocast)
    found = {name: clip for b in batches for name, clip in zip(b.video_ids, b.clips, strict=True)}
    items = cast("tuple[VideoItem, ...]", source.dataset("train").items)
    side = shorter_side(films)
    assert set(found) == {item.image_id for item in items}
    for item in items:
        first = (item.frame_count() - ((FRAMES - 1) * 2 + 1)) // 2
        frames = item.frames(first + 2 * np.arange(FRAMES), side)
        square = cut_square(frames, view_corners((side, side), SIZE, crops=1)[0], SIZE)
        colours = torch.from_numpy(square).permute(3, 0, 1, 2)
        assert torch.equal(found[item.image_id][:3], colours)


@pytest.mark.slow
def test_fitting_that_was_stopped_ends_bit_identical(
    cell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = cell(fusion="svm"), cell(fusion="svm")
    fits: list[int] = []
    fit = trainer.fit_svm

    def counted(*args: Any, **options: Any) -> Any:
        fits.append(1)
        return fit(*args, **options)

    monkeypatch.setattr(trainer, "fit_svm", counted)
    expected = trainer.train(whole.session())
    learned = cell()
    training.train(learned.session())
    with pytest.raises(Interrupted, match="while fitting the SVM"):
        trainer.train(stopped.session(stop_at_poll=learned.polls + 1))
    result = trainer.train(stopped.session())
    assert stopped.effective[1]["resumed_from_epoch"] == 1
    assert result.metrics == expected.metrics
    ours, theirs = weights(result, stopped.folders[-1]), weights(expected, whole.folders[-1])
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert len(fits) == 2
    assert trainer.train(stopped.session()).metrics == expected.metrics
    assert len(fits) == 2  # what was fitted is not fitted again


def test_the_svm_tells_apart_what_the_average_cannot() -> None:
    # The first stream knows classes 0 and 1 apart, and is sure of 0 where it is 2.
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    first, second = np.full((60, 3), 0.05), np.full((60, 3), 0.3)
    first[np.arange(60), np.where(labels == 1, 1, 0)] = 0.9
    second[labels == 2, 2] = 0.4
    scores = np.concatenate([first, second], axis=1) + rng.normal(0, 0.005, (60, 6))
    weight, bias = trainer.fit_svm(scores, labels, classes=4, cost=100.0)
    assert ((scores @ weight.T + bias).argmax(axis=1) == labels).all()
    assert ((first + second).argmax(axis=1) != labels).any()
    assert weight.shape == (4, 6)
    assert bias[3] == trainer.NEVER


def test_an_svm_of_two_classes_has_a_margin_for_each() -> None:
    scores = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.2]])
    labels = np.array([0, 0, 2, 2])
    weight, bias = trainer.fit_svm(scores, labels, classes=3, cost=10.0)
    margins = scores @ weight.T + bias
    assert (margins.argmax(axis=1) == labels).all()
    np.testing.assert_allclose(margins[:, 0], -margins[:, 2], atol=1e-9)


def test_an_svm_is_saved_and_does_not_learn() -> None:
    network = TwoStream(TwoStreamSettings(width=0.02, fusion="svm"), 2)
    assert not network.is_fused
    assert {name for name, _ in network.named_buffers()} >= {"svm.weight", "svm.bias"}
    assert not any(name.startswith("svm") for name, _ in network.named_parameters())
