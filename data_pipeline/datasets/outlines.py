"""Outlines of objects to masks, by the rules of COCO; what cannot be drawn is refused first.

Run lengths are decoded here and not by pycocotools, which writes past its memory where their sum
is not the picture's; polygons are, after their numbers were checked. Lin et al. 2014.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths  # type: ignore[import-untyped]

from data_pipeline.datasets.records import ObjectRecord, Outline
from data_pipeline.samples import IGNORE

CORNERS = 3  # of the smallest polygon
MOST_STEPS = 20_000_000  # pycocotools walks an outline in fifths of a pixel, each some bytes
CHARACTERS = 7  # of a run length: 5 bits each, 35 in all


def outline_problem(outline: Outline, size_hw: tuple[int, int]) -> str | None:
    """Return why an outline cannot be drawn on a picture of this size; None: it can."""
    try:
        if isinstance(outline, Mapping):
            _checked_runs(outline, size_hw)
        else:
            _checked_polygons(outline, size_hw)
    except ValueError as error:
        return str(error)
    return None


def outline_mask(outline: Outline, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Draw an outline.

    Args:
        outline: Polygons in pixels, several of one object, or run lengths.
        size_hw: Of the picture, decoded before: no memory is taken on the word of an annotation.

    Returns:
        (h, w), all False for an outline of no polygon.

    Raises:
        ValueError: It cannot be drawn; the message says what must hold.
    """
    if isinstance(outline, Mapping):
        return _filled(_checked_runs(outline, size_hw), size_hw)
    polygons = _checked_polygons(outline, size_hw)
    if not polygons:
        return np.zeros(size_hw, dtype=np.bool_)
    merged = run_lengths.merge(run_lengths.frPyObjects(polygons, *size_hw))
    return _filled(_unpacked(merged["counts"]), size_hw)


def label_map(
    objects: Iterable[tuple[int, ObjectRecord]], size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Draw objects over each other: crowds below all, then large before small, else in order.

    Args:
        objects: A label each; those whose outline cannot be drawn are left out.
        size_hw: Of the picture, which outlines are in pixels of.

    Returns:
        (h, w) label; 0 background, IGNORE crowd.
    """
    labels = np.zeros(size_hw, dtype=np.uint8, order="F")  # as masks are: down the columns
    for label, thing in sorted(objects, key=_drawing_order):
        if thing.outline is None:
            continue
        with suppress(ValueError):  # it cannot be drawn: the item's faults say so
            mask = outline_mask(thing.outline, size_hw)
            np.copyto(labels, IGNORE if thing.is_crowd else label, where=mask)
    return np.ascontiguousarray(labels)


def _drawing_order(labelled: tuple[int, ObjectRecord]) -> tuple[bool, float]:
    thing = labelled[1]
    x1, y1, x2, y2 = thing.box_xyxy
    area = (x2 - x1) * (y2 - y1) if thing.area is None else thing.area
    return not thing.is_crowd, -area


def _filled(counts: NDArray[np.int64], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Paint runs, in turn without and with the object, down the columns."""
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(size_hw[::-1]).T


def _checked_polygons(
    outline: Sequence[Sequence[float]], size_hw: tuple[int, int]
) -> list[Sequence[float]]:
    """Return the polygons that have corners enough; [] where there were none at all."""
    polygons = [polygon for polygon in outline if _is_polygon(polygon)]
    if outline and not polygons:
        raise ValueError(f"an outline must have a polygon of {CORNERS} corners, x and y each")
    for polygon in polygons:
        _check_corners(np.array(polygon, dtype=np.float64).reshape(-1, 2), size_hw)
    return polygons


def _is_polygon(polygon: object) -> bool:
    return (
        isinstance(polygon, list | tuple)
        and len(polygon) >= 2 * CORNERS
        and len(polygon) % 2 == 0
        and all(type(value) in (int, float) and abs(value) < 1e9 for value in polygon)
    )


def _check_corners(corners: NDArray[np.float64], size_hw: tuple[int, int]) -> None:
    size_wh = np.array(size_hw[::-1], dtype=np.float64)
    if (corners < -size_wh).any() or (corners > 2 * size_wh).any():
        raise ValueError(
            "a polygon must lie in or near its picture of height and width "
            f"{size_hw}, got x and y from {corners.min()} to {corners.max()}"
        )
    steps = np.abs(np.diff(corners, axis=0, append=corners[:1])).max(axis=1).sum() * 5
    if steps > MOST_STEPS:
        raise ValueError(
            f"a polygon may be {MOST_STEPS // 5} pixels long, got {steps / 5:.0f} by "
            f"{len(corners)} corners"
        )


def _checked_runs(outline: Mapping[str, Any], size_hw: tuple[int, int]) -> NDArray[np.int64]:
    size, counts = outline.get("size"), outline.get("counts")
    if not isinstance(size, list | tuple) or tuple(size) != tuple(size_hw):
        raise ValueError(f"run lengths must be of the picture's size {size_hw}, got {size!r:.80}")
    pixels = math.prod(size_hw)
    if isinstance(counts, str | bytes):
        runs = _unpacked(counts.encode() if isinstance(counts, str) else counts)
    elif isinstance(counts, list) and all(type(n) is int and 0 <= n <= pixels for n in counts):
        runs = np.array(counts, dtype=np.int64)
    else:
        raise ValueError(f"run lengths must be text or whole numbers up to {pixels}")
    if (runs < 0).any() or runs.sum() != pixels:
        raise ValueError(f"run lengths must be positive and sum up to {pixels}, got {runs.sum()}")
    return runs


def _unpacked(text: bytes) -> NDArray[np.int64]:
    """Decode COCO's text of run lengths: numbers of 5-bit characters, differences from the 4th.

    Raises:
        ValueError: A character is none of it, or the last number is cut off.
    """
    if not text:
        return np.zeros(0, dtype=np.int64)
    signs = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(signs & 32 == 0)
    if signs.min() < 0 or signs.max() > 63 or len(ends) == 0 or ends[-1] != len(signs) - 1:
        raise ValueError("run lengths must be in COCO's text code, got other characters")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > CHARACTERS:
        raise ValueError(f"a run length has at most {CHARACTERS} characters")
    shifts = 5 * (np.arange(len(signs)) - np.repeat(starts, lengths))
    counts = np.add.reduceat((signs & 31) << shifts, starts)
    counts -= np.where(signs[ends] & 16, np.int64(1) << (5 * lengths), 0)  # negative ones
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts
