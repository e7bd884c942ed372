"""Drawing outlines, against pycocotools; and what must not be handed to it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as reference  # type: ignore[import-untyped]

from data_pipeline.datasets.outlines import label_map, outline_mask, outline_problem
from data_pipeline.datasets.records import ObjectRecord, Outline
from data_pipeline.samples import IGNORE

SQUARE = [[0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 0.0, 4.0]]
PART = [[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]]


def thing(outline: Outline, area: float | None, *, is_crowd: bool = False) -> ObjectRecord:
    return ObjectRecord("x", (0.0, 0.0, 4.0, 4.0), area=area, is_crowd=is_crowd, outline=outline)


def test_smaller_object_is_on_top_whatever_the_order() -> None:
    large, small = (1, thing(SQUARE, 16)), (2, thing(PART, 4))
    for order in ([large, small], [small, large]):
        labels = label_map(order, (4, 6))
        assert labels[:2, :2].tolist() == [[2, 2], [2, 2]]
        assert labels[2:, :4].tolist() == [[1] * 4] * 2
        assert (labels[:, 4:] == 0).all()


def test_later_object_is_on_top_of_an_equal_one() -> None:
    assert label_map([(1, thing(PART, 4)), (2, thing(PART, 4))], (4, 6))[0, 0] == 2


def test_the_box_tells_the_size_of_an_object_without_area() -> None:
    labels = label_map([(2, thing(PART, 4)), (1, thing(SQUARE, None))], (4, 6))
    assert labels[0, 0] == 2


def test_crowd_is_ignored_but_not_where_an_object_is() -> None:
    runs = {"size": [4, 6], "counts": [0, 16, 8]}  # the four left columns
    labels = label_map([(1, thing(PART, 16)), (1, thing(runs, 1, is_crowd=True))], (4, 6))
    assert (labels[:2, :2] == 1).all()
    assert (labels[2:, :4] == IGNORE).all()
    assert (labels[:, 4:] == 0).all()


def test_annotation_without_polygon_covers_nothing() -> None:
    assert outline_problem([], (4, 6)) is None
    assert (label_map([(1, thing([], 1))], (4, 6)) == 0).all()


def test_a_part_without_corners_is_left_out_of_an_outline() -> None:
    spoiled = [*PART, [1.0, 1.0, 2.0], [0.0, 0.0, 6.0, 4.0]]
    assert outline_problem(spoiled, (4, 6)) is None
    assert (outline_mask(spoiled, (4, 6)) == outline_mask(PART, (4, 6))).all()


def test_what_cannot_be_drawn_leaves_the_others_on_the_map() -> None:
    garbage = {"size": [4, 6], "counts": [0, 1000]}
    assert (label_map([(1, thing(garbage, 1)), (2, thing(PART, 4))], (4, 6)) == 2).sum() == 4


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_run_lengths_of_both_kinds_give_the_mask_that_pycocotools_coded(
    height: int, width: int, seed: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    mask = np.asfortranarray(random.random((height, width)) < share, dtype=np.uint8)
    coded = reference.encode(mask)
    edges = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=0, append=2))
    counts = np.diff(edges, prepend=0).tolist()
    for runs in (coded["counts"], coded["counts"].decode(), counts):
        drawn = outline_mask({"size": [height, width], "counts": runs}, (height, width))
        assert (drawn == mask.astype(bool)).all()
        assert drawn.shape == (height, width)


@given(st.binary(max_size=40) | st.text(max_size=40) | st.lists(st.integers(), max_size=9))
def test_garbage_for_run_lengths_is_refused_or_fills_the_picture_exactly(counts: Any) -> None:
    outline = {"size": [5, 7], "counts": counts}
    if outline_problem(outline, (5, 7)) is None:
        assert outline_mask(outline, (5, 7)).shape == (5, 7)
    else:
        with pytest.raises(ValueError, match="run length"):
            outline_mask(outline, (5, 7))


HUGE = 10**400
BAD: list[tuple[Any, str]] = [
    ({"size": [4, 6], "counts": [0, 10**18]}, "whole numbers up to 24"),
    ({"size": [4, 6], "counts": [24, -1, 1]}, "whole numbers up to 24"),
    ({"size": [4, 6], "counts": [True, 23]}, "whole numbers up to 24"),
    ({"size": [4, 6], "counts": [12.0, 12]}, "whole numbers up to 24"),
    ({"size": [4, 6], "counts": [20, 5]}, "sum up to 24, got 25"),
    ({"size": [4, 6], "counts": "zzzzzzzz"}, "other characters"),
    ({"size": [4, 6], "counts": "oooooooo0"}, "at most 7 characters"),
    ({"size": [4, 6], "counts": "é"}, "other characters"),
    ({"size": [4, 6], "counts": ""}, "sum up to 24, got 0"),
    ({"size": [10**9, 10**9], "counts": [0, 10**18]}, "of the picture's size"),
    ({"size": None, "counts": [24]}, "of the picture's size"),
    ({"counts": [24]}, "of the picture's size"),
    ({"size": [4, 6]}, "text or whole numbers"),
    ([[0.0, 0.0, 1.0, 1.0]], "3 corners"),
    ([[0.0, 0.0, 1.0, 1.0, 2.0]], "3 corners"),
    ([[0.0, 0.0, 1.0, 1.0, 2.0, 1.0, 3.0]], "3 corners"),
    ([[0.0, 0.0, 1.0, 1.0, float("nan"), 1.0]], "3 corners"),
    ([[0.0, 0.0, 1.0, 1.0, HUGE, 1.0]], "3 corners"),
    (["abcdef", None, 3], "3 corners"),
    ([[0.0, 0.0, 1e8, 0.0, 0.0, 1e8]], "in or near its picture"),
]


@pytest.mark.parametrize(("outline", "reason"), BAD)
def test_what_would_crash_or_fill_the_memory_is_refused(outline: Any, reason: str) -> None:
    assert reason in str(outline_problem(outline, (4, 6)))
    with pytest.raises(ValueError, match=reason):
        outline_mask(outline, (4, 6))


def test_a_polygon_longer_than_could_be_walked_is_refused() -> None:
    zigzag = [float(x) for n in range(20_000) for x in ((n % 2) * 600, n % 400)]
    assert "pixels long" in str(outline_problem([zigzag], (400, 600)))
