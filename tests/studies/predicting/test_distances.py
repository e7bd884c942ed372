"""Who is too near, and from when to when."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from studies.predicting.distances import NearEvent, NearEvents, Nearness, by_ids, near_pairs


def test_pairs_below_the_limit_are_found_with_their_distance() -> None:
    people = np.array([[0, 0], [3, 5], [0, 1], [10, 10]], np.float64)
    assert near_pairs(people, 5.5) == [Nearness(0, 2, 1.0), Nearness(1, 2, 5.0)]


@given(arrays(np.float64, (7, 2), elements=st.floats(-5, 5)), st.floats(0.1, 10))
def test_pairs_are_those_of_a_double_loop(people: np.ndarray, limit_m: float) -> None:
    people[3] = np.nan  # nobody knows where
    expected = {
        (a, b)
        for a in range(7)
        for b in range(a + 1, 7)
        if np.hypot(*(people[a] - people[b])) < limit_m
    }
    found = {(pair.first, pair.second) for pair in near_pairs(people, limit_m)}
    assert found == expected or any(
        abs(np.hypot(*(people[a] - people[b])) - limit_m) < 1e-9 for a, b in found ^ expected
    )


def test_one_person_is_near_to_nobody() -> None:
    assert near_pairs(np.zeros((1, 2)), 2.0) == []
    assert near_pairs(np.zeros((0, 2)), 2.0) == []


def test_pairs_are_called_by_their_tracks_the_smaller_first() -> None:
    pairs = [Nearness(0, 1, 0.5), Nearness(1, 2, 0.7)]
    assert by_ids(pairs, [9, 4, 6]) == {(4, 9): 0.5, (4, 6): 0.7}


def events(distances: list[float | None], gap_s: float) -> list[NearEvent]:
    """Return the events of tracks 1 and 2, a frame every 0.1 s; None: they are apart."""
    log, ended = NearEvents(gap_s), []
    for frame, distance in enumerate(distances):
        near = {} if distance is None else {(1, 2): distance}
        ended += log.step(frame, frame / 10, near)
    return [*ended, *log.end()]


def test_an_event_lasts_from_the_first_to_the_last_near_frame() -> None:
    [event] = events([None, 1.5, 0.8, 1.2, None, None], gap_s=0.15)
    assert event == NearEvent((1, 2), 1, 3, start_s=0.1, end_s=0.3, least_m=0.8, least_frame=2)


@pytest.mark.parametrize(
    ("gap_s", "spans"), [(0.35, [(0, 3)]), (0.25, [(0, 0), (3, 3)]), (0.0, [(0, 0), (3, 3)])]
)
def test_a_gap_ends_an_event_when_it_is_longer_than_allowed(
    gap_s: float, spans: list[tuple[int, int]]
) -> None:
    found = events([1.0, None, None, 1.0], gap_s)
    assert [(each.start_frame, each.end_frame) for each in found] == spans


def test_an_event_that_is_over_is_told_once_and_forgotten() -> None:
    log = NearEvents(0.05)
    assert log.step(0, 0.0, {(1, 2): 1.0, (1, 3): 1.0}) == []
    over = log.step(1, 0.1, {(1, 3): 0.5})
    assert [each.ids for each in over] == [(1, 2)]
    assert [each.ids for each in log.end()] == [(1, 3)]
    assert list(log.end()) == []
