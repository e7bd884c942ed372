"""Images to losses, and images of a split to metrics and files."""

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_pipeline.samples import ClassificationBatch
from models.metrics.guesses import Guesses
from models.predictions import ClassProbabilities
from models.session import Diverged
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks import classification_evaluator
from models.tasks.class_files import save_rows
from models.tasks.classification import ClassificationTask, build_task
from models.tasks.classification_evaluator import ClassificationEvaluator
from models.tasks.classification_files import save_split
from models.tasks.classification_predictor import build_predictor
from models.tasks.classification_strips import COLUMNS, ImageProbe, chosen, probe_of
from models.tasks.segmentation import scaled
from models.votes import Votes

NAMES = tuple(f"class {letter}" for letter in "abcdefg")
SIDE = 4


class Brightness(nn.Module):
    """Says the class whose number the first pixel is, the surer the brighter the second."""

    def forward(self, images: Tensor) -> Tensor:
        levels = (images[:, 0, 0, :2] + 1) * 127.5
        places = torch.arange(len(NAMES))
        scores: Tensor = (places == levels[:, :1].round()) * levels[:, 1:] / 20
        return scores


def batch(guesses: Sequence[tuple[int, int, int]], first: int = 0) -> ClassificationBatch:
    """Make images of (label, guess, brightness)."""
    pixels = np.zeros((len(guesses), SIDE, SIDE, 3), np.uint8)
    for row, (_, guess, sureness) in enumerate(guesses):
        pixels[row, 0, 0], pixels[row, 0, 1] = guess, sureness
    return ClassificationBatch(
        tuple(f"image {first + row}" for row in range(len(guesses))),
        torch.from_numpy(pixels).permute(0, 3, 1, 2),
        torch.tensor([label for label, *_ in guesses]),
    )


@pytest.fixture
def task() -> ClassificationTask:
    return build_task(TrainingSettings(), EvaluationSettings(), NAMES)


def scored(
    task: ClassificationTask, batches: Sequence[ClassificationBatch], *, is_saved: bool = False
) -> ClassificationEvaluator:
    evaluator = task.evaluator(is_saved=is_saved)
    for each in batches:
        evaluator.update(Brightness(), each)
    return evaluator


IMAGES = [
    (0, 0, 200),  # right and sure
    (0, 1, 60),  # wrong
    (2, 3, 255),  # wrong and surest
    (2, 2, 40),
    (4, 4, 90),
    (4, 4, 95),
]


def test_loss_is_the_mean_cross_entropy_and_training_counts_images(
    task: ClassificationTask,
) -> None:
    images = batch(IMAGES)
    result = task.training_step(Brightness(), images)
    logits = Brightness()(scaled(images.images))
    torch.testing.assert_close(result.loss, nn.functional.cross_entropy(logits, images.labels))
    summary = task.summarise(result.sums)
    assert summary["loss"] == pytest.approx(float(result.loss))
    assert summary["top1"] == 4 / 6
    # Where another class is first, the true one shares the four places left with five more.
    assert summary["top5"] == pytest.approx((4 + 2 * 4 / 6) / 6)


def test_sums_of_parts_are_those_of_the_batch(task: ClassificationTask) -> None:
    images = batch(IMAGES)
    parts = task.split_batch(images, 4)
    assert [len(part.image_ids) for part in parts] == [2, 2, 2]
    added: dict[str, Any] = {}
    for part in parts:
        for name, value in task.training_step(Brightness(), part).sums.items():
            added[name] = added.get(name, 0) + value
    whole = task.training_step(Brightness(), images)
    assert task.summarise(added) == pytest.approx(task.summarise(whole.sums))


def test_loss_of_auxiliary_classifiers_is_minimised_and_logged_apart(
    task: ClassificationTask,
) -> None:
    class WithAuxiliary(nn.Module):
        def forward(self, images: Tensor) -> Votes:
            once = Brightness()(images)
            return Votes(torch.stack([once, -once], dim=1), (1.0, 0.3), (1.0, 0.0))

    images = batch(IMAGES)
    logits = Brightness()(scaled(images.images))
    main = nn.functional.cross_entropy(logits, images.labels)
    auxiliary = 0.3 * nn.functional.cross_entropy(-logits, images.labels)
    step = task.training_step(WithAuxiliary(), images)
    torch.testing.assert_close(step.loss, main + auxiliary)
    train = task.summarise(step.sums)
    assert train["loss"] == pytest.approx(float(main))
    assert train["loss"] == pytest.approx(scored(task, [images]).compute()["loss"])
    assert train["auxiliary_loss"] == pytest.approx(float(auxiliary))
    losses, probabilities = task.decide(WithAuxiliary(), images)
    torch.testing.assert_close(losses.mean(), main)
    torch.testing.assert_close(probabilities, logits.softmax(dim=1))


