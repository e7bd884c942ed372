"""How DeepSORT expects a box to move: centre, aspect ratio and height at constant velocity.

Wojke et al. 2017, section 2.1: the state is (u, v, a, h) and the change of each per frame, with
the centre (u, v) and the height h in pixels and the aspect ratio a = width / height. What is not
known of a box is in proportion to its height; the paper gives no numbers, these are the ones its
results were made with.
"""

import numpy as np

from models.tracking.kalman import (
    Gaussian,
    advanced,
    corrected,
    measured,
    squared_mahalanobis,
)
from models.tracking.tracker import Numbers

HEIGHT, HEIGHT_CHANGE = 3, 7
POSITION_SHARE = 1 / 20  # standard deviation of a position, as a share of the height
VELOCITY_SHARE = 1 / 160
# Standard deviations of the aspect ratio, which does not grow with the box, and of its change.
RATIO, RATIO_CHANGE, MEASURED_RATIO = 1e-2, 1e-5, 1e-1
FIRST_POSITION, FIRST_VELOCITY = 2, 10  # how much less is known of a new track
TRANSITION = np.eye(8) + np.eye(8, k=4)
OBSERVATION = np.eye(4, 8)


def started(box_xyxy: Numbers) -> Gaussian:
    """Return the state of a track whose first box (4,), pixels, is this one; it stands still."""
    measurement = measurements_of(box_xyxy[None])[0]
    position = FIRST_POSITION * POSITION_SHARE * measurement[HEIGHT]
    velocity = FIRST_VELOCITY * VELOCITY_SHARE * measurement[HEIGHT]
    noise = _noise(position, velocity)
    return Gaussian(np.concatenate([measurement, np.zeros(4)]), noise)


def moved(state: Gaussian) -> Gaussian:
    """Let a frame pass; a height that would vanish stays as it is."""
    mean = state.mean
    if mean[HEIGHT] + mean[HEIGHT_CHANGE] <= 0:
        mean = mean.copy()
        mean[HEIGHT_CHANGE] = 0
    noise = _noise(POSITION_SHARE * mean[HEIGHT], VELOCITY_SHARE * mean[HEIGHT])
    return advanced(Gaussian(mean, state.covariance), TRANSITION, noise)


def seen(state: Gaussian, box_xyxy: Numbers) -> Gaussian:
    """Take in the box (4,), pixels, of the track's detection."""
    measurement = measurements_of(box_xyxy[None])[0]
    return corrected(state, measurement, OBSERVATION, _measurement_noise(state))


def squared_distances(state: Gaussian, boxes_xyxy: Numbers) -> Numbers:
    """Return the squared Mahalanobis distance (n,) of boxes (n, 4) to the expected one."""
    expected = measured(state, OBSERVATION, _measurement_noise(state))
    return squared_mahalanobis(expected, measurements_of(boxes_xyxy))


def box_of(state: Gaussian) -> Numbers:
    """Return the box (4,) xyxy in pixels."""
    ratio, height = state.mean[2:4]
    half = np.array([ratio * height, height]) / 2
    centre = state.mean[:2]
    return np.concatenate([centre - half, centre + half])


def measurements_of(boxes_xyxy: Numbers) -> Numbers:
    """Return (u, v, a, h) of boxes (n, 4), pixels: (n, 4)."""
    width, height = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).T
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    return np.column_stack([centres, width / height, height])


def _noise(position: float, velocity: float) -> Numbers:
    """Return the covariance (8, 8) of a motion with these standard deviations, pixels."""
    deviations = [position, position, RATIO, position]
    deviations += [velocity, velocity, RATIO_CHANGE, velocity]
    return np.diag(np.square(deviations))


def _measurement_noise(state: Gaussian) -> Numbers:
    position = POSITION_SHARE * state.mean[HEIGHT]
    return np.diag(np.square([position, position, MEASURED_RATIO, position]))
