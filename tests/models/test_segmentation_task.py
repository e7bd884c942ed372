import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_pipeline.samples import SegmentationBatch
from models.losses import IGNORE
from models.segmentation.outputs import WithAuxiliary
from models.session import Diverged
from models.settings import EvaluationSettings, TrainingSettings
from models.tasks.segmentation import SegmentationTask, scaled
from models.tasks.strips import FALSE_FIND, MISSED, RIGHT, TILE, Probe, save_strip

NAMES = ("background", "car", "traffic light")


class Painter(nn.Module):
    """Gives prepared logits, whatever the image."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, images: Tensor) -> Tensor:
        return self.logits[: len(images)]


def task(loss: str = "bce", names: tuple[str, ...] = NAMES, **evaluation: Any) -> SegmentationTask:
    training = TrainingSettings.model_validate({"loss": loss})
    return SegmentationTask(training, EvaluationSettings(**evaluation), names)


def batch(masks: Tensor) -> SegmentationBatch:
    images = torch.zeros(len(masks), 3, *masks.shape[1:], dtype=torch.uint8)
    names = tuple(f"image-{index}" for index in range(len(masks)))
    return SegmentationBatch(names, images, masks.to(torch.uint8))


@pytest.fixture
def masks() -> Tensor:
    masks = torch.randint(0, 3, (5, 6, 6), generator=torch.Generator().manual_seed(0))
    masks[0, 0, :3] = IGNORE
    return masks


def perfect_logits(masks: Tensor, loss: str) -> Tensor:
    first = 1 if loss == "bce" else 0
    return torch.stack([(masks == label) * 20.0 - 10 for label in range(first, 3)], dim=1)


def score(task: SegmentationTask, logits: Tensor, *batches: SegmentationBatch) -> dict[str, float]:
    evaluator, start = task.evaluator(), 0
    for each in batches:
        with torch.no_grad():
            evaluator.update(Painter(logits[start : start + len(each)]), each)
        start += len(each)
    return evaluator.compute()


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_perfect_logits_score_perfectly(loss: str, masks: Tensor) -> None:
    metrics = score(task(loss), perfect_logits(masks, loss), batch(masks))
    errors = [metrics.pop(name) for name in ("loss", "log_loss", "mae", "mse")]
    assert max(errors) < 1e-3
    assert set(metrics.values()) == {1.0}
    assert set(metrics) <= set(task(loss).metric_names)
    assert ("iou_with_background" in metrics) == (loss == "cross_entropy")


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_training_metrics_agree_with_the_evaluators(loss: str, masks: Tensor) -> None:
    noise = torch.randn(5, 3, 6, 6, generator=torch.Generator().manual_seed(1)) * 12
    clean = perfect_logits(masks, loss)
    logits = clean + noise[:, : clean.shape[1]]
    subject = task(loss, threshold=0.3) if loss == "bce" else task(loss)
    step = subject.training_step(Painter(logits), batch(masks))
    train, val = subject.summarise(step.sums), score(subject, logits, batch(masks))
    assert 0.2 < train["iou"] < 0.9
    assert train == pytest.approx({name: val[name] for name in train})
    assert step.loss.item() == pytest.approx(val["loss"])


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_loss_of_an_auxiliary_head_is_minimised_and_logged_apart(loss: str, masks: Tensor) -> None:
    class TwoHeads(Painter):
        def forward(self, images: Tensor) -> WithAuxiliary:  # type: ignore[override]
            logits = super().forward(images)
            return WithAuxiliary(logits, auxiliary=-logits, weight=0.4)

    logits, subject = perfect_logits(masks, loss) / 5, task(loss)
    step = subject.training_step(TwoHeads(logits), batch(masks))
    main = subject.training_step(Painter(logits), batch(masks)).loss.item()
    other = subject.training_step(Painter(-logits), batch(masks)).loss.item()
    train = subject.summarise(step.sums)
    assert train["loss"] == pytest.approx(score(subject, logits, batch(masks))["loss"])
    assert train["loss"] == pytest.approx(main)
    assert train["auxiliary_loss"] == pytest.approx(0.4 * other)
    assert step.loss.item() == pytest.approx(main + 0.4 * other)


@pytest.mark.parametrize(
    ("loss", "bad"),
    [
        ("bce", math.nan),
        ("dice", math.nan),
        ("lovasz_hinge", math.nan),
        ("cross_entropy", math.inf),
        ("softmax_dice", math.inf),
    ],
)
def test_logits_that_are_not_finite_are_told_as_divergence(
    loss: str, bad: float, masks: Tensor
) -> None:
    is_softmax = loss in ("cross_entropy", "softmax_dice")
    logits = perfect_logits(masks, "cross_entropy" if is_softmax else "bce")
    logits[3, -1] = bad
    masks[3] = 0  # the class is not in that image, so that not every loss is NaN
    with pytest.raises(Diverged, match="must be finite, got nan; try a smaller"):
        score(task(loss), logits, batch(masks))


def test_batches_add_up(masks: Tensor) -> None:
    logits = torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(2))
    subject, whole = task(), batch(masks)
    parts = subject.split_batch(whole, 2)
    assert [len(part.image_ids) for part in parts] == [3, 2]
    assert sum((part.image_ids for part in parts), ()) == whole.image_ids
    one = score(subject, logits, whole)
    assert score(subject, logits, *[batch(masks[:3]), batch(masks[3:])]) == pytest.approx(one)


def test_batch_is_cut_into_no_more_parts_than_images(masks: Tensor) -> None:
    parts = task().split_batch(batch(masks[:3]), 8)
    assert [len(part.image_ids) for part in parts] == [1, 1, 1]


def test_smaller_output_is_scored_on_the_centre(masks: Tensor) -> None:
    logits = perfect_logits(masks, "bce")[:, :, 1:5, 1:5]
    metrics = score(task(), logits, batch(masks))
    assert metrics["iou"] == 1.0
    step = task().training_step(Painter(logits), batch(masks))
    assert int(step.sums["decided"]) == 2 * int((masks[:, 1:5, 1:5] != IGNORE).sum())


def test_unlabelled_pixels_count_for_nothing(masks: Tensor) -> None:
    logits = perfect_logits(masks, "bce")
    logits[0, :, 0, :3] = 10  # finds everywhere on the unlabelled pixels
    assert score(task(), logits, batch(masks))["iou"] == 1.0


def test_classes_without_a_background_each_have_a_channel(masks: Tensor) -> None:
    subject = task(names=("road", "car", "sky"))
    metrics = score(subject, perfect_logits(masks, "cross_entropy"), batch(masks))
    assert {"iou_road", "iou_car", "iou_sky"} <= set(metrics)
    assert metrics["iou"] == 1.0


def test_task_without_a_class_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a class beside the background"):
        task(names=("background",))


def test_split_without_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="a split must hold an image"):
        task().evaluator().compute()


def test_images_are_scaled_to_plus_and_minus_one() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8)
    assert scaled(pixels).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_metric_names_suit_mlflow(loss: str) -> None:
    assert all(re.fullmatch("[a-z0-9_]+", name) for name in task(loss).metric_names)


def test_strip_shows_image_truth_prediction_and_error(tmp_path: Path) -> None:
    image = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    truth, found = np.zeros((2, 1, 8, 8), bool)
    truth[0, :, :4] = True  # left half
    found[0, 4:] = True  # lower half
    valid = np.ones((8, 8), bool)
    valid[4:, 4:] = False
    file = tmp_path / "strip.png"
    save_strip(file, [Probe(image, truth, found, valid)] * 3)
    bgr = cv2.imread(str(file))
    assert bgr is not None
    height, width = bgr.shape[:2]
    assert width > 4 * TILE
    assert height > 3 * TILE
    tile = bgr[-TILE - 6 :, -TILE - 6 :, ::-1]
    quarter, rest = TILE // 4, 3 * TILE // 4
    assert tuple(tile[quarter, quarter]) == MISSED
    assert tuple(tile[rest, quarter]) == RIGHT
    assert tuple(tile[rest, rest]) not in {RIGHT, MISSED, FALSE_FIND}, "unlabelled: no error"
    assert tuple(bgr[-TILE, 10, ::-1]) == (200, 100, 50)


def test_strip_holds_at_most_six_images(masks: Tensor, tmp_path: Path) -> None:
    many = masks.repeat(3, 1, 1)
    evaluator = task().evaluator(is_saved=True)
    evaluator.update(Painter(perfect_logits(many, "bce")), batch(many))
    files = evaluator.save(tmp_path, "val")
    picture = cv2.imread(str(tmp_path / files["predictions_strip"]))
    assert picture is not None
    assert 6 * TILE < picture.shape[0] < 7 * TILE


def test_images_that_lie_channels_last_give_the_same_numbers() -> None:
    pixels = torch.randint(0, 256, (2, 3, 9, 8), dtype=torch.uint8)
    view = pixels.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert not view.is_contiguous()
    assert scaled(view).is_contiguous()  # a network's sums depend on the order in memory
    assert torch.equal(scaled(view), scaled(pixels))


def test_normalised_images_are_not_scaled_again() -> None:
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(scaled(images), images)


def test_strip_shows_normalised_images(masks: Tensor, tmp_path: Path) -> None:
    floats = replace(batch(masks), images=torch.randn(len(masks), 3, 6, 6))
    evaluator = task().evaluator(is_saved=True)
    with torch.no_grad():
        evaluator.update(Painter(perfect_logits(masks, "bce")), floats)
    files = evaluator.save(tmp_path, "val")
    picture = cv2.imread(str(tmp_path / files["predictions_strip"]))
    assert picture is not None
    first = picture[30 : 30 + TILE - 4, 2 : TILE - 2]
    assert first.min() < 20
    assert first.max() > 235
