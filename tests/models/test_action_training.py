"""Networks of clips and their reference in the training loop, on drawn and on real videos."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_pipeline.datasets.settings.videos import HMDB51Data, UCF101Data
from data_pipeline.samples import ClipBatch
from data_pipeline.settings import DataSettings
from data_pipeline.source import DataSource, open_data
from models.entries import ClipShape
from models.reference_settings import ConstantSettings
from models.references import score_test
from models.references import train as count
from models.training import train
from models.video.slowfast_settings import SlowFastSettings
from tests.models.drawn_source import DrawnSource, stopped_anywhere_ends_bit_identical

TASK = "action_recognition"
SIZE = 32
FRAMES = 4
TINY = SlowFastSettings(depth=14, width=8, slow_frames=2, slow_stride=2, alpha=2)
Cell = Callable[..., Any]


@dataclass
class Moving(DrawnSource[ClipBatch]):
    """A bright bar on noise that goes right, goes left or stays; two views when scored."""

    size: int = SIZE
    frames: int = FRAMES

    @property
    def images(self) -> int:
        return len(self._samples())

    def _samples(self) -> list[tuple[int, int]]:
        views = 1 if self.is_training else 2
        return [(video, view) for video in range(self.count) for view in range(views)]

    def batch(self, chosen: Sequence[int]) -> ClipBatch:
        samples = [self._samples()[index] for index in chosen]
        clips = torch.from_numpy(np.stack([self._clip(*sample) for sample in samples]))
        return ClipBatch(
            tuple(f"video-{video}" for video, _ in samples),
            clips.permute(0, 4, 1, 2, 3),
            torch.tensor([video % 3 for video, _ in samples]),
        )

    def _clip(self, video: int, view: int) -> Any:
        random = np.random.default_rng((video, view, self.is_training))
        shape = (self.frames, self.size, self.size, 3)
        clip = random.integers(0, 60, shape, dtype=np.uint8)
        step = (3, -3, 0)[video % 3]
        place = int(random.integers(10, 16))
        for frame in clip:
            frame[:, place : place + 5] = 230
            place += step
        return clip


@dataclass
class MovingData:
    count: int = 5
    size: int = SIZE
    class_names: tuple[str, ...] = ("right", "left", "still")

    def training(self, batch_size: int) -> Moving:
        return Moving(self.count, batch_size, is_training=True)

    def training_images(self, batch_size: int) -> Moving:
        return self.training(batch_size)

    def validation(self, batch_size: int) -> Moving:
        return Moving(3, batch_size, is_training=False)

    def test(self, batch_size: int) -> Moving:
        return Moving(4, batch_size, is_training=False)


@pytest.fixture
def cell(attempts: Cell) -> Cell:
    """Make a cell of a tiny network of clips to attempt."""

    def make(model: Any = TINY, data: Any = None, clip: Any = None, **training: Any) -> Any:
        return attempts(
            model,
            {"epochs": 1, "optimizer": "sgd", "learning_rate": 1e-2, "batch_size": 2, **training},
            data or MovingData(),
            task=TASK,
            objective="val/top1",
            clip=clip or ClipShape(FRAMES, scored=2),
        )

    return make


def test_training_stopped_anywhere_ends_bit_identical(cell: Cell) -> None:
    settings = {"epochs": 2, "momentum": 0.9, "accumulate": 2}
    stopped_anywhere_ends_bit_identical(cell(**settings), cell(**settings))


def test_everything_is_logged_and_kept(cell: Cell) -> None:
    made = cell()
    result = train(made.session(scores_test=True))
    (report,) = made.reports
    assert {"train/loss", "train/top1", "val/top1", "val/clip_top1"} <= set(report.metrics)
    assert "val/top5" not in report.metrics  # of three classes all are among the first five
    roles = {"predictions", "confusion", "confusion_picture", "class_scores", "video_scores"}
    expected = {f"{role}_{split}" for role in roles for split in ("val", "test")}
    assert set(result.files) == expected | {"weights", "predictions_strip"}
    assert all((made.folders[0] / name).exists() for name in result.files.values())
    effective = made.effective[0]
    assert effective["batch_shapes"] == [[2, 3, FRAMES, SIZE, SIZE]]
    assert (effective["clip_frames"], effective["clips_per_video"]) == (FRAMES, 2)
    assert effective["macs_per_image"] > 0


def test_frames_that_did_not_arrive_end_the_trial(cell: Cell) -> None:
    made = cell(SlowFastSettings(depth=14, width=8, slow_frames=2, slow_stride=4, alpha=2))
    asked = ClipShape(2 * FRAMES)
    with pytest.raises(RuntimeError, match=r"data\.clip did not take effect: .*'frames': 8"):
        train(made.session(clip=asked))


def test_micro_batches_train_on_the_same_clips(cell: Cell) -> None:
    made = cell(batch_size=4)
    train(made.session(micro_batch_divisor=2))
    assert made.effective[0]["micro_batch"] == 2
    assert made.reports[0].images_seen == 5


class TestConstant:
    def test_says_the_shares_of_the_training_videos(self, cell: Cell) -> None:
        made = cell(ConstantSettings())
        result = count(made.session(scores_test=True))
        with np.load(made.folders[0] / result.files["predictions_val"]) as saved:
            for row in saved["probabilities"]:
                assert row == pytest.approx([2 / 5, 2 / 5, 1 / 5])
        assert result.metrics["val/top1"] == pytest.approx((0.5 + 0.5 + 0) / 3)
        assert result.metrics["val/log_loss"] == pytest.approx(
            -(2 * np.log(2 / 5) + np.log(1 / 5)) / 3
        )
        assert made.effective[0]["clips_per_video"] == 2

    def test_winner_is_scored_on_the_test_split_as_in_training(self, cell: Cell) -> None:
        made = cell(ConstantSettings())
        result = count(made.session(scores_test=True))
        scored = score_test(made.session(seed=99), made.folders[0] / result.files["weights"])
        expected = {name: v for name, v in result.metrics.items() if name.startswith("test/")}
        assert scored.metrics == expected


@dataclass
class Sized:
    """A data source whose frames have a size."""

    source: DataSource
    size: int = SIZE

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


def opened(settings: DataSettings) -> Sized:
    return Sized(open_data(settings, TASK, 0))


def test_every_clip_of_ucf101_mini_is_decoded_and_learned_by_heart(
    cell: Cell, real_data: Path
) -> None:
    root = real_data / "ucf101_mini"
    actions = sorted(folder.name for folder in (root / "UCF-101").iterdir())
    settings = UCF101Data.model_validate(
        {
            "root": root,
            "classes": actions,
            "split_list": 2,  # all seven clips are for training
            "split": {"val": 0.1},
            "image_size": SIZE,
            "clip": {"frames": FRAMES, "stride": 8, "shorter_side": SIZE},
        }
    )
    data = opened(settings)
    surely = TINY.model_copy(update={"dropout": 0.0})
    steps = {"epochs": 30, "batch_size": 6, "learning_rate": 0.05, "momentum": 0.5}
    whole = cell(surely, data, ClipShape(FRAMES), **steps)
    train(whole.session(objective="val/loss", maximize=False))
    assert whole.effective[0]["train_images"] + whole.effective[0]["val_images"] == 7
    losses = [report.metrics["train/loss"] for report in whole.reports]
    assert losses[-1] < losses[0] / 3
    # Clips are drawn anew every epoch, so that one may be missed now and then.
    assert max(report.metrics["train/top1"] for report in whole.reports[-5:]) == 1


def test_hmdb51_clips_with_odd_metadata_are_learned_from(cell: Cell, real_data: Path) -> None:
    settings = HMDB51Data.model_validate(
        {
            "root": real_data / "hmdb51_mini",
            "classes": ["cartwheel", "wave"],
            "image_size": SIZE,
            "split": {"policy": "random", "test": 0.25, "val": 0.34},
            "clip": {"frames": FRAMES, "stride": 2, "views": 2, "crops": 3},
            "cache": "off",
        }
    )
    data = opened(settings)
    made = cell(data=data, clip=ClipShape(FRAMES, scored=6))
    result = train(made.session(scores_test=True))
    assert np.isfinite(list(result.metrics.values())).all()
    videos = [each for split in ("train", "val", "test") for each in data.image_ids(split)]
    assert len(videos) == 3  # of four, official list 1 has one in neither split
    assert any("Turnk_r_Pippi" in each for each in videos)  # whose metadata is no UTF-8
    assert made.effective[0]["train_images"] == len(data.image_ids("train"))
    for split in ("val", "test"):
        with np.load(made.folders[0] / result.files[f"predictions_{split}"]) as saved:
            assert saved["video_ids"].tolist() == list(data.image_ids(split))
            assert set(saved["clips"].tolist()) == {6}
