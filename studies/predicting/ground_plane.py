"""Where on the ground a point of the picture lies, by four points that are known on both.

A flat ground and its picture are related by a homography, which four points determine (Hartley
and Zisserman 2004, "Multiple view geometry", section 2.3). Lenses are taken as without distortion.
"""

from itertools import combinations
from pathlib import Path
from typing import Annotated, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat, PositiveInt, ValidationError, model_validator
from ruamel.yaml.error import MarkedYAMLError

from data_pipeline.settings import FrozenSettings
from studies.spec.document import parse_value
from studies.spec.problems import dotted
from studies.spec.wording import explain

FLATTEST = 0.01  # height of a triangle by its longest side, below which it is a line
CORNERS = 4
Point: TypeAlias = tuple[FiniteFloat, FiniteFloat]
Points: TypeAlias = NDArray[np.float64]  # (n, 2)
Corners: TypeAlias = Annotated[list[Point], Field(min_length=CORNERS, max_length=CORNERS)]


class CalibrationError(ValueError):
    """A calibration does not say where the ground is."""


class Rectangle(FrozenSettings):
    """A rectangle on the ground, of known lengths."""

    width_m: FiniteFloat = Field(gt=0, description="From points 1 to 2, metres.")
    length_m: FiniteFloat = Field(gt=0, description="From points 2 to 3, metres.")


class Calibration(FrozenSettings):
    """What is known of the ground in a video, and which distances are too small."""

    points: Corners = Field(
        description="Four points of the picture on the ground, [x, y] in pixels of the video as "
        "shown, in order round their shape."
    )
    ground: Corners | None = Field(
        None,
        description="The same points on the ground, [x, y] in metres; from above, x to the right "
        "and y away from the camera.",
    )
    rectangle: Rectangle | None = Field(
        None,
        description="In place of `ground`: the points are the corners of a rectangle, near left, "
        "near right, far right, far left.",
    )
    picture: tuple[PositiveInt, PositiveInt] | None = Field(
        None,
        description="Width and height, pixels, of the picture that the points were measured in; "
        "null: the video's.",
    )
    limit_m: FiniteFloat = Field(
        2.0, gt=0, description="Smallest distance that is allowed, metres."
    )
    gap_s: FiniteFloat = Field(
        0.5,
        ge=0,
        description="An event goes on when its two are apart or out of sight for no longer.",
    )
    people: list[str] = Field(
        default=["person", "people", "pedestrian"],
        min_length=1,
        description="Classes that are people, as far as the detector knows them.",
    )

    @model_validator(mode="after")
    def _lengths_are_said_once(self) -> "Calibration":
        if (self.ground is None) == (self.rectangle is None):
            given = "neither" if self.ground is None else "both"
            raise ValueError(
                f"ground or rectangle must say how large the shape is, got {given}; give one"
            )
        return self

    @property
    def corners_m(self) -> Points:
        """Where the points are on the ground: (4, 2) metres."""
        if self.rectangle is None:
            return np.array(self.ground, np.float64)
        width, length = self.rectangle.width_m, self.rectangle.length_m
        return np.array([[0, 0], [width, 0], [width, length], [0, length]], np.float64)


class GroundPlane:
    """The ground of one video."""

    def __init__(self, points: Points, corners_m: Points) -> None:
        """Find the homography.

        Args:
            points: (4, 2) pixels.
            corners_m: (4, 2) metres; from above, x to the right and y away from the camera.

        Raises:
            CalibrationError: The points determine none.
        """
        _check_shape(points, "points", "pixels")
        _check_shape(corners_m, "ground", "metres")
        if (_doubled_area(points) > 0) == (_doubled_area(corners_m) > 0):
            raise CalibrationError(
                "points and ground must go round their shape the same way, seen from above with y "
                "away from the camera, but one is the other's mirror image; list both in one order"
            )
        matrix, _ = cv2.findHomography(points, corners_m, 0)
        self._matrix = np.asarray(matrix, np.float64)
        self._side = float(np.sign(self._scales(points)[0]))

    def positions(self, feet: Points) -> Points:
        """Return where points of the picture are on the ground.

        Args:
            feet: (n, 2) pixels.

        Returns:
            (n, 2) metres; NaN on the horizon and above it.
        """
        scales = self._scales(feet) * self._side
        is_ground = scales > 0
        found = np.full((len(feet), 2), np.nan)
        moved = _homogeneous(feet) @ self._matrix[:2].T * self._side
        found[is_ground] = moved[is_ground] / scales[is_ground, np.newaxis]
        return found

    def _scales(self, points: Points) -> Points:
        """Return (n,) third coordinates, whose sign tells the sides of the horizon apart."""
        return np.asarray(_homogeneous(points) @ self._matrix[2], np.float64)


