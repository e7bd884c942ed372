import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label

from models.metrics.objects import (
    THRESHOLDS,
    agreement_f1,
    best_threshold,
    components,
    joined_pairs,
    object_agreement,
)

CASES = 1000


def pairs_by_hand(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Look at every pair of pixels; areas are scipy's."""
    own, true = (label(mask)[0].ravel() for mask in (found, truth))
    inside = true > 0
    own, true = own[inside], true[inside]
    same_truth = true[:, None] == true
    same_found = ((own[:, None] == own) & (own > 0)) | np.eye(own.size, dtype=np.bool_)
    return int((same_found & same_truth).sum()), int(same_found.sum()), int(same_truth.sum())


@pytest.mark.slow
def test_pixels_and_pairs_are_those_of_all_pairs_of_pixels() -> None:
    generator = np.random.default_rng(0)
    for seed in range(CASES):
        height, width = generator.integers(1, 8, 2)
        truth = generator.random((height, width)) < generator.choice([0, 0.5, 0.8, 1])
        valid = generator.random((height, width)) < generator.choice([0, 0.8, 1])
        probability = generator.random((height, width)).astype(np.float32).round(1 + seed % 2)
        counts = object_agreement(probability, truth, valid)
        for index, threshold in enumerate(THRESHOLDS):
            found = (probability.astype(np.float64) >= threshold) & valid
            true = truth & valid
            pixels = (found & true).sum(), found.sum(), true.sum()
            assert tuple(counts[index, 0]) == pixels, seed
            assert tuple(counts[index, 1]) == pairs_by_hand(found, true), seed


def test_merged_objects_by_hand() -> None:
    # Two cells of 2 pixels and a membrane between them, all predicted to be one cell.
    truth, found = np.array([[1, 1, 0, 2, 2]]), np.ones((1, 5), np.int64)
    assert joined_pairs(found, truth) == (2**2 + 2**2, 4**2, 2**2 + 2**2)
    assert agreement_f1(np.array([8, 16, 8])) == pytest.approx(2 / 3)


def test_pixel_that_is_missed_is_an_object_of_its_own() -> None:
    truth, found = np.array([[1, 1, 0, 2, 2]]), np.array([[0, 1, 0, 2, 2]])
    assert joined_pairs(found, truth) == (1 + 1 + 4, 1 + 1 + 4, 8)


def test_found_objects_outside_true_ones_count_as_pixels_and_not_as_pairs() -> None:
    truth = np.array([[True, True, False, False]])
    counts = object_agreement(np.ones((1, 4)), truth, np.ones((1, 4), np.bool_))
    assert counts[0].tolist() == [[2, 4, 2], [4, 4, 4]]


def test_objects_that_touch_at_a_corner_are_two() -> None:
    assert components(np.eye(2, dtype=np.bool_)).max() == 2


def test_best_threshold_is_one_for_all_images() -> None:
    # Each image alone would have a perfect threshold, a different one.
    counts = np.array([[[4, 4, 4], [1, 2, 4]], [[1, 2, 4], [4, 4, 4]], [[4, 6, 4], [4, 4, 4]]])
    best, score = best_threshold(counts)
    assert best == 1
    assert score == pytest.approx(2 * 9 / (10 + 12))


def test_images_without_a_true_object_have_no_score() -> None:
    counts = object_agreement(np.ones((2, 2)), np.zeros((2, 2), np.bool_), np.ones((2, 2), bool))
    assert np.isnan(best_threshold(counts[None, :, 1])[1])
