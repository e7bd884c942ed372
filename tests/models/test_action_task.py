"""Clips to losses, and clips of videos to metrics and files."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_pipeline.samples import ClipBatch
from models.entries import ClipShape
from models.predictions import ClassProbabilities
from models.session import Diverged
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.action_evaluator import ActionEvaluator
from models.tasks.action_predictor import build_predictor
from models.tasks.actions import ActionTask, build_task
from models.tasks.clips import scaled_clips
from models.votes import Votes

NAMES = tuple(f"action {letter}" for letter in "abcdefg")
SIDE = 4


class Brightness(nn.Module):
    """Says the class whose number the first pixel is, the surer the brighter the second."""

    def forward(self, clips: Tensor) -> Tensor:
        levels = (clips[:, :, 0, 0, :2] + 1) * 127.5
        places = torch.arange(len(NAMES))
        scores: Tensor = (places == levels[:, 0, :1].round()) * levels[:, 0, 1:] / 20
        return scores


def batch(guesses: Sequence[tuple[str, int, int, int]]) -> ClipBatch:
    """Make clips of (video, label, guess, brightness)."""
    pixels = np.zeros((len(guesses), 3, SIDE, SIDE, 3), np.uint8)
    for row, (_, _, guess, sureness) in enumerate(guesses):
        pixels[row, :, 0, 0], pixels[row, :, 0, 1] = guess, sureness
    return ClipBatch(
        tuple(video for video, *_ in guesses),
        torch.from_numpy(pixels).permute(0, 4, 1, 2, 3),
        torch.tensor([label for _, label, *_ in guesses]),
    )


@pytest.fixture
def task() -> ActionTask:
    return build_task(TrainingSettings(), EvaluationSettings(), NAMES)


def scored(
    task: ActionTask, batches: Sequence[ClipBatch], *, is_saved: bool = False
) -> ActionEvaluator:
    evaluator = task.evaluator(is_saved=is_saved)
    for each in batches:
        evaluator.update(Brightness(), each)
    return evaluator


VIEWS = [
    ("x", 0, 0, 200),  # right and sure
    ("x", 0, 1, 60),  # wrong, but outvoted
    ("y", 2, 3, 255),  # wrong and sure
    ("y", 2, 2, 40),
    ("z", 4, 4, 90),
    ("z", 4, 4, 90),
]


def test_bytes_are_scaled_and_put_channels_first() -> None:
    pixels = torch.arange(2 * 3 * 2 * 2 * 3, dtype=torch.uint8).reshape(2, 3, 2, 2, 3)
    clips = pixels.permute(0, 4, 1, 2, 3)
    values = scaled_clips(clips)
    assert values.is_contiguous()
    assert torch.equal(values, clips.float() / 127.5 - 1)
    ends = scaled_clips(torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 1, 1, 2))
    assert ends[0, 0].flatten().tolist() == [-1, 1]


@pytest.mark.parametrize("is_normalized", [False, True])
def test_flow_is_in_units_of_its_bound_and_still_is_zero(is_normalized: bool) -> None:
    clips = torch.full((1, 5, 1, 1, 3), 200, dtype=torch.uint8)
    clips[:, 3:] = torch.tensor([1, 128, 255], dtype=torch.uint8)
    values = scaled_clips(clips.float() if is_normalized else clips)
    assert values[0, 3:].flatten().tolist() == [-1, 0, 1] * 2
    colour = 200 if is_normalized else 200 / 127.5 - 1  # normalised ones are as they should be
    torch.testing.assert_close(values[:, :3], torch.full((1, 3, 1, 1, 3), float(colour)))


def test_loss_is_the_mean_cross_entropy_and_training_counts_clips(task: ActionTask) -> None:
    clips = batch(VIEWS)
    result = task.training_step(Brightness(), clips)
    logits = Brightness()(scaled_clips(clips.clips))
    torch.testing.assert_close(result.loss, nn.functional.cross_entropy(logits, clips.labels))
    summary = task.summarise(result.sums)
    assert summary["loss"] == pytest.approx(float(result.loss))
    assert summary["top1"] == 4 / 6
    # Where another class is first, the true one shares the four places left with five more.
    assert summary["top5"] == pytest.approx((4 + 2 * 4 / 6) / 6)


def test_sums_of_parts_are_those_of_the_batch(task: ActionTask) -> None:
    clips = batch(VIEWS)
    parts = task.split_batch(clips, 4)
    assert [len(part.video_ids) for part in parts] == [2, 2, 2]
    added: dict[str, Any] = {}
    for part in parts:
        for name, value in task.training_step(Brightness(), part).sums.items():
            added[name] = added.get(name, 0) + value
    whole = task.training_step(Brightness(), clips)
    assert task.summarise(added) == pytest.approx(task.summarise(whole.sums))


def test_views_of_a_video_are_averaged_whatever_batches_they_come_in(task: ActionTask) -> None:
    together = scored(task, [batch(VIEWS)]).compute()
    apart = scored(task, [batch(VIEWS[:1]), batch(VIEWS[1:5]), batch(VIEWS[5:])]).compute()
    shuffled = [VIEWS[index] for index in (4, 0, 2, 1, 5, 3)]
    assert together == pytest.approx(apart)
    assert together == pytest.approx(scored(task, [batch(shuffled)]).compute())
    assert together["top1"] == 2 / 3
    assert together["clip_top1"] == 4 / 6
    assert together["recall_action_a"] == 1


def test_probabilities_are_means_of_softmaxes(task: ActionTask) -> None:
    clips = batch(VIEWS[:2])
    found = scored(task, [clips]).videos()
    expected = Brightness()(scaled_clips(clips.clips)).softmax(dim=1).mean(dim=0)
    assert found.probabilities[0] == pytest.approx(expected.numpy(), abs=1e-6)
    assert found.clips.tolist() == [2]


def test_voters_are_trained_and_scored_by_their_weights(task: ActionTask) -> None:
    class Twice(nn.Module):
        def forward(self, clips: Tensor) -> Votes:
            once = Brightness()(clips)
            return Votes(torch.stack([once, -once], dim=1), (1.0, 0.0), (1.0, 0.0))

    clips = batch(VIEWS)
    ours, theirs = task.training_step(Twice(), clips), task.training_step(Brightness(), clips)
    torch.testing.assert_close(ours.loss, theirs.loss)
    assert task.summarise(ours.sums) == pytest.approx(task.summarise(theirs.sums))


def test_metrics_have_no_name_that_was_not_announced(task: ActionTask) -> None:
    every = [(f"v{label}", label, 0, 10) for label in range(len(NAMES))]
    assert set(scored(task, [batch(every)]).compute()) == set(task.metric_names)


def test_outputs_that_are_not_finite_end_the_training(task: ActionTask) -> None:
    class Broken(Brightness):
        def forward(self, clips: Tensor) -> Tensor:
            return super().forward(clips) * torch.nan

    with pytest.raises(Diverged, match="the loss of every clip that is scored must be finite"):
        task.evaluator().update(Broken(), batch(VIEWS))


def test_split_without_a_video_is_told(task: ActionTask) -> None:
    with pytest.raises(ValueError, match="a split must hold a video to be scored, got none"):
        task.evaluator().compute()


def test_one_class_is_nothing_to_choose_from() -> None:
    with pytest.raises(ValueError, match=r"needs two classes to choose from, got \('run',\)"):
        ActionTask(["run"])


def test_example_has_the_frames_and_channels_of_a_clip(task: ActionTask) -> None:
    plain = task.example_input(16, ClipShape(8))
    assert (plain.shape, plain.device.type) == ((1, 3, 8, 16, 16), "meta")
    assert task.example_input(16, ClipShape(8, has_flow=True)).shape[1] == 5
    with pytest.raises(ValueError, match="must be told how many frames a clip has"):
        task.example_input(16, None)


def test_predictor_says_what_the_task_does(task: ActionTask) -> None:
    clips = batch(VIEWS)
    found = build_predictor(TrainingSettings(), NAMES)(Brightness(), list(clips.clips))
    _, expected = task.decide(Brightness(), clips)
    assert all(isinstance(each, ClassProbabilities) for each in found)
    assert torch.equal(torch.stack([each.values for each in found]), expected)


class TestFiles:
    @pytest.fixture
    def kept(self, task: ActionTask, tmp_path: Path) -> dict[str, Path]:
        evaluator = scored(task, [batch(VIEWS)], is_saved=True)
        return {role: tmp_path / name for role, name in evaluator.save(tmp_path, "val").items()}

    def test_predictions_score_the_same_when_they_are_read_back(
        self, task: ActionTask, kept: dict[str, Path]
    ) -> None:
        metrics = scored(task, [batch(VIEWS)]).compute()
        with np.load(kept["predictions_val"]) as saved:
            assert saved["video_ids"].tolist() == ["x", "y", "z"]
            assert saved["class_names"].tolist() == list(NAMES)
            assert saved["probabilities"].dtype == np.float32
            assert saved["clips"].tolist() == [2, 2, 2]
            right = saved["probabilities"].argmax(axis=1) == saved["labels"]
            truth = saved["probabilities"][np.arange(3), saved["labels"]].astype(np.float64)
        assert right.mean() == metrics["top1"]
        assert -np.log(truth).mean() == pytest.approx(metrics["log_loss"], rel=1e-12)

    def test_confusion_has_videos_by_truth_and_prediction(self, kept: dict[str, Path]) -> None:
        content = json.loads(kept["confusion_val"].read_text())
        matrix = np.array(content["matrix"])
        assert content["labels"] == list(NAMES)
        assert matrix.sum() == 3
        assert (matrix[0, 0], matrix[2, 3], matrix[4, 4]) == (1, 1, 1)

    def test_class_scores_say_how_many_clips_a_video_has(self, kept: dict[str, Path]) -> None:
        content = json.loads(kept["class_scores_val"].read_text())
        assert (content["videos"], content["clips_per_video"]) == (3, [2])
        classes = content["classes"]
        assert classes["action a"]["recall"] == classes["action a"]["precision"] == 1
        assert classes["action c"]["recall"] == 0
        unknown = dict.fromkeys(("recall", "precision", "f1", "top5"))
        assert classes["action d"] == {"videos": 0, **unknown}

    def test_each_video_has_a_line_whose_means_are_the_metrics(
        self, task: ActionTask, kept: dict[str, Path]
    ) -> None:
        lines = list(csv.DictReader(kept["video_scores_val"].read_text().splitlines()))
        metrics = scored(task, [batch(VIEWS)]).compute()
        assert [line["predicted"] for line in lines] == ["action a", "action d", "action e"]
        for name in ("top1", "top5", "clip_top1", "clip_top5", "loss", "log_loss"):
            mean = np.mean([float(line[name]) for line in lines])
            assert mean == pytest.approx(metrics[name])

    def test_pictures_show_a_video_of_each_class(self, kept: dict[str, Path]) -> None:
        strip = cv2.imread(str(kept["predictions_strip"]))
        assert strip is not None
        assert strip.shape[0] == 3 * (28 + 6 + 112 + 6)
        assert cv2.imread(str(kept["confusion_picture_val"])) is not None

    def test_test_split_has_no_strip(self, task: ActionTask, tmp_path: Path) -> None:
        files = scored(task, [batch(VIEWS)], is_saved=True).save(tmp_path, "test")
        assert "predictions_strip" not in files
        assert all("test" in name for name in files.values())


def test_few_classes_have_no_top_five() -> None:
    few = ActionTask(NAMES[:5])

    class Even(nn.Module):
        def forward(self, clips: Tensor) -> Tensor:
            return torch.zeros(len(clips), 5)

    evaluator = few.evaluator()
    evaluator.update(Even(), batch(VIEWS))
    metrics = evaluator.compute()
    assert set(metrics).isdisjoint({"top5", "clip_top5"})
    assert "top5" not in few.metric_names
    assert metrics["top1"] == pytest.approx(1 / 5)  # chance, of an output that says nothing