def test_images_of_several_processes_score_as_those_of_one(task: ClassificationTask) -> None:
    first, second = batch(IMAGES[:4]), batch(IMAGES[4:], first=4)
    whole = scored(task, [first, second], is_saved=True)
    merged, other = (scored(task, [each], is_saved=True) for each in (first, second))
    merged.add(other.state())
    assert merged.compute() == whole.compute()
    assert merged.images().image_ids == whole.images().image_ids
    pairs = zip(merged.state().probes, whole.state().probes, strict=True)
    assert all(ours.confidence == theirs.confidence for ours, theirs in pairs)


def test_pictures_are_made_of_images_that_may_be_drawn_alone(
    task: ClassificationTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def counted(image: Tensor, label: int, probabilities: Any) -> ImageProbe:
        made.append(label)
        return probe_of(image, label, probabilities)

    monkeypatch.setattr(classification_evaluator, "probe_of", counted)
    random = np.random.default_rng(2)
    guesses = [tuple(map(int, row)) for row in random.integers(0, (7, 7, 200), (60, 3))]
    parts = [batch(guesses[first : first + 20], first) for first in (0, 20, 40)]  # type: ignore[arg-type]
    kept = scored(task, parts, is_saved=True).state().probes
    assert len(made) < 60 / 2
    whole = batch(guesses)  # type: ignore[arg-type]
    _, probabilities = task.decide(Brightness(), whole)
    every = map(probe_of, whole.images, whole.labels.tolist(), probabilities.numpy())
    for ours, theirs in zip(kept, chosen(list(every)), strict=True):
        assert np.array_equal(ours.image, theirs.image)
        assert np.array_equal(ours.probabilities, theirs.probabilities)


def test_metrics_have_no_name_that_was_not_announced(task: ClassificationTask) -> None:
    every = [(label, label, 10) for label in range(len(NAMES))]
    assert set(scored(task, [batch(every)]).compute()) == set(task.metric_names)


def test_outputs_that_are_not_finite_end_the_training(task: ClassificationTask) -> None:
    class Broken(Brightness):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) * torch.nan

    with pytest.raises(Diverged, match="the loss of every image that is scored must be finite"):
        task.evaluator().update(Broken(), batch(IMAGES))


def test_split_without_an_image_is_told(task: ClassificationTask) -> None:
    with pytest.raises(ValueError, match="a split must hold an image to be scored, got none"):
        task.evaluator().compute()


def test_one_class_is_nothing_to_choose_from() -> None:
    with pytest.raises(ValueError, match=r"needs two classes to choose from, got \('ant',\)"):
        build_task(TrainingSettings(), EvaluationSettings(), ["ant"])


def test_predictor_says_what_the_task_does(task: ClassificationTask) -> None:
    images = batch(IMAGES)
    found = build_predictor(TrainingSettings(), NAMES)(Brightness(), list(images.images))
    _, expected = task.decide(Brightness(), images)
    assert all(isinstance(each, ClassProbabilities) for each in found)
    assert torch.equal(torch.stack([each.values for each in found]), expected)


