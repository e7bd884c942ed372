"""The Kalman filter of a linear motion, as two steps on a Gaussian.

Kalman 1960; the letters are those of Welch and Bishop, "An introduction to the Kalman filter"
(2006), section 1.1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from models.tracking.tracker import Numbers


@dataclass(frozen=True, slots=True)
class Gaussian:
    """What is believed of a state or of a measurement of it."""

    mean: Numbers  # (d,)
    covariance: Numbers  # (d, d)


def advanced(state: Gaussian, transition: Numbers, noise: Numbers) -> Gaussian:
    """Let a frame pass: x = F x, P = F P Fᵀ + Q.

    Args:
        state: Of d numbers.
        transition: F, (d, d).
        noise: Q, (d, d), covariance of what the motion model does not know.
    """
    covariance = transition @ state.covariance @ transition.T + noise
    return Gaussian(transition @ state.mean, covariance)


def measured(state: Gaussian, observation: Numbers, noise: Numbers) -> Gaussian:
    """Return which measurement is expected: H x, with covariance S = H P Hᵀ + R.

    Args:
        state: Of d numbers.
        observation: H, (m, d).
        noise: R, (m, m), covariance of a measurement's error.
    """
    covariance = observation @ state.covariance @ observation.T + noise
    return Gaussian(observation @ state.mean, covariance)


def corrected(
    state: Gaussian, measurement: Numbers, observation: Numbers, noise: Numbers
) -> Gaussian:
    """Take in a measurement (m,): x + K (z - H x), (1 - K H) P with K = P Hᵀ S⁻¹."""
    expected = measured(state, observation, noise)
    factor = cho_factor(expected.covariance)
    gain = cho_solve(factor, observation @ state.covariance).T
    mean = state.mean + gain @ (measurement - expected.mean)
    # K S Kᵀ in place of K H P: the same, and symmetric to the last bit.
    covariance = state.covariance - gain @ expected.covariance @ gain.T
    return Gaussian(mean, (covariance + covariance.T) / 2)


def squared_mahalanobis(expected: Gaussian, measurements: Numbers) -> Numbers:
    """Return how far measurements (n, m) are from the expected one, (n,).

    (z - y)ᵀ S⁻¹ (z - y): Wojke et al. 2017, equation 1.
    """
    factor = np.linalg.cholesky(expected.covariance)
    whitened = solve_triangular(factor, (measurements - expected.mean).T, lower=True)
    distances: Numbers = np.square(whitened).sum(axis=0)
    return distances
