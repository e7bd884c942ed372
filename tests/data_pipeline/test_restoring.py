"""What is brought back to a picture lies where the picture showed it."""

from typing import get_args

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.loading.resizing import Placement, Policy, placement
from data_pipeline.loading.restoring import Restorer, row_bands

SIZE = 64
POLICIES = get_args(Policy)
Maps = NDArray[np.float32]


def noise(*shape: int) -> Maps:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def ramps(height: int, width: int) -> Maps:
    """Return two maps whose values are a pixel's own place, from 0 to 1."""
    rows, columns = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    return np.stack(np.meshgrid(rows, columns, indexing="ij")).astype(np.float32)


def as_input(maps: Maps, place: Placement) -> Maps:
    """Place maps as `Placement` places a picture, with padding that must never show."""
    height, width = place.scaled_hw
    scaled = [cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in maps]
    canvas = np.full((len(maps), *place.canvas_hw), 1000, np.float32)
    for row in range(place.canvas_hw[0]):
        for column in range(place.canvas_hw[1]):
            y, x = row - place.top, column - place.left
            if 0 <= y < height and 0 <= x < width:
                canvas[:, row, column] = [each[y, x] for each in scaled]
    return canvas


def test_at_equal_size_nothing_changes() -> None:
    maps = noise(3, SIZE, SIZE)
    restorer = Restorer(placement("stretch", SIZE, (SIZE, SIZE)), (SIZE, SIZE), (SIZE, SIZE))
    assert (restorer.band(maps, slice(0, SIZE)) == maps).all()
    assert restorer.seen(slice(0, SIZE)).all()


@pytest.mark.parametrize("picture_hw", [(90, 130), (64, 200)])
def test_a_stretched_picture_is_enlarged_as_opencv_does(picture_hw: tuple[int, int]) -> None:
    maps = noise(2, SIZE, SIZE)
    restorer = Restorer(placement("stretch", SIZE, picture_hw), picture_hw, (SIZE, SIZE))
    expected = [
        cv2.resize(each, picture_hw[::-1], interpolation=cv2.INTER_LINEAR) for each in maps
    ]
    found = restorer.band(maps, slice(0, picture_hw[0]))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("picture_hw", [(90, 131), (131, 90), (40, 51), (64, 64)])
def test_every_seen_pixel_gets_the_value_of_its_own_place(
    policy: Policy, picture_hw: tuple[int, int]
) -> None:
    place = placement(policy, SIZE, picture_hw)
    restorer = Restorer(place, picture_hw, place.canvas_hw)
    rows = slice(0, picture_hw[0])
    found, seen = restorer.band(as_input(ramps(*picture_hw), place), rows), restorer.seen(rows)

    error = np.abs(found - ramps(*picture_hw))[:, seen]
    assert error.max() < 1.01 / min(place.scaled_hw)  # at edges half a pixel is clipped
    assert seen.mean() == pytest.approx(1 if policy != "center_crop" else seen.mean())


def test_a_crop_sees_the_middle_and_no_more() -> None:
    restorer = Restorer(placement("center_crop", SIZE, (64, 128)), (64, 128), (SIZE, SIZE))
    seen = restorer.seen(slice(0, 64))
    assert seen[:, 32:96].all()
    assert not seen[:, :32].any()
    assert not seen[:, 96:].any()


def test_an_output_of_the_centre_alone_covers_the_centre_alone() -> None:
    place = placement("stretch", SIZE, (SIZE, SIZE))
    restorer = Restorer(place, (SIZE, SIZE), (24, 24))
    maps, seen = noise(1, 24, 24), restorer.seen(slice(0, SIZE))
    assert seen.sum() == 24 * 24
    assert (restorer.band(maps, slice(0, SIZE))[:, 20:44, 20:44] == maps).all()
    assert seen[20:44, 20:44].all()


def test_a_smaller_picture_gets_averages() -> None:
    checks = np.indices((1, SIZE, SIZE)).sum(axis=0).astype(np.float32) % 2
    restorer = Restorer(placement("stretch", SIZE, (16, 16)), (16, 16), (SIZE, SIZE))
    np.testing.assert_allclose(restorer.band(checks, slice(0, 16)), 0.5, atol=0.02)


def test_bands_are_the_whole_cut_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_pipeline.loading.restoring.BAND_VALUES", 3 * 130 * 7)
    maps, size_hw = noise(3, SIZE, SIZE), (90, 130)
    restorer = Restorer(placement("letterbox", SIZE, size_hw), size_hw, (SIZE, SIZE))
    bands = list(row_bands(size_hw, 3))
    parts = [restorer.band(maps, rows) for rows in bands]
    assert [rows.stop - rows.start for rows in bands] == [7] * 12 + [6]
    assert (np.concatenate(parts, axis=1) == restorer.band(maps, slice(0, 90))).all()