def read_calibration(file: Path) -> Calibration:
    """Read a calibration file.

    Raises:
        CalibrationError: It cannot be read, or says something wrong; every line of the message
            is one problem.
    """
    try:
        raw = parse_value(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"cannot read calibration {file}: {error}; name another") from error
    except MarkedYAMLError as error:
        raise CalibrationError(f"{file}: not valid YAML: {error.problem}") from error
    if not isinstance(raw, dict):
        raise CalibrationError(
            f"{file}: a calibration must be a mapping with `points` and `ground` or `rectangle`"
        )
    try:
        calibration = Calibration.model_validate(raw)
    except ValidationError as error:
        raise CalibrationError("\n".join(_complaints(file, raw, error))) from error
    try:
        ground_plane(calibration, calibration.picture or (1, 1))  # the same faults at any size
    except CalibrationError as error:
        raise CalibrationError(f"{file}: {error}") from error
    return calibration


def ground_plane(calibration: Calibration, size_wh: tuple[int, int]) -> GroundPlane:
    """Return the ground of a video.

    Args:
        calibration: Of its camera.
        size_wh: Width and height of the video, pixels.

    Raises:
        CalibrationError: The points determine no ground, or are of a picture of another shape.
    """
    measured = calibration.picture or size_wh
    across, down = (ours / theirs for ours, theirs in zip(size_wh, measured, strict=True))
    if abs(across / down - 1) > FLATTEST:
        raise CalibrationError(
            f"picture must have the shape of the video, {size_wh[0]} x {size_wh[1]}, got "
            f"{measured[0]} x {measured[1]}; measure the points in a frame of the video"
        )
    points = np.array(calibration.points, np.float64) * (across, down)
    return GroundPlane(points, calibration.corners_m)


def _complaints(file: Path, raw: dict[str, object], error: ValidationError) -> list[str]:
    found = [
        explain(detail, raw, section="calibration", annotation=Calibration).finding
        for detail in error.errors(include_url=False)
    ]
    heads = [": ".join(part for part in (str(file), dotted(each.loc)) if part) for each in found]
    return [f"{head}: {each.message}" for head, each in zip(heads, found, strict=True)]


def _check_shape(points: Points, name: str, unit: str) -> None:
    """Refuse four points that are no convex shape.

    Raises:
        CalibrationError: Says which of them are wrong.
    """
    for three in combinations(range(CORNERS), 3):
        triangle = points[list(three)]
        longest = max(float(np.linalg.norm(a - b)) for a, b in combinations(triangle, 2))
        if abs(_doubled_area(triangle)) <= FLATTEST * longest**2:
            numbers = ", ".join(str(number + 1) for number in three)
            places = ", ".join(f"({x:g}, {y:g})" for x, y in triangle)
            raise CalibrationError(
                f"no three of {name} may be in one line, but {numbers} are: {places} {unit}; "
                "take corners of a wide shape"
            )
    turns = [_doubled_area(np.roll(points, -place, axis=0)[:3]) > 0 for place in range(CORNERS)]
    if len(set(turns)) > 1:
        raise CalibrationError(
            f"{name} must go round a shape without dents, in order, got {points.tolist()} {unit}; "
            "exchange points whose sides cross"
        )


def _doubled_area(points: Points) -> float:
    """Return twice the signed area of a polygon: above 0 where x turns towards y."""
    x, y = points.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _homogeneous(points: Points) -> Points:
    return np.column_stack([points, np.ones(len(points))])
