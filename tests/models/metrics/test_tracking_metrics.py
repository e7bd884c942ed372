"""CLEAR MOT and identity measures, by hand and on the example of TUD-Campus."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from models.metrics.tracking import TrackCounts, TrackTable, count_tracks, summed

Row = tuple[int, int, float]  # frame, identity, place of a box of 10 x 10 pixels


def table(*rows: Row) -> TrackTable:
    boxes = [[x, 0.0, x + 10.0, 10.0] for _, _, x in rows]
    return TrackTable(
        np.array([frame for frame, _, _ in rows], np.int64),
        np.array([identity for _, identity, _ in rows], np.int64),
        np.array(boxes, np.float64).reshape(-1, 4),
    )


def standing(identity: int, frames: range, x: float = 0.0) -> list[Row]:
    return [(frame, identity, x) for frame in frames]


def read(file: Path) -> TrackTable:
    rows = np.loadtxt(file, delimiter=",")
    boxes = np.hstack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]])
    return TrackTable(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), boxes)


def test_perfect_tracks_score_one() -> None:
    truth = table(*standing(1, range(5)), *standing(2, range(5), x=50))
    found = table(*standing(8, range(5)), *standing(3, range(5), x=50))
    metrics = count_tracks(truth, found).metrics()
    assert [metrics[name] for name in ("mota", "motp", "idf1", "recall")] == [1, 1, 1, 1]
    assert [metrics[name] for name in ("id_switches", "mostly_tracked")] == [0, 2]


def test_wrong_missing_and_switched_boxes_are_counted() -> None:
    truth = table(*standing(1, range(10)))
    found = table(*standing(1, range(4)), *standing(2, range(5, 10)), (3, 9, 80.0), (4, 9, 80.0))
    counts = count_tracks(truth, found)
    # A box is missed in frame 4, two are at nothing, and 2 follows 1: MOTA 1 - (1 + 2 + 1) / 10.
    assert (counts.misses, counts.false_positives, counts.id_switches) == (1, 2, 1)
    assert counts.fragmentations == 1
    metrics = counts.metrics()
    assert metrics["mota"] == pytest.approx(0.6)
    # Track 2 is the object's for 5 frames: 2 * 5 / (10 + 11).
    assert metrics["idf1"] == pytest.approx(10 / 21)


def test_a_track_keeps_its_object_although_another_is_nearer() -> None:
    truth = table(*standing(1, range(3)))
    found = table((0, 1, 0.0), (1, 1, 3.0), (1, 2, 0.0), (2, 2, 0.0))
    counts = count_tracks(truth, found)  # IoU of 3 pixels further: 7 / 13, enough
    assert (counts.id_switches, counts.false_positives) == (1, 1)
    assert counts.overlap == pytest.approx(1 + 7 / 13 + 1)


def test_the_last_track_is_remembered_while_an_object_is_missed() -> None:
    truth = table(*standing(1, range(9)))
    same = table(*standing(1, range(3)), *standing(1, range(6, 9)))
    other = table(*standing(1, range(3)), *standing(2, range(6, 9)))
    assert count_tracks(truth, same).id_switches == 0
    assert count_tracks(truth, other).id_switches == 1


def test_as_many_pairs_as_can_be_go_together() -> None:
    # Track 1 overlaps object 1 wholly and object 2 enough; track 2 overlaps object 1 alone.
    truth = table((0, 1, 0.0), (0, 2, 3.0))
    found = table((0, 1, 0.0), (0, 2, -3.0))
    assert count_tracks(truth, found, least_iou=0.5).matches == 2


def test_the_least_iou_is_enough() -> None:
    truth, found = table((0, 1, 0.0)), table((0, 1, 5.0))  # IoU 5 / 15
    assert count_tracks(truth, found, least_iou=1 / 3).matches == 1
    assert count_tracks(truth, found, least_iou=0.34).matches == 0


@pytest.mark.parametrize(
    ("found_in", "tracked", "lost"), [(8, 1, 0), (7, 0, 0), (2, 0, 0), (1, 0, 1)]
)
def test_objects_are_mostly_tracked_from_80_and_lost_below_20_percent(
    found_in: int, tracked: int, lost: int
) -> None:
    counts = count_tracks(table(*standing(1, range(10))), table(*standing(1, range(found_in))))
    assert (counts.mostly_tracked, counts.mostly_lost) == (tracked, lost)


def test_what_has_no_boxes_has_no_shares() -> None:
    nothing, something = table(), table(*standing(1, range(2)))
    assert count_tracks(nothing, nothing).metrics()["mota"] is None
    assert count_tracks(nothing, something).metrics()["mota"] is None
    metrics = count_tracks(something, nothing).metrics()
    assert (metrics["mota"], metrics["motp"], metrics["idf1"]) == (0, None, 0)
    assert (metrics["misses"], metrics["mostly_lost"]) == (2, 1)


def test_counts_of_several_videos_are_added_up() -> None:
    truth = table(*standing(1, range(4)))
    good, bad = count_tracks(truth, truth), count_tracks(truth, table())
    both = summed([good, bad])
    assert (both.true_boxes, both.objects, both.matches) == (8, 2, 4)
    assert both.metrics()["mota"] == 0.5
    assert summed([good]) == good


@pytest.mark.parametrize("seed", range(5))
def test_identities_are_paired_as_well_as_by_trying_all(seed: int) -> None:
    random = np.random.default_rng(seed)
    places = [0.0, 20.0, 40.0, 60.0]
    truth = table(*(row for i in range(4) for row in standing(i, range(12), places[i])))
    rows = [
        (frame, int(identity), places[place])
        for frame in range(12)
        for place, identity in enumerate(random.permutation(4))
    ]
    together = np.zeros((4, 4), int)
    for _, identity, x in rows:
        together[places.index(x), identity] += 1
    best = max(sum(together[i, each[i]] for i in range(4)) for each in permutations(range(4)))
    counts: TrackCounts = count_tracks(truth, table(*rows))
    assert counts.id_matches == best


def test_sorts_tracks_of_tud_campus_score_as_published(real_data: Path) -> None:
    folder = real_data / "metrics_fixtures/tracking_TUD-Campus"
    expected = json.loads((folder / "expected.json").read_text())["py_motmetrics_1.4.0"]
    tracks = read(folder / "sort_reference_output.txt")
    metrics = count_tracks(read(folder / "gt/gt.txt"), tracks).metrics()
    theirs = {
        "mota": expected["mota"],
        "motp": 1 - expected["motp"],  # it says the mean distance
        "idf1": expected["idf1"],
        "id_precision": expected["idp"],
        "id_recall": expected["idr"],
        "precision": expected["precision"],
        "recall": expected["recall"],
        "false_positives": expected["num_false_positives"],
        "misses": expected["num_misses"],
        "id_switches": expected["num_switches"],
        "fragmentations": expected["num_fragmentations"],
        "mostly_tracked": expected["mostly_tracked"],
        "partially_tracked": expected["partially_tracked"],
        "mostly_lost": expected["mostly_lost"],
    }
    assert metrics == {name: pytest.approx(value, abs=1e-12) for name, value in theirs.items()}
