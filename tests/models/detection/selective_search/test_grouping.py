import numpy as np
import pytest
from numpy.typing import NDArray

from models.detection.selective_search.colours import in_space
from models.detection.selective_search.grouping import Measure, hierarchy
from models.detection.selective_search.regions import (
    COLOUR_BINS,
    DIRECTIONS,
    TEXTURE_BINS,
    Regions,
    neighbours,
    pixel_bins,
    regions_of,
)

EACH: tuple[Measure, ...] = ("colour", "texture", "size", "fill")


def picture(seed: int, height: int = 12, width: int = 15) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (height, width, 3), dtype=np.uint8)


def stripes(*widths: int, height: int = 4) -> NDArray[np.int64]:
    """Areas side by side, each so many pixels wide."""
    return np.repeat(np.arange(len(widths)), widths)[None].repeat(height, axis=0)


class TestRegions:
    def test_sizes_boxes_and_neighbours(self) -> None:
        labels = np.array([[0, 0, 1], [2, 2, 1], [2, 2, 1]])
        regions = regions_of(labels, pixel_bins(in_space(picture(0, 3, 3), "hsv")))
        assert regions.sizes.tolist() == [2, 3, 4]
        assert regions.boxes.tolist() == [[0, 0, 2, 1], [2, 0, 3, 3], [0, 1, 2, 3]]
        assert regions.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]

    def test_corners_alone_make_no_neighbours(self) -> None:
        assert neighbours(np.array([[0, 1], [2, 0]])).tolist() == [[0, 1], [0, 2]]

    def test_histograms_are_shares_of_each_channels_pixels(self) -> None:
        labels = stripes(1, 1, height=2)
        values = np.zeros((2, 2, 2), np.float32)
        values[:, 0] = [[0, 255], [100, 255]]  # the first area's two pixels, two channels
        regions = regions_of(labels, pixel_bins(values))
        assert regions.colours.shape == (2, 2 * COLOUR_BINS)
        first = np.zeros(2 * COLOUR_BINS)
        first[[0, 100 * COLOUR_BINS // 256]] = 0.25
        first[-1] = 0.5  # both pixels of the second channel
        np.testing.assert_allclose(regions.colours[0], first)
        np.testing.assert_allclose(regions.textures.sum(axis=1), 1.0)

    def test_ramp_to_the_right_has_no_texture_against_it(self) -> None:
        ramp = np.tile(np.linspace(0, 255, 40, dtype=np.float32), (30, 1))[..., None]
        bins = pixel_bins(ramp).textures[:, 10:-10, 10:-10]  # away from the borders
        assert bins.shape[0] == DIRECTIONS
        strengths = [sorted(set(each.ravel().tolist())) for each in bins]
        assert strengths[0] == [TEXTURE_BINS - 1]
        assert strengths[1] == strengths[7]  # 45 degrees up or down
        assert 0 < strengths[1][0] < TEXTURE_BINS - 1
        assert all(strengths[direction] == [0] for direction in (2, 3, 4, 5, 6))


def by_pixels(
    rgb: NDArray[np.uint8], labels: NDArray[np.int64], measures: tuple[Measure, ...]
) -> NDArray[np.float64]:
    """Group areas by measuring all of them anew after each step."""
    bins = pixel_bins(in_space(rgb, "lab"))
    parts = {number: {number} for number in range(labels.max() + 1)}
    boxes = list(regions_of(labels, bins).boxes)
    while len(parts) > 1:
        numbers = sorted(parts)
        now = np.zeros_like(labels)
        for place, number in enumerate(numbers):
            now[np.isin(labels, list(parts[number]))] = place
        regions = regions_of(now, bins)
        pairs = regions.pairs.tolist()
        best = max(pairs, key=lambda pair: likeness(regions, pair[0], pair[1], measures))
        one, other = (numbers[place] for place in best)
        new = len(boxes)
        parts[new] = parts.pop(one) | parts.pop(other)
        ys, xs = np.nonzero(np.isin(labels, list(parts[new])))
        boxes.append(np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]))
    return np.array(boxes)


def likeness(regions: Regions, one: int, other: int, measures: tuple[Measure, ...]) -> float:
    """Uijlings et al. 2013, equations 1, 3, 5, 6 and 7."""
    pixels = regions.sizes.sum()
    both = regions.sizes[one] + regions.sizes[other]
    left, top = np.minimum(regions.boxes[one, :2], regions.boxes[other, :2])
    right, bottom = np.maximum(regions.boxes[one, 2:], regions.boxes[other, 2:])
    values = {
        "colour": np.minimum(regions.colours[one], regions.colours[other]).sum(),
        "texture": np.minimum(regions.textures[one], regions.textures[other]).sum(),
        "size": 1 - both / pixels,
        "fill": 1 - ((right - left) * (bottom - top) - both) / pixels,
    }
    return float(sum(values[measure] for measure in measures))


@pytest.mark.parametrize("measures", [EACH, ("colour", "texture"), ("texture", "fill")])
@pytest.mark.parametrize("seed", range(4))
def test_hierarchy_is_that_of_areas_measured_anew(
    measures: tuple[Measure, ...], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    # Blocks of different sizes, so that no two pairs are exactly as alike.
    rows, columns = (np.sort(generator.integers(0, 3, length)) for length in (12, 15))
    labels = np.unique(3 * rows[:, None] + columns, return_inverse=True)[1].reshape(12, 15)
    rgb = picture(seed)
    bins = pixel_bins(in_space(rgb, "lab"))
    found = hierarchy(regions_of(labels, bins), measures)
    np.testing.assert_array_equal(found, by_pixels(rgb, labels, measures))


def test_small_areas_join_first_by_size_alone() -> None:
    regions = regions_of(stripes(5, 1, 2, 9), pixel_bins(in_space(picture(3, 4, 17), "i")))
    boxes = hierarchy(regions, ("size",))[4:]
    assert boxes[:, [0, 2]].tolist() == [[5, 8], [0, 8], [0, 17]]


def test_areas_of_like_colour_join_first_by_colour_alone() -> None:
    rgb = np.zeros((4, 9, 3), np.uint8)
    for number, grey in enumerate((10, 200, 201)):
        rgb[:, 3 * number : 3 * number + 3] = grey
    regions = regions_of(stripes(3, 3, 3), pixel_bins(in_space(rgb, "i")))
    boxes = hierarchy(regions, ("colour",))
    assert boxes[3].tolist() == [3, 0, 9, 4]
    assert boxes[4].tolist() == [0, 0, 9, 4]


def test_picture_of_one_area_is_its_hierarchy() -> None:
    regions = regions_of(stripes(6), pixel_bins(in_space(picture(5, 4, 6), "h")))
    assert hierarchy(regions, EACH).tolist() == [[0, 0, 6, 4]]