class TestFiles:
    @pytest.fixture
    def kept(self, task: ClassificationTask, tmp_path: Path) -> dict[str, Path]:
        evaluator = scored(task, [batch(IMAGES)], is_saved=True)
        return {role: tmp_path / name for role, name in evaluator.save(tmp_path, "val").items()}

    def test_predictions_score_the_same_when_they_are_read_back(
        self, task: ClassificationTask, kept: dict[str, Path]
    ) -> None:
        metrics = scored(task, [batch(IMAGES)]).compute()
        with np.load(kept["predictions_val"]) as saved:
            assert saved["image_ids"].tolist() == [f"image {row}" for row in range(6)]
            assert saved["class_names"].tolist() == list(NAMES)
            assert saved["probabilities"].dtype == np.float32
            right = saved["probabilities"].argmax(axis=1) == saved["labels"]
            truth = saved["probabilities"][np.arange(6), saved["labels"]].astype(np.float64)
        assert right.mean() == metrics["top1"]
        assert -np.log(truth).mean() == pytest.approx(metrics["log_loss"], rel=1e-12)

    def test_confusion_has_images_by_truth_and_prediction(self, kept: dict[str, Path]) -> None:
        content = json.loads(kept["confusion_val"].read_text())
        matrix = np.array(content["matrix"])
        assert (content["labels"], content["unit"]) == (list(NAMES), "images")
        assert matrix.sum() == 6
        assert (matrix[0, 0], matrix[0, 1], matrix[2, 3], matrix[4, 4]) == (1, 1, 1, 2)

    def test_class_scores_are_the_metrics_and_null_where_undefined(
        self, kept: dict[str, Path]
    ) -> None:
        content = json.loads(kept["class_scores_val"].read_text())
        assert content["images"] == 6
        classes = content["classes"]
        assert classes["class a"]["images"] == 2
        assert classes["class a"]["recall"] == 0.5
        assert classes["class a"]["precision"] == 1
        assert classes["class a"]["f1"] == pytest.approx(2 / 3, abs=1e-6)
        unknown = dict.fromkeys(("recall", "precision", "f1", "top5"))
        assert classes["class b"] == {"images": 0, **unknown}

    def test_calibration_has_every_image_in_a_bin(
        self, task: ClassificationTask, kept: dict[str, Path]
    ) -> None:
        content = json.loads(kept["calibration_val"].read_text())
        assert content["ece"] == scored(task, [batch(IMAGES)]).compute()["ece"]
        assert sum(each["count"] for each in content["bins"]) == content["images"] == 6
        filled = [each for each in content["bins"] if each["count"]]
        assert all(each["from"] < each["confidence"] <= each["to"] for each in filled)
        assert all(each["accuracy"] is None for each in content["bins"] if not each["count"])

    def test_each_image_has_a_line_whose_means_are_the_metrics(
        self, task: ClassificationTask, kept: dict[str, Path]
    ) -> None:
        lines = list(csv.DictReader(kept["image_scores_val"].read_text().splitlines()))
        metrics = scored(task, [batch(IMAGES)]).compute()
        assert [line["predicted"][-1] for line in lines] == list("abdcee")
        for name in ("top1", "top5", "loss", "log_loss"):
            mean = np.mean([float(line[name]) for line in lines])
            assert mean == pytest.approx(metrics[name])

    def test_prediction_of_all_images_is_asked_for_once(
        self, task: ClassificationTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        images = scored(task, [batch(IMAGES)], is_saved=True).images()
        asked = []

        def counted(guesses: Guesses) -> Any:
            asked.append(len(guesses.labels))
            return guesses.probabilities.argmax(axis=1)

        monkeypatch.setattr(Guesses, "predicted", property(counted))
        save_rows(tmp_path / "rows.csv", {"image_id": images.image_ids}, images, {})
        assert asked == [6], "a line for each image, from one prediction of all"

    def test_file_name_that_is_not_utf_8_keeps_its_bytes(
        self, task: ClassificationTask, tmp_path: Path
    ) -> None:
        images = scored(task, [batch(IMAGES[:1])], is_saved=True).images()
        named = replace(images, image_ids=(os.fsdecode(b"ant/caf\xe9.png"),))
        files = save_split(tmp_path, "val", named)
        _, line = (tmp_path / files["image_scores_val"]).read_bytes().splitlines()
        assert line.startswith(b"ant/caf\xe9.png,class a,class a,")
        with np.load(tmp_path / files["predictions_val"]) as saved:
            assert tuple(saved["image_ids"]) == named.image_ids

    def test_picture_has_a_row_of_right_ones_and_one_of_mistakes(
        self, kept: dict[str, Path]
    ) -> None:
        strip = cv2.imread(str(kept["predictions_strip"]))
        assert strip is not None
        assert strip.shape[1] == COLUMNS * (192 + 6)
        assert strip.shape[0] == 2 * (28 + 6 + 4 * 24 + 192 + 6)
        assert cv2.imread(str(kept["confusion_picture_val"])) is not None

    def test_split_without_a_mistake_has_a_picture_all_the_same(
        self, task: ClassificationTask, tmp_path: Path
    ) -> None:
        right = scored(task, [batch([(0, 0, 90)])], is_saved=True)
        strip = cv2.imread(str(tmp_path / right.save(tmp_path, "val")["predictions_strip"]))
        assert strip is not None

    def test_test_split_has_no_strip(self, task: ClassificationTask, tmp_path: Path) -> None:
        files = scored(task, [batch(IMAGES)], is_saved=True).save(tmp_path, "test")
        assert "predictions_strip" not in files
        assert all("test" in name for name in files.values())


def probe(label: int, guess: int, sureness: float) -> ImageProbe:
    others = (1 - sureness) / (len(NAMES) - 1)
    probabilities = np.full(len(NAMES), others, np.float32)
    probabilities[guess] = sureness
    return ImageProbe(np.zeros((1, 1, 3), np.uint8), label, probabilities)


class TestChoice:
    def test_right_ones_are_of_different_classes_first(self) -> None:
        same = [probe(0, 0, 0.9) for _ in range(5)]
        other = probe(1, 1, 0.5)
        assert chosen([*same, other]) == [same[0], other, *same[1:3]]

    def test_mistakes_are_the_surest(self) -> None:
        wrong = [probe(0, 1, 0.3 + 0.1 * number) for number in range(6)]
        assert chosen(wrong) == wrong[:1:-1]

    def test_is_the_same_in_whatever_parts_images_come(self) -> None:
        random = np.random.default_rng(4)
        every = [
            probe(int(label), int(guess), float(sureness))
            for label, guess, sureness in zip(
                random.integers(0, 7, 60),
                random.integers(0, 7, 60),
                random.uniform(0.2, 1, 60),
                strict=True,
            )
        ]
        kept: list[ImageProbe] = []
        for start in range(0, 60, 7):
            kept = chosen([*kept, *every[start : start + 7]])
        assert kept == chosen(every)
