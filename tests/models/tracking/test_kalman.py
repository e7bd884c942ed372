"""The filter against OpenCV's, its distance against scipy's."""

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from models.tracking.kalman import Gaussian, advanced, corrected, measured, squared_mahalanobis
from models.tracking.tracker import Numbers


def positive(random: np.random.Generator, size: int) -> Numbers:
    root = random.normal(size=(size, size))
    return root @ root.T + np.eye(size)


@pytest.mark.parametrize("seed", range(3))
def test_prediction_and_correction_are_those_of_opencv(seed: int) -> None:
    random = np.random.default_rng(seed)
    transition, observation = random.normal(size=(5, 5)), random.normal(size=(3, 5))
    motion_noise, noise = positive(random, 5), positive(random, 3)
    state = Gaussian(random.normal(size=5), positive(random, 5))
    theirs = cv2.KalmanFilter(5, 3, 0, cv2.CV_64F)
    theirs.transitionMatrix, theirs.measurementMatrix = transition, observation
    theirs.processNoiseCov, theirs.measurementNoiseCov = motion_noise, noise
    theirs.statePost, theirs.errorCovPost = state.mean[:, None].copy(), state.covariance.copy()
    for _ in range(4):
        state = advanced(state, transition, motion_noise)
        theirs.predict()
        np.testing.assert_allclose(state.mean, theirs.statePre[:, 0], rtol=1e-9)
        np.testing.assert_allclose(state.covariance, theirs.errorCovPre, rtol=1e-9)
        seen = random.normal(size=3)
        state = corrected(state, seen, observation, noise)
        theirs.correct(seen[:, None])
        np.testing.assert_allclose(state.mean, theirs.statePost[:, 0], rtol=1e-6)
        np.testing.assert_allclose(state.covariance, theirs.errorCovPost, rtol=1e-6, atol=1e-9)


def test_a_covariance_stays_symmetric_to_the_last_bit() -> None:
    random = np.random.default_rng(0)
    state = Gaussian(np.zeros(5), positive(random, 5))
    seen = corrected(state, np.ones(3), random.normal(size=(3, 5)), positive(random, 3))
    assert np.array_equal(seen.covariance, seen.covariance.T)


def test_distances_are_those_of_scipy() -> None:
    random = np.random.default_rng(1)
    state = Gaussian(random.normal(size=5), positive(random, 5))
    expected = measured(state, random.normal(size=(3, 5)), positive(random, 3))
    points = random.normal(size=(7, 3))
    inverse = np.linalg.inv(expected.covariance)
    theirs = [mahalanobis(point, expected.mean, inverse) ** 2 for point in points]
    np.testing.assert_allclose(squared_mahalanobis(expected, points), theirs, rtol=1e-9)
