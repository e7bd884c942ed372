"""How SORT expects a box to move: centre and area at constant velocity, constant aspect ratio.

Bewley et al. 2016, section 3.2: the state is (u, v, s, r, u', v', s') with the centre (u, v) and
the area s in pixels, the aspect ratio r = width / height, and the change of three of them per
frame. The paper gives no numbers for the noise; these are the ones its results were made with.
"""

import numpy as np

from models.tracking.kalman import Gaussian, advanced, corrected
from models.tracking.tracker import Numbers

AREA, AREA_CHANGE = 2, 6
TRANSITION = np.eye(7) + np.eye(7, k=4)  # each of u, v and s changes by its velocity
OBSERVATION = np.eye(4, 7)
MEASUREMENT_NOISE = np.diag([1.0, 1.0, 10.0, 10.0])
MOTION_NOISE = np.diag([1.0, 1.0, 1.0, 1.0, 0.01, 0.01, 0.0001])
# Nobody has seen a new track move: hence the large variances of its velocities.
FIRST_COVARIANCE = np.diag([10.0, 10.0, 10.0, 10.0, 1e4, 1e4, 1e4])


def started(box_xyxy: Numbers) -> Gaussian:
    """Return the state of a track whose first box (4,), pixels, is this one; it stands still."""
    return Gaussian(np.concatenate([_measurement(box_xyxy), np.zeros(3)]), FIRST_COVARIANCE)


def moved(state: Gaussian) -> Gaussian:
    """Let a frame pass; an area that would vanish stays as it is."""
    mean = state.mean
    if mean[AREA] + mean[AREA_CHANGE] <= 0:
        mean = mean.copy()
        mean[AREA_CHANGE] = 0
    return advanced(Gaussian(mean, state.covariance), TRANSITION, MOTION_NOISE)


def seen(state: Gaussian, box_xyxy: Numbers) -> Gaussian:
    """Take in the box (4,), pixels, of the track's detection."""
    return corrected(state, _measurement(box_xyxy), OBSERVATION, MEASUREMENT_NOISE)


def box_of(state: Gaussian) -> Numbers:
    """Return the box (4,) xyxy in pixels."""
    u, v, area, ratio = state.mean[:4]
    width = np.sqrt(area * ratio)
    height = area / width
    return np.array([u - width / 2, v - height / 2, u + width / 2, v + height / 2])


def _measurement(box_xyxy: Numbers) -> Numbers:
    x1, y1, x2, y2 = box_xyxy
    width, height = x2 - x1, y2 - y1
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, width * height, width / height])
