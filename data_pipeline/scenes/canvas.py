"""A picture and, pixel by pixel, which object is seen there.

Every stroke goes to both, so an object's mask is what nothing drawn later covers. The canvas is
larger than the picture; reducing it smooths the edges of the picture and takes the mask at the
pixels' centres.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]  # RGB, 0 to 255
Point = tuple[float, float]

ENLARGED = 3  # odd, so that a pixel has a centre
SUBPIXEL_BITS = 4
NOBODY = 0  # owner of everything that is no object
MAX_OBJECTS = 255


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """Return a colour that is `share` (0 to 1) of the way to the other."""
    r, g, b = (round(c + (o - c) * share) for c, o in zip(colour, other, strict=True))
    return r, g, b


def shaded(colour: Colour, factor: float) -> Colour:
    """Return the colour darkened (below 1) or lightened (above 1)."""
    r, g, b = (min(255, max(0, round(c * factor))) for c in colour)
    return r, g, b


class Canvas:
    """What is painted on; `owner` is who the next strokes belong to."""

    def __init__(self, width: int, height: int) -> None:
        """Start black, for a picture of so many pixels."""
        size = (height * ENLARGED, width * ENLARGED)
        self.pixels: NDArray[np.uint8] = np.zeros((*size, 3), dtype=np.uint8)
        self.owners: NDArray[np.uint8] = np.zeros(size, dtype=np.uint8)
        self.owner = NOBODY

    @property
    def width(self) -> int:
        """Width in canvas pixels."""
        return int(self.owners.shape[1])

    @property
    def height(self) -> int:
        """Height in canvas pixels."""
        return int(self.owners.shape[0])

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        outline = _fixed(points)
        cv2.fillPoly(self.pixels, [outline], colour, shift=SUBPIXEL_BITS)
        cv2.fillPoly(self.owners, [outline], self.owner, shift=SUBPIXEL_BITS)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line with round ends; thinner than a canvas pixel is drawn as one."""
        path, thickness = _fixed(points), max(1, round(width))
        for target, value in ((self.pixels, colour), (self.owners, self.owner)):
            cv2.polylines(target, [path], False, value, thickness=thickness, shift=SUBPIXEL_BITS)

    def ellipse(
        self, centre: Point, radii: Point, colour: Colour, *, arc: Point = (0, 360)
    ) -> None:
        """Fill an ellipse, or the part of it between two angles in degrees, clockwise."""
        (x, y), (across, down) = _fixed([centre])[0], _fixed([radii])[0]
        for target, value in ((self.pixels, colour), (self.owners, self.owner)):
            cv2.ellipse(
                target, (int(x), int(y)), (max(1, int(across)), max(1, int(down))), 0, *arc,
                value, thickness=-1, shift=SUBPIXEL_BITS,
            )  # fmt: skip

    def text(self, words: str, centre: Point, *, height: float, colour: Colour) -> None:
        """Write on the picture; who owns the ground below keeps it."""
        scale, thickness = height / 22, max(1, round(height / 7))
        (width, tall), _ = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        corner = (round(centre[0] - width / 2), round(centre[1] + tall / 2))
        cv2.putText(self.pixels, words, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness)

    def shadow(self, centre: Point, radii: Point, strength: float) -> None:
        """Darken an ellipse of the picture by a share of 0 to 1; nobody owns a shadow."""
        x, y = centre
        left, right = (int(np.clip(x + s * radii[0], 0, self.width)) for s in (-1, 1))
        top, bottom = (int(np.clip(y + s * radii[1], 0, self.height)) for s in (-1, 1))
        if right <= left or bottom <= top:
            return
        down, across = np.mgrid[top:bottom, left:right]
        distance = ((across - x) / radii[0]) ** 2 + ((down - y) / radii[1]) ** 2
        dim = 1 - strength * np.clip(1.6 * (1 - distance), 0, 1)[..., None]
        region = self.pixels[top:bottom, left:right]
        region[:] = (region * dim).astype(np.uint8)

    def reduced(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the picture (h, w, 3) and its owners (h, w)."""
        size = (self.width // ENLARGED, self.height // ENLARGED)
        picture = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        centres = self.owners[ENLARGED // 2 :: ENLARGED, ENLARGED // 2 :: ENLARGED]
        return np.asarray(picture, dtype=np.uint8), centres.copy()


def _fixed(points: Sequence[Point]) -> NDArray[np.int32]:
    # Beyond this, OpenCV's fixed point arithmetic overflows; nothing so far off is visible.
    near = np.clip(np.asarray(points, dtype=np.float64), -20_000, 20_000)
    return np.round(near * (1 << SUBPIXEL_BITS)).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole over a flat street; canvas pixels and metres."""

    centre_x: float  # where the street vanishes
    horizon_y: float
    focal: float  # pixels
    height_m: float
    right_m: float  # of the road's middle

    def at(self, x: float, y: float, z: float) -> Point:
        """Project a point x right of the road's middle, y above it and z ahead, in metres."""
        scale = self.focal / z
        return self.centre_x + (x - self.right_m) * scale, self.horizon_y + (
            self.height_m - y
        ) * scale


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws an upright flat object in its own metres: x right, y up from where it stands."""

    canvas: Canvas
    foot: Point  # canvas pixels
    scale: float  # canvas pixels per metre
    haze: Colour  # what far things fade to
    faded: float  # 0 near to 1 lost in haze
    mirrored: bool = False
    squeeze: float = 1.0  # width as seen from an angle, in (0, 1]

    def place(self, x: float, y: float) -> Point:
        """Return the canvas pixel of a point."""
        across = (-x if self.mirrored else x) * self.squeeze
        return self.foot[0] + across * self.scale, self.foot[1] - y * self.scale

    def tone(self, colour: Colour) -> Colour:
        """Return the colour as seen through the haze."""
        return mixed(colour, self.haze, self.faded)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self.canvas.polygon([self.place(*point) for point in points], self.tone(colour))

    def box(self, low: Point, high: Point, colour: Colour) -> None:
        """Fill an upright rectangle between two corners."""
        (left, bottom), (right, top) = low, high
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line of a width in metres."""
        path = [self.place(*point) for point in points]
        self.canvas.line(path, width * self.scale, self.tone(colour))

    def disc(self, centre: Point, radii: Point | float, colour: Colour) -> None:
        """Fill an ellipse, or a circle."""
        across, up = radii if isinstance(radii, tuple) else (radii, radii)
        size = (across * self.squeeze * self.scale, up * self.scale)
        self.canvas.ellipse(self.place(*centre), size, self.tone(colour))

    def cap(self, centre: Point, radii: Point, colour: Colour) -> None:
        """Fill the upper half of an ellipse."""
        size = (radii[0] * self.squeeze * self.scale, radii[1] * self.scale)
        self.canvas.ellipse(self.place(*centre), size, self.tone(colour), arc=(180, 360))

    def text(self, words: str, centre: Point, *, height: float, colour: Colour) -> None:
        """Write letters of a height in metres, if they are large enough to be seen."""
        if height * self.scale * self.squeeze >= 5:
            shown = height * self.scale * self.squeeze
            self.canvas.text(words, self.place(*centre), height=shown, colour=self.tone(colour))

    def shadow(self, half_width: float, depth: float) -> None:
        """Darken the street where the object stands."""
        size = (max(2.0, half_width * self.scale), max(2.0, depth * self.scale))
        self.canvas.shadow(self.foot, size, 0.45 * (1 - self.faded))
