"""Places on the ground against a camera that is known, and what a calibration may not be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from studies.predicting.ground_plane import (
    Calibration,
    CalibrationError,
    GroundPlane,
    ground_plane,
    read_calibration,
)

GROUND = np.array([[0, 0], [4, 0], [4, 6], [0, 6]], np.float64)
QUAD = [[100, 400], [540, 400], [400, 200], [240, 200]]  # near left, near right, far right, …
FILE: dict[str, Any] = {"points": QUAD, "rectangle": {"width_m": 4.0, "length_m": 6.0}}


def seen(ground: NDArray[np.float64], *, height_m: float, tilt: float) -> NDArray[np.float64]:
    """Project (n, 2) ground points by a pinhole camera of 800 pixels, tilt radians downwards."""
    x, y = ground.T - np.array([[2.0], [-5.0]])  # from the camera's foot
    depth = y * np.cos(tilt) + height_m * np.sin(tilt)
    down = -y * np.sin(tilt) + height_m * np.cos(tilt)
    return np.column_stack([320 + 800 * x / depth, 240 + 800 * down / depth])


@pytest.mark.parametrize(("height_m", "tilt"), [(3.0, 0.3), (8.0, 0.9), (2.0, 0.15)])
def test_places_are_those_of_the_camera_that_saw_them(height_m: float, tilt: float) -> None:
    plane = GroundPlane(seen(GROUND, height_m=height_m, tilt=tilt), GROUND)
    truth = np.random.default_rng(0).uniform((-3, -2), (7, 30), (200, 2))
    found = plane.positions(seen(truth, height_m=height_m, tilt=tilt))
    assert np.abs(found - truth).max() < 1e-3  # metres


def test_above_the_horizon_there_is_no_ground() -> None:
    plane = GroundPlane(seen(GROUND, height_m=3.0, tilt=0.3), GROUND)
    horizon = 240 - 800 * np.tan(0.3)
    feet = np.array([[320, horizon - 20], [320, horizon - 1], [320, horizon + 1]])
    known = ~np.isnan(plane.positions(feet)).any(axis=1)
    assert known.tolist() == [False, False, True]


def test_of_nobody_there_are_no_places() -> None:
    plane = GroundPlane(np.array(QUAD, np.float64), GROUND)
    assert plane.positions(np.zeros((0, 2))).shape == (0, 2)


def test_a_rectangle_is_its_four_corners() -> None:
    by_lengths = Calibration.model_validate(FILE)
    by_places = Calibration.model_validate({"points": QUAD, "ground": GROUND.tolist()})
    assert np.array_equal(by_lengths.corners_m, GROUND)
    feet = np.array([[300.0, 300.0]])
    planes = [ground_plane(each, (640, 480)) for each in (by_lengths, by_places)]
    assert np.array_equal(planes[0].positions(feet), planes[1].positions(feet))


def test_points_of_a_smaller_copy_of_the_video_are_scaled() -> None:
    half = {
        "points": [[x / 2, y / 2] for x, y in QUAD],
        "picture": [320, 240],
        "rectangle": FILE["rectangle"],
    }
    feet = np.array([[300.0, 300.0], [120.0, 390.0]])
    whole, scaled = (
        ground_plane(Calibration.model_validate(each), (640, 480)).positions(feet)
        for each in (FILE, half)
    )
    assert scaled == pytest.approx(whole, abs=1e-5)


def written(folder: Path, **changes: object) -> Path:
    """Write the calibration with changes; None leaves a key out."""
    content = {key: value for key, value in {**FILE, **changes}.items() if value is not None}
    file = folder / "calibration.yaml"
    YAML().dump(content, file)
    return file


def test_a_calibration_is_read(tmp_path: Path) -> None:
    calibration = read_calibration(written(tmp_path, limit_m=1.5, people=["walker"]))
    assert (calibration.limit_m, calibration.people) == (1.5, ["walker"])
    assert read_calibration(written(tmp_path)).limit_m == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"points": [[0, 0], [100, 100], [200, 200], [0, 300]]},
            r"no three of points may be in one line, but 1, 2, 3 are: \(0, 0\), \(100, 100\)",
        ),
        (
            {"points": [QUAD[0], QUAD[0], QUAD[2], QUAD[3]]},
            "no three of points may be in one line, but 1, 2, 3 are",
        ),
        (
            {"points": [QUAD[0], QUAD[2], QUAD[1], QUAD[3]]},
            "points must go round a shape without dents, in order",
        ),
        (
            {"points": [[0, 0], [400, 0], [100, 100], [0, 400]]},
            "points must go round a shape without dents",
        ),
        (
            {"points": [QUAD[1], QUAD[0], QUAD[3], QUAD[2]]},
            "but one is the other's mirror image; list both in one order",
        ),
        ({"rectangle": None}, "ground or rectangle must say how large the shape is, got neither"),
        ({"ground": GROUND.tolist()}, "got both; give one"),
        ({"points": QUAD[:3]}, "calibration.yaml: points: "),
        ({"rectangle": {"width_m": -1, "length_m": 2}}, "calibration.yaml: rectangle.width_m: "),
        ({"limitm": 3}, "did you mean 'limit_m'"),
        ({"picture": [0, 0]}, "calibration.yaml: picture"),
        ({"picture": [-640, -480]}, "calibration.yaml: picture"),
        ({"limit_m": float("inf")}, "calibration.yaml: limit_m: "),
        ({"gap_s": float("inf")}, "calibration.yaml: gap_s: "),
        (
            {"rectangle": {"width_m": float("inf"), "length_m": 2}},
            "calibration.yaml: rectangle.width_m: ",
        ),
        (
            {"rectangle": None, "ground": [[0, 0], [1, 0], [2, 0], [0, 1]]},
            "no three of ground may be in one line, but 1, 2, 3 are: .* metres",
        ),
    ],
)
def test_a_bad_calibration_is_a_sentence(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    file = written(tmp_path, **changes)
    with pytest.raises(CalibrationError, match=words) as caught:
        read_calibration(file)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read calibration"),
        ("points: [1, 2", "not valid YAML"),
        ("points: \x01", "not valid YAML: unacceptable character #x0001"),
        ("limit_m: 2020-13-45", "not valid YAML: month must be in 1..12"),
        ("- 1\n- 2\n", "a calibration must be a mapping"),
    ],
)
def test_a_file_that_is_no_calibration_is_said(
    tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "a.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(CalibrationError, match=words):
        read_calibration(file)


def test_a_picture_of_another_shape_is_refused() -> None:
    calibration = Calibration.model_validate({**FILE, "picture": [640, 480]})
    with pytest.raises(CalibrationError, match="shape of the video, 640 x 360, got 640 x 480"):
        ground_plane(calibration, (640, 360))
