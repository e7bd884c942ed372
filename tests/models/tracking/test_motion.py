"""What SORT and DeepSORT expect of a box, worked by hand.

The box is 40 x 80 pixels around (100, 200): aspect ratio 0.5, height 80, area 3200.
"""

import numpy as np
import pytest
from scipy.stats import chi2

from models.tracking import deepsort_motion, sort_motion
from models.tracking.settings import CHI_SQUARE_95_OF_4
from models.tracking.tracker import Numbers

BOX = np.array([80.0, 160.0, 120.0, 240.0])


def box_around(u: float, v: float, height: float = 80.0) -> Numbers:
    """Return a box of aspect ratio 0.5."""
    return np.array([u - height / 4, v - height / 2, u + height / 4, v + height / 2])


def test_deepsort_starts_a_track_that_stands_still() -> None:
    state = deepsort_motion.started(BOX)
    assert state.mean.tolist() == [100, 200, 0.5, 80, 0, 0, 0, 0]
    # Positions 2 * 80 / 20 = 8 pixels, velocities 10 * 80 / 160 = 5; squared.
    expected = [64, 64, 1e-4, 64, 25, 25, 1e-10, 25]
    np.testing.assert_allclose(state.covariance, np.diag(expected), rtol=1e-12)
    np.testing.assert_allclose(deepsort_motion.box_of(state), BOX)


def test_deepsort_knows_less_after_a_frame() -> None:
    state = deepsort_motion.moved(deepsort_motion.started(BOX))
    covariance = state.covariance
    # Position 64 + 25 and noise (80 / 20)² = 16; velocity 25 and noise (80 / 160)² = 0.25.
    np.testing.assert_allclose(np.diag(covariance)[[0, 1, 3]], 105, rtol=1e-12)
    np.testing.assert_allclose(np.diag(covariance)[[4, 5, 7]], 25.25, rtol=1e-12)
    np.testing.assert_allclose(covariance[[0, 1, 3], [4, 5, 7]], 25, rtol=1e-12)
    assert covariance[2, 2] == pytest.approx(2e-4 + 1e-10)


def test_deepsort_takes_in_a_detection() -> None:
    state = deepsort_motion.moved(deepsort_motion.started(BOX))
    seen = deepsort_motion.seen(state, box_around(111, 200))
    # S = 105 + (80 / 20)² = 121, so K = 105 / 121 and, of the velocity, 25 / 121; 11 pixels off.
    assert seen.mean[0] == pytest.approx(100 + 105 / 11)
    assert seen.mean[4] == pytest.approx(25 / 11)
    assert seen.mean[[1, 2, 3]].tolist() == pytest.approx([200, 0.5, 80])
    assert seen.covariance[0, 0] == pytest.approx(105 - 105**2 / 121)
    assert seen.covariance[0, 4] == pytest.approx(25 - 105 * 25 / 121)
    assert seen.covariance[4, 4] == pytest.approx(25.25 - 25**2 / 121)


def test_deepsort_measures_distances_in_deviations_of_the_expected_box() -> None:
    state = deepsort_motion.moved(deepsort_motion.started(BOX))
    # S is 121 for u, v and h: 11 pixels are one deviation. 22, 11 and 11 make 4 + 1 + 1.
    boxes = np.stack([BOX, box_around(111, 200), box_around(122, 189, height=91)])
    distances = deepsort_motion.squared_distances(state, boxes)
    assert distances.tolist() == pytest.approx([0, 1, 6])
    # The aspect ratio: 0.6 instead of 0.5, of variance 2e-4 + 1e-10 + 0.1².
    wide = np.array([[76.0, 160.0, 124.0, 240.0]])
    [distance] = deepsort_motion.squared_distances(state, wide)
    assert distance == pytest.approx(0.1**2 / (2e-4 + 1e-10 + 1e-2))


def test_the_gate_of_deepsort_leaves_out_one_in_twenty() -> None:
    assert pytest.approx(chi2.ppf(0.95, df=4), abs=5e-5) == CHI_SQUARE_95_OF_4
    state = deepsort_motion.moved(deepsort_motion.started(BOX))
    # 11 * sqrt(9.4877) = 33.882 pixels.
    boxes = np.stack([box_around(133.88, 200), box_around(133.89, 200)])
    inside, outside = deepsort_motion.squared_distances(state, boxes)
    assert inside <= CHI_SQUARE_95_OF_4 < outside


def test_sort_starts_moves_and_takes_in() -> None:
    state = sort_motion.started(BOX)
    assert state.mean.tolist() == [100, 200, 3200, 0.5, 0, 0, 0]
    state = sort_motion.moved(state)
    # u: 10 + 10,000 + 1; of its measurement 1 more. r: 10 + 1, of its measurement 10 more.
    assert state.covariance[0, 0] == 10_011
    assert state.covariance[3, 3] == 11
    seen = sort_motion.seen(state, np.array([90.0, 160.0, 154.0, 240.0]))  # u 122, r 0.8
    assert seen.mean[0] == pytest.approx(100 + 22 * 10_011 / 10_012)
    assert seen.mean[3] == pytest.approx(0.5 + 0.3 * 11 / 21)
    assert seen.mean[4] == pytest.approx(22 * 10_000 / 10_012)
    np.testing.assert_allclose(sort_motion.box_of(sort_motion.started(BOX)), BOX)


def test_a_box_that_shrinks_away_keeps_a_size() -> None:
    sort, deep = sort_motion.started(BOX), deepsort_motion.started(BOX)
    for height in (80.0, 40.0, 20.0, 10.0):
        sort = sort_motion.moved(sort_motion.seen(sort, box_around(100, 200, height)))
        deep = deepsort_motion.moved(deepsort_motion.seen(deep, box_around(100, 200, height)))
    for _ in range(50):
        sort, deep = sort_motion.moved(sort), deepsort_motion.moved(deep)
        for x1, y1, x2, y2 in (sort_motion.box_of(sort), deepsort_motion.box_of(deep)):
            assert x1 < x2
            assert y1 < y2
