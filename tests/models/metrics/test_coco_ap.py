"""COCO's rule against numbers of its authors, and by hand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.metrics.coco_ap import CocoScores, Kind, coco_scores, decoded, encoded
from models.metrics.names import AP_NAMES
from models.metrics.scored_images import Objects, ScoredImage

Read = Callable[[Path, Path], tuple[list[ScoredImage], int]]

PUBLISHED = dict(
    zip(
        AP_NAMES,
        (
            *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
            *("AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large"),
        ),
        strict=True,
    )
)


@pytest.mark.parametrize(("kind", "results"), [("bbox", "fakebbox100"), ("segm", "fakesegm100")])
def test_scores_of_cocos_own_example_are_the_published_ones(
    real_data: Path, read_coco: Read, kind: Kind, results: str
) -> None:
    folder = real_data / "metrics_fixtures" / "coco_val2014_100"
    images, classes = read_coco(
        folder / "instances_val2014_100.json", folder / f"instances_val2014_{results}_results.json"
    )
    scores = coco_scores(images, classes, kind, reference=True)
    published = json.loads((folder / "expected.json").read_text())[kind]
    expected = {name: published[there] for name, there in PUBLISHED.items()}
    assert scores.summary == pytest.approx(expected, abs=1e-12)
    counted = [ap for ap in scores.class_ap if ap is not None]
    assert np.mean(counted) == pytest.approx(published["AP"], abs=1e-12)
    assert scores.rule == "coco"


def test_an_area_without_objects_has_no_score(real_data: Path, read_coco: Read) -> None:
    folder = real_data / "metrics_fixtures" / "coco_small_edge"
    images, classes = read_coco(folder / "gt_dataset.json", folder / "dt_dataset.json")
    summary = coco_scores(images, classes, "bbox").summary
    published = json.loads((folder / "expected.json").read_text())["bbox"]
    assert summary["ap_small"] is None
    assert summary["ar_small"] is None
    expected = {n: None if published[p] < 0 else published[p] for n, p in PUBLISHED.items()}
    assert summary == pytest.approx(expected)


def squares(*places: tuple[int, int], side: int = 10) -> tuple[NDArray[np.bool_], Any]:
    masks = np.zeros((len(places), 64, 64), np.bool_)
    boxes = np.zeros((len(places), 4))
    for index, (top, left) in enumerate(places):
        masks[index, top : top + side, left : left + side] = True
        boxes[index] = (left, top, left + side, top + side)
    return masks, boxes


def image(
    truth: Sequence[tuple[int, int]],
    found: Sequence[tuple[int, int]],
    *,
    labels: tuple[Sequence[int], Sequence[int]] | None = None,
    ignored: Sequence[bool] = (),
    pixel_area: float = 1.0,
) -> ScoredImage:
    """Make squares of 10 pixels; detections have falling scores."""
    of_truth, of_found = labels or ([0] * len(truth), [0] * len(found))
    true_masks, true_boxes = squares(*truth)
    masks, boxes = squares(*found)
    return ScoredImage(
        image_id="a",
        size_hw=(64, 64),
        pixel_area=pixel_area,
        truth=Objects(np.array(of_truth, np.int64), true_boxes, encoded(true_masks)),
        truth_areas=true_masks.sum(axis=(1, 2)) * pixel_area,
        is_ignored=np.array(list(ignored) or [False] * len(truth), np.bool_),
        found=Objects(np.array(of_found, np.int64), boxes, encoded(masks)),
        scores=np.linspace(0.9, 0.5, len(found)),
    )


def both(*images: ScoredImage, classes: int = 1) -> list[CocoScores]:
    """Score boxes and masks, by both programs."""
    kinds: tuple[Kind, ...] = ("bbox", "segm")
    return [
        coco_scores(images, classes, kind, reference=reference)
        for kind in kinds
        for reference in (False, True)
    ]


def test_truth_fed_back_scores_1() -> None:
    for scores in both(image([(0, 0), (30, 30)], [(0, 0), (30, 30)])):
        assert scores.summary["ap"] == pytest.approx(1.0, abs=1e-12)
        assert scores.class_ap == pytest.approx((1.0,), abs=1e-12)


def test_nothing_found_scores_0() -> None:
    for scores in both(image([(0, 0)], [])):
        assert scores.summary["ap"] == 0.0
        assert scores.summary["ar100"] == 0.0


def test_a_split_without_objects_has_no_score() -> None:
    for scores in both(image([], [(0, 0)])):
        assert set(scores.summary.values()) == {None}
        assert scores.class_ap == (None,)


def test_a_class_without_objects_is_left_out_of_the_mean() -> None:
    for scores in both(image([(0, 0)], [(0, 0), (30, 30)], labels=([0], [0, 1])), classes=2):
        assert scores.class_ap == pytest.approx((1.0, None))
        assert scores.summary["ap"] == pytest.approx(1.0)


def test_detections_of_ignored_objects_are_neither_right_nor_wrong() -> None:
    counted = image([(0, 0), (30, 30)], [(30, 30), (0, 0)], ignored=[False, False])
    ignored = image([(0, 0), (30, 30)], [(30, 30), (0, 0)], ignored=[False, True])
    wrong = image([(0, 0)], [(30, 30), (0, 0)])
    assert [s.summary["ap50"] for s in both(counted)] == pytest.approx([1.0] * 4)
    assert [s.summary["ap50"] for s in both(ignored)] == pytest.approx([1.0] * 4)
    assert [s.summary["ap50"] for s in both(wrong)] == pytest.approx([0.5] * 4)


def test_objects_are_small_or_large_as_they_are_stored() -> None:
    """A square of 10 pixels of the input is one of 40 stored pixels, which is no longer small."""
    for scores in both(image([(0, 0)], [(0, 0)])):
        assert scores.summary["ap_small"] == pytest.approx(1.0)
        assert scores.summary["ap_medium"] is None
    for scores in both(image([(0, 0)], [(0, 0)], pixel_area=16.0)):
        assert scores.summary["ap_small"] is None
        assert scores.summary["ap_medium"] == pytest.approx(1.0)


def test_ap_by_hand() -> None:
    """Found, not there, found: precision 1 up to recall 1/2, then 2/3; IoU is 1 or 0."""
    expected = (51 * 1.0 + 50 * 2 / 3) / 101
    for scores in both(image([(0, 0), (30, 30)], [(0, 0), (15, 45), (30, 30)])):
        assert scores.summary["ap"] == pytest.approx(expected, abs=1e-12)
        assert scores.summary["ap50"] == pytest.approx(expected, abs=1e-12)
        assert scores.summary["ar1"] == pytest.approx(0.5)


def test_masks_survive_run_lengths() -> None:
    masks = np.random.default_rng(0).random((3, 9, 14)) < 0.4
    assert np.array_equal(decoded(encoded(masks), (9, 14)), masks)
    assert decoded(encoded(masks[:0]), (9, 14)).shape == (0, 9, 14)
