"""A map over the network's input is brought back to the picture, and drawn at its scale."""

import numpy as np
import pytest

from data_pipeline.loading.resizing import placement
from models.explaining.channels import Channels
from models.explaining.drawing import channel_grid, heat, scale, tile, whiteness
from studies.looking_inside.pictures import channels_panel, map_panel, over_picture

WIDE = (20, 40)  # height and width of a picture


def test_padding_is_left_out() -> None:
    place = placement("letterbox", 16, WIDE)  # rows 4 to 11 of the input show the picture
    values = np.zeros((16, 16), np.float32)
    values[:8, 8:] = 1  # the padding above too
    restored = over_picture(values, place, WIDE)
    assert restored.shape == WIDE
    assert restored[:9, 22:].min() == pytest.approx(1)
    assert restored[12:].max() == 0
    assert restored[:, :18].max() == 0


def test_places_of_a_small_map_cover_the_whole_input() -> None:
    place = placement("stretch", 16, WIDE)
    values = np.array([[0, 0], [0, 1]], np.float32)  # the lower right quarter
    restored = over_picture(values, place, WIDE)
    assert restored[-5:, -10:].min() > 0.95
    assert max(restored[:5].max(), restored[:, :10].max()) < 0.05
    assert restored[9:11, 30:].mean() == pytest.approx(
        0.5, abs=0.01
    )  # between both places' centres


def test_what_the_network_did_not_see_is_0() -> None:
    place = placement("center_crop", 16, WIDE)
    restored = over_picture(np.ones((4, 4), np.float32), place, WIDE)
    assert restored[:, 10:30].min() == 1
    assert restored[:, :10].max() == restored[:, 30:].max() == 0


def test_more_is_brighter() -> None:
    values = np.linspace(0, 2, 50, dtype=np.float32)[np.newaxis]
    assert (np.diff(heat(values, end=2).astype(int).sum(axis=2)) >= 0).mean() > 0.95
    grey = whiteness(values, end=2)
    assert grey[0, 0].tolist() == [0, 0, 0]
    assert grey[0, -1].tolist() == [255, 255, 255]


def test_a_map_of_nothing_is_dark() -> None:
    assert heat(np.zeros((2, 2), np.float32), end=0).max() < 5
    assert whiteness(np.zeros((2, 2), np.float32), end=0).max() == 0


def test_a_scale_runs_from_0_at_its_foot() -> None:
    drawn = scale(100, end=0.5, is_grey=True)
    assert drawn[0, 0].tolist() == [255, 255, 255]
    assert drawn[-1, 0].tolist() == [0, 0, 0]


def test_pixels_of_a_tiny_picture_are_shown_as_squares() -> None:
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[0, 0] = 255
    assert tile(pixels).shape == (160, 320, 3)
    assert set(np.unique(tile(pixels))) == {0, 255}


def test_a_panel_has_picture_map_and_scale_under_its_words() -> None:
    pixels = np.full((30, 60, 3), 200, np.uint8)
    drawn = map_panel(pixels, np.eye(30, 60, dtype=np.float32), ["ant 0.90"], is_grey=False)
    assert drawn.shape[0] > 30
    assert drawn.shape[1] > 2 * 60
    assert (drawn[-30:, :60] == 200).all()


def test_each_channel_is_drawn_from_its_lowest_value_to_its_highest() -> None:
    values = np.array([[[0, 1], [0, 1]], [[5, 5], [5, 7]]], np.float32)
    grid = channel_grid(Channels(values, (3, 1), of=4))
    first, second = grid[20:110, :96], grid[20:110, 102:198]
    assert first.reshape(-1, 3).max(axis=0).tolist() == second.reshape(-1, 3).max(axis=0).tolist()


def test_filters_of_colours_keep_their_colours() -> None:
    values = np.zeros((1, 2, 2, 3), np.float32)
    values[0, 0, 0] = (1, 0, 0)
    grid = channel_grid(Channels(values, (0,), of=1))
    assert grid[20, 2].tolist() == [255, 0, 0]


def test_words_over_a_small_grid_have_room() -> None:
    channels = Channels(np.ones((1, 2, 2), np.float32), (0,), of=1)
    assert channels_panel(None, channels, ["a layer"]).shape[1] >= 480
