"""Networks put together, held against one pixel at a time."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from models.assembly import AssemblyEvaluator, assembled, at_scale
from models.assembly_scores import Choice, at_own_thresholds, choose, scores_at
from models.metrics.segmentation import SigmoidPredictions

CLASSES = ("car", "traffic light")
THRESHOLDS = (0.1, 0.35, 0.5, 0.8)


def said_by_networks(images: int = 3, classes: int = 2, size: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(images + classes)
    coarse = torch.randint(0, 11, (images, classes, size, size), generator=generator)
    return coarse / 10  # with many ties


def true_masks(images: int = 3, size: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    masks = torch.randint(0, 3, (images, size, size), generator=generator, dtype=torch.uint8)
    masks[:, 0, 0] = 255
    return masks


def counted(said: Tensor, masks: Tensor, single: Tensor | None = None) -> AssemblyEvaluator:
    evaluator = AssemblyEvaluator(CLASSES, first_label=1)
    ways = {"own": said} if single is None else {"own": said, "single": single}
    images = torch.zeros(len(masks), 3, *masks.shape[-2:], dtype=torch.uint8)
    names = [f"image {index}" for index in range(len(masks))]
    evaluator.update(names, images, masks, ways)  # type: ignore[arg-type]  # keys are ways
    return evaluator


def label_of(pixel: Tensor, threshold: float) -> int:
    """Return 0 for background, or 1 + the first of the most probable classes."""
    best = max(range(len(pixel)), key=lambda index: (float(pixel[index]), -index))
    return 1 + best if round(1000 * float(pixel[best])) >= round(1000 * threshold) else 0


def iou_pixel_by_pixel(said: Tensor, masks: Tensor, threshold: float) -> dict[int, float]:
    hits, either = {1: 0, 2: 0}, {1: 0, 2: 0}
    for image, row, column in itertools.product(*map(range, masks.shape)):
        truth = int(masks[image, row, column])
        if truth == 255:
            continue
        found = label_of(said[image, :, row, column], threshold)
        for label in (1, 2):
            hits[label] += truth == label == found
            either[label] += label in (truth, found)
    return {label: hits[label] / either[label] for label in (1, 2)}


def test_a_pixel_keeps_its_most_probable_class_alone() -> None:
    said = said_by_networks(classes=4)
    kept = assembled(said)
    for image, row, column in itertools.product(range(3), range(6), range(6)):
        pixel = said[image, :, row, column].tolist()
        expected = [0.0] * 4
        expected[pixel.index(max(pixel))] = max(pixel)  # the first of equals
        assert kept[image, :, row, column].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_one_pass_scores_the_assembly_as_a_loop_over_pixels_does(threshold: float) -> None:
    said, masks = said_by_networks(), true_masks()
    predictions = counted(said, masks).predictions()["assembly"]
    (scores,) = scores_at(predictions, [threshold])
    expected = iou_pixel_by_pixel(said, masks, threshold)
    assert scores["iou_car"] == pytest.approx(expected[1])
    assert scores["iou_traffic_light"] == pytest.approx(expected[2])
    assert scores["iou"] == pytest.approx(sum(expected.values()) / 2)


def test_the_single_network_is_put_together_by_the_same_rule() -> None:
    said, single, masks = said_by_networks(), said_by_networks(classes=2).flip(1), true_masks()
    found = counted(said, masks, single).predictions()
    (scores,) = scores_at(found["single"], [0.35])
    assert scores["iou_car"] == pytest.approx(iou_pixel_by_pixel(single, masks, 0.35)[1])


def test_own_networks_may_overlap_and_keep_their_thresholds() -> None:
    said, masks = said_by_networks(), true_masks()
    own = at_own_thresholds({"test": counted(said, masks).predictions()["own"]}, [0.1, 0.8])
    valid = masks != 255
    for index, (name, threshold) in enumerate((("car", 0.1), ("traffic_light", 0.8))):
        found = said[:, index] >= threshold - 1e-6
        truth = masks == index + 1
        both, either = (found & truth & valid).sum(), ((found | truth) & valid).sum()
        assert own.metrics[f"test/iou_{name}"] == pytest.approx(float(both / either))
    assert own.threshold is None


def test_batches_one_by_one_count_as_all_at_once() -> None:
    said, masks = said_by_networks(), true_masks()
    together = counted(said, masks).predictions()["assembly"]
    apart = AssemblyEvaluator(CLASSES, first_label=1)
    for index in range(3):
        one = slice(index, index + 1)
        images = torch.zeros(1, 3, 6, 6, dtype=torch.uint8)
        apart.update([f"image {index}"], images, masks[one], {"own": said[one]})
    found = apart.predictions()["assembly"]
    np.testing.assert_array_equal(found.positives, together.positives)
    np.testing.assert_array_equal(found.negatives, together.negatives)
    assert found.image_ids == together.image_ids


def test_all_ways_are_scored_on_the_centre_that_the_smallest_output_covers() -> None:
    said, masks = said_by_networks(), true_masks()
    small = said[:, :, 1:5, 1:5]
    found = counted(said, masks, single=small).predictions()
    central = counted(small, masks[:, 1:5, 1:5]).predictions()
    np.testing.assert_array_equal(found["assembly"].positives, central["assembly"].positives)
    np.testing.assert_array_equal(found["single"].positives, central["assembly"].positives)


def test_probabilities_are_enlarged_to_the_share_of_the_picture_that_they_cover() -> None:
    ramp = torch.linspace(0, 1, 8).expand(1, 1, 8, 8)
    assert at_scale(ramp, input_size=8, size=16).shape == (1, 1, 16, 16)
    assert at_scale(ramp[..., 2:6, 2:6], input_size=8, size=16).shape == (1, 1, 8, 8)
    torch.testing.assert_close(at_scale(ramp, input_size=8, size=8), ramp)
    larger = at_scale(ramp, input_size=8, size=16)
    reference = np.interp((np.arange(16) + 0.5) / 2 - 0.5, np.arange(8), ramp[0, 0, 0].numpy())
    np.testing.assert_allclose(larger[0, 0, 0].numpy(), reference, atol=1e-6)


def test_the_picture_shows_what_is_found_from_the_threshold_on() -> None:
    said, masks = said_by_networks(), true_masks()
    probe = counted(said, masks).probes(0.35)[1]
    expected = assembled(said)[1].numpy() >= 0.35
    np.testing.assert_array_equal(probe.prediction, expected)
    np.testing.assert_array_equal(probe.valid, (masks[1] != 255).numpy())


def predictions_with_iou(by_threshold: dict[float, float]) -> SigmoidPredictions:
    """Return counts of one class whose IoU at each threshold is the one given."""
    positives, negatives = (np.zeros((1, 1, 1001), np.int64) for _ in range(2))
    steps = sorted(by_threshold)
    found = [round(1000 * by_threshold[step]) for step in steps]
    for step, count, following in zip(steps, found, [*found[1:], 0], strict=True):
        positives[0, 0, round(1000 * step)] = count - following
    positives[0, 0, 0] = 1000 - found[0]
    return SigmoidPredictions(("a",), ("car",), np.array([np.nan]), positives, negatives)


VAL = predictions_with_iou({0.2: 0.6, 0.4: 0.6, 0.6: 0.3})
TEST = predictions_with_iou({0.2: 0.9, 0.4: 0.2, 0.6: 0.1})


def chosen(
    split: str, metric: str = "iou", thresholds: tuple[float, ...] = (0.2, 0.4, 0.6)
) -> tuple[float | None, float]:
    choice = Choice(thresholds, split, metric, maximize=True)
    scores = choose({"val": VAL, "test": TEST}, choice)
    return scores.threshold, round(scores.metrics["test/iou"], 6)


def test_the_threshold_is_chosen_on_validation_and_reported_on_test() -> None:
    assert chosen("val", thresholds=(0.4, 0.6)) == (0.4, 0.2)


def test_the_lowest_of_equal_thresholds_is_chosen() -> None:
    assert chosen("val") == (0.2, 0.9)


def test_the_threshold_is_chosen_on_test_where_the_study_selects_there() -> None:
    assert chosen("test", thresholds=(0.4, 0.6)) == (0.4, 0.2)


def test_an_objective_that_no_threshold_changes_leaves_the_choice_to_iou() -> None:
    assert chosen("val", metric="loss") == (0.2, 0.9)


def test_every_threshold_of_the_list_is_reported_on_both_splits() -> None:
    choice = Choice((0.2, 0.6), "val", "iou", maximize=True)
    curve = choose({"val": VAL, "test": TEST}, choice).by_threshold
    assert [threshold for threshold, _ in curve] == [0.2, 0.6]
    assert [round(metrics["val/iou"], 3) for _, metrics in curve] == [0.6, 0.3]
    assert [round(metrics["test/iou"], 3) for _, metrics in curve] == [0.9, 0.1]
