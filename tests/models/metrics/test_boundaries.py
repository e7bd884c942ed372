from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from models.metrics import boundaries
from models.metrics.boundaries import boundary_scores, outline_of, threshold_index

CASES = 1000
Mask = NDArray[np.bool_]


def mask_of(*rows: str) -> Mask:
    return np.array([[letter == "#" for letter in row] for row in rows])


def outline_by_hand(mask: Mask) -> list[tuple[int, int]]:
    height, width = mask.shape
    line = []
    for row, column in product(range(height), range(width)):
        around = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        inside = [mask[r, c] for r, c in around if 0 <= r < height and 0 <= c < width]
        if mask[row, column] and not all(inside):
            line.append((row, column))
    return line


def f1_by_hand(found: Mask, truth: Mask, valid: Mask, tolerance: float) -> float:
    """Measure every pixel of one outline against every pixel of the other."""
    if truth.any() and not found[valid].any():
        return 0.0
    own, true = outline_by_hand(found), outline_by_hand(truth)
    counted = [pixel for pixel in own if valid[pixel]]
    limit = tolerance * np.hypot(*found.shape)

    def near(pixels: list[tuple[int, int]], others: list[tuple[int, int]]) -> float | None:
        if not pixels:
            return None
        close = [any(np.hypot(r - s, c - d) <= limit for s, d in others) for r, c in pixels]
        return sum(close) / len(close)

    shares = [share for share in (near(counted, true), near(true, own)) if share is not None]
    if not shares:
        return 0.0 if (found != truth)[valid].any() else float("nan")
    return 0.0 if 0 in shares else len(shares) / sum(1 / share for share in shares)


@pytest.mark.slow
def test_boundary_f1_is_that_of_all_pairs_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    kinds = set()
    for seed in range(CASES):
        height, width = generator.integers(1, 9, 2)
        # In pictures this small 0.75 % of the diagonal is less than a pixel.
        tolerance = float(generator.choice([0.0075, 0.15, 0.3]))
        monkeypatch.setattr(boundaries, "TOLERANCE", tolerance)
        density = generator.choice([0, 0.05, 0.5, 0.95, 1], 3)
        found, truth, hidden = generator.random((3, height, width)) < density[:, None, None]
        valid = ~hidden | truth if seed % 2 else np.ones_like(truth)
        score = boundary_scores(found[None, None], truth[None], valid)[0, 0]
        expected = f1_by_hand(found, truth, valid, tolerance)
        assert score == pytest.approx(expected, abs=1e-6, nan_ok=True), seed
        kinds.add("undefined" if np.isnan(score) else {0.0: "none", 1.0: "all"}.get(score, "some"))
    assert kinds == {"undefined", "none", "all", "some"}


def test_outline_is_inside_and_not_along_the_edge_of_the_picture() -> None:
    mask = mask_of("##..", "###.", "###.", "....")
    assert outline_of(mask).line.tolist() == mask_of(".#..", "..#.", "###.", "....").tolist()


def test_tolerance_is_a_share_of_the_diagonal() -> None:
    # The diagonal of 120 x 160 is 200, so outlines may be 1.5 pixels off, but not 2.
    truth = np.zeros((1, 120, 160), np.bool_)
    truth[0, :, :80] = True
    found = np.zeros((4, 1, 120, 160), np.bool_)
    for shift in range(4):
        found[shift, 0, :, : 80 + shift] = True
    valid = np.ones((120, 160), np.bool_)
    assert boundary_scores(found, truth, valid)[:, 0].tolist() == [1, 1, 0, 0]


def test_half_an_outline_by_hand() -> None:
    # Of the true outline, a bar's two long sides, one is found and the other is 4 pixels off.
    truth, found = np.zeros((2, 1, 30, 40), np.bool_)
    truth[0, :, 10:20] = True
    found[0, :, 10:24] = True
    valid = np.ones((30, 40), np.bool_)
    assert boundary_scores(found[None], truth, valid).item() == pytest.approx(0.5)


def test_class_that_is_nowhere_is_left_out_and_a_false_find_is_not() -> None:
    truth = np.zeros((2, 5, 5), np.bool_)
    found = truth.copy()
    found[1, 1:3, 1:3] = True
    scores = boundary_scores(found[None], truth, np.ones((5, 5), np.bool_))[0]
    assert np.isnan(scores[0])
    assert scores[1] == 0


def test_outline_inside_unlabelled_pixels_is_not_held_against_the_network() -> None:
    truth = mask_of(".....", ".##..", ".##..", ".....")
    found = mask_of(".....", ".##..", ".##..", "....#")
    valid = np.ones_like(truth)
    assert boundary_scores(found[None, None], truth[None], valid).item() < 1
    valid[3, 4] = False
    assert boundary_scores(found[None, None], truth[None], valid).item() == 1


def test_class_that_is_found_on_unlabelled_pixels_alone_is_missed() -> None:
    # A frame of unlabelled pixels around the truth is within the tolerance of 1.5 pixels.
    truth, square = np.zeros((2, 120, 160), np.bool_)
    truth[40:80, 40:80] = True
    square[39:81, 39:81] = True
    frame = square & ~truth
    assert boundary_scores(frame[None, None], truth[None], ~frame).item() == 0
    assert boundary_scores(square[None, None], truth[None], ~frame).item() == 1


@pytest.mark.parametrize(("threshold", "kept"), [(0.5, 0.5), (0.32, 0.3), (0.001, 0.05)])
def test_thresholds_count_to_the_nearest_that_is_kept(threshold: float, kept: float) -> None:
    assert boundaries.THRESHOLDS[threshold_index(threshold)] == kept
