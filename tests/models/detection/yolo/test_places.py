"""Where boxes are predicted, by hand."""

import math

import pytest
import torch
from torch import Tensor

from models.detection.yolo.places import (
    MOST_LOG_SIZE,
    Places,
    PriorMap,
    best_overlap,
    last_of_each,
)

CPU = torch.device("cpu")
# 64 x 96 pixels: 2 x 3 cells of 32 pixels with two priors, then 4 x 6 of 16 with one.
MAPS = (PriorMap(32, ((40.0, 20.0), (60.0, 60.0))), PriorMap(16, ((10.0, 10.0),)))
COARSE = 12  # places of the first map


@pytest.fixture
def places() -> Places:
    return Places.of(MAPS, [(2, 3), (4, 6)], CPU)


def boxes(*xyxy: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor(xyxy, dtype=torch.float32).reshape(-1, 4)


def test_places_go_by_map_prior_row_and_column(places: Places) -> None:
    assert len(places.strides) == 2 * 2 * 3 + 1 * 4 * 6
    # The second prior's second row, third column of the first map; and the second map's last.
    for place, cell, stride, prior in (
        (6 + 3 + 2, [2, 1], 32, [60, 60]),
        (COARSE + 23, [5, 3], 16, [10, 10]),
    ):
        assert places.cells_xy[place].tolist() == cell
        assert places.strides[place].tolist() == [stride]
        assert places.priors_wh[place].tolist() == prior


def test_boxes_are_decoded_by_the_papers_equations(places: Places) -> None:
    numbers = torch.zeros(len(places.strides), 4)
    numbers[11] = torch.tensor([math.log(3.0), 0.0, math.log(0.5), math.log(2.0)])
    decoded = places.decoded(numbers)
    # sigmoid(log 3) = 3/4, in cell (2, 1): centre (2.75, 1.5) cells; sides 60/2 and 60*2.
    centre, sides = (2.75 * 32, 1.5 * 32), (30.0, 120.0)
    expected = boxes((centre[0] - 15, centre[1] - 60, centre[0] + 15, centre[1] + 60))
    assert sides == (30.0, 120.0)
    torch.testing.assert_close(decoded[11:12], expected)
    # Zeros: the middle of the cell, and the prior.
    torch.testing.assert_close(decoded[:1], boxes((16 - 20, 16 - 10, 16 + 20, 16 + 10)))


def test_no_box_is_infinite(places: Places) -> None:
    decoded = places.decoded(torch.full((len(places.strides), 4), 1e9))
    assert decoded.isfinite().all()
    side = decoded[COARSE, 2] - decoded[COARSE, 0]
    assert float(side) == pytest.approx(10 * math.exp(MOST_LOG_SIZE), rel=1e-4)


def test_object_is_assigned_to_the_cell_of_its_centre_and_the_most_similar_prior(
    places: Places,
) -> None:
    objects = boxes(
        (20, 22, 60, 42),  # 40 x 20 about (40, 32): cell (1, 1) of the first prior
        (0, 0, 64, 62),  # 64 x 62 about (32, 31): cell (1, 0) of the second
        (84, 52, 95, 63),  # 11 x 11 about (89.5, 57.5): cell (5, 3) of the fine map
        (0, 0, 1, 1),  # a pixel: like the smallest prior
    )
    assert places.assigned(objects).tolist() == [3 + 1, 6 + 1, COARSE + 18 + 5, COARSE]


def test_similarity_is_of_shape_not_of_side(places: Places) -> None:
    # 20 x 40: IoU 400/1200 with 40 x 20, 800/3600 with 60 x 60, 100/800 with 10 x 10.
    assert places.assigned(boxes((22, 12, 42, 52))).tolist() == [3 + 1]


def test_centre_on_the_last_edge_stays_in_the_last_cell(places: Places) -> None:
    assert places.assigned(boxes((90, 58, 102, 70))).tolist() == [COARSE + 23]


def test_encoding_is_what_decoding_turns_back(places: Places) -> None:
    objects = boxes((20, 22, 60, 42), (0, 0, 64, 62), (84, 52, 95, 63))
    chosen = places.assigned(objects)
    encoded = places.encoded(objects, chosen)
    # 40 / 32 = 1 + 1/4 and 32 / 32 = 1 + 0, with the prior's own size.
    torch.testing.assert_close(encoded[0], torch.tensor([0.25, 0.0, 0.0, 0.0]))
    numbers = torch.zeros(len(places.strides), 4)
    numbers[chosen] = torch.cat((encoded[:, :2].logit(), encoded[:, 2:]), dim=1)
    torch.testing.assert_close(places.decoded(numbers)[chosen], objects, atol=1e-3, rtol=0)


def test_no_object_has_no_place(places: Places) -> None:
    assert places.assigned(boxes()).tolist() == []
    assert places.encoded(boxes(), places.assigned(boxes())).shape == (0, 4)


def test_later_of_two_objects_in_one_place_is_kept() -> None:
    assert last_of_each(torch.tensor([5, 2, 5, 5, 3])).tolist() == [False, True, False, True, True]
    assert last_of_each(torch.tensor([], dtype=torch.int64)).tolist() == []


def test_best_overlap_is_zero_without_objects() -> None:
    some = boxes((0, 0, 10, 10), (5, 0, 15, 10))
    assert best_overlap(some, boxes()).tolist() == [0, 0]
    expected = torch.tensor([1.0, 1 / 3])
    torch.testing.assert_close(
        best_overlap(some, boxes((0, 0, 10, 10), (90, 90, 91, 91))), expected
    )
