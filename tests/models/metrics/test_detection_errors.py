"""Decisions, confusion and kinds of errors: by hand, and against each other."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.metrics.coco_ap import coco_scores
from models.metrics.detection_confusion import detection_confusion
from models.metrics.detection_decisions import detection_decisions
from models.metrics.detection_errors import KINDS, Kind, detection_errors
from models.metrics.matching import coco_matches
from models.metrics.pr_curves import pr_curves
from models.metrics.scored_images import Objects, ScoredImage

Draw = Callable[[int], tuple[list[ScoredImage], int]]
Box = tuple[float, float, float, float]
CAR, BUS = 0, 1
HERE: Box = (0, 0, 10, 10)
BESIDE: Box = (4, 0, 14, 10)  # IoU 6 / 14 with HERE
FAR: Box = (100, 100, 110, 110)
CORNER: Box = (9, 9, 19, 19)  # IoU 1 / 199 with HERE


def image(
    truth: Sequence[tuple[int, Box]],
    found: Sequence[tuple[int, float, Box]],
    *,
    ignored: Sequence[int] = (),
) -> ScoredImage:
    boxes = np.array([box for _, box in truth], np.float64).reshape(-1, 4)
    return ScoredImage(
        image_id="a",
        size_hw=(200, 200),
        pixel_area=1.0,
        truth=Objects(np.array([label for label, _ in truth], np.int64), boxes, None),
        truth_areas=np.full(len(truth), 100.0),
        is_ignored=np.isin(np.arange(len(truth)), ignored),
        found=Objects(
            np.array([label for label, _, _ in found], np.int64),
            np.array([box for _, _, box in found], np.float64).reshape(-1, 4),
            None,
        ),
        scores=np.array([score for _, score, _ in found], np.float64),
    )


def confusion(*images: ScoredImage, threshold: float = 0.5) -> list[list[int]]:
    counts: list[list[int]] = detection_confusion(images, 2, threshold=threshold).counts.tolist()
    return counts


def test_decisions_are_of_detections_from_the_threshold_on() -> None:
    split = [
        image([(CAR, HERE), (BUS, FAR)], [(CAR, 0.5, HERE), (CAR, 0.9, FAR), (BUS, 0.4, FAR)])
    ]
    half = detection_decisions(split, 2, threshold=0.5)
    assert (half.all.right, half.all.wrong, half.all.missed) == (1, 1, 1)
    assert (half.all.precision, half.all.recall, half.all.f1) == (0.5, 0.5, 0.5)
    assert half.classes[BUS].precision is None
    assert half.classes[BUS].recall == 0.0
    low = detection_decisions(split, 2, threshold=0.4)
    assert low.all.precision == pytest.approx(2 / 3)
    assert low.all.recall == 1.0


def test_the_mean_iou_is_of_right_boxes() -> None:
    split = [image([(CAR, HERE), (CAR, FAR)], [(CAR, 0.9, (0, 0, 10, 8)), (CAR, 0.8, BESIDE)])]
    assert detection_decisions(split, 1, threshold=0.5).mean_iou == pytest.approx(0.8)
    assert detection_decisions(split, 1, threshold=0.95).mean_iou is None


def test_confusion_tells_classes_background_and_missed_objects_apart() -> None:
    split = image(
        [(CAR, HERE), (CAR, FAR), (BUS, (50, 50, 60, 60))],
        [(CAR, 0.9, HERE), (BUS, 0.9, FAR), (BUS, 0.9, (150, 0, 160, 10))],
    )
    assert confusion(split) == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_an_object_of_two_classes_goes_to_its_own() -> None:
    """The bus fits better and has the higher score, but a car was seen."""
    split = image([(CAR, HERE)], [(BUS, 0.9, HERE), (CAR, 0.6, (0, 0, 10, 8))])
    assert confusion(split) == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_ignored_objects_are_in_no_cell() -> None:
    split = image([(CAR, HERE), (BUS, FAR)], [(CAR, 0.9, HERE), (CAR, 0.8, FAR)], ignored=[0, 1])
    assert confusion(split) == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_confusion_agrees_with_decisions_on_random_splits(random_split: Draw) -> None:
    for seed in range(300):
        images, classes = random_split(seed)
        counts = detection_confusion(images, classes, threshold=0.4).counts
        decisions = detection_decisions(images, classes, threshold=0.4)
        right = [each.right for each in decisions.classes]
        assert np.diagonal(counts)[:-1].tolist() == right, seed
        wrong = counts.sum(axis=0)[:-1] - np.diagonal(counts)[:-1]
        assert wrong.tolist() == [each.wrong for each in decisions.classes], seed
        missed = counts.sum(axis=1)[:-1] - np.diagonal(counts)[:-1]
        assert missed.tolist() == [each.missed for each in decisions.classes], seed
        assert counts[-1, -1] == 0


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ((CAR, 0.8, BESIDE), "localisation"),
        ((BUS, 0.8, HERE), "classification"),
        ((BUS, 0.8, BESIDE), "both"),
        ((CAR, 0.8, CORNER), "background"),
        ((CAR, 0.8, FAR), "background"),
    ],
)
def test_each_kind_of_error(found: tuple[int, float, Box], kind: Kind) -> None:
    errors = detection_errors([image([(CAR, HERE)], [found])], 2)
    missed = {"missed": 0 if kind in ("localisation", "classification") else 1}
    expected = dict.fromkeys(KINDS, 0) | {kind: 1} | missed
    assert errors.counts == expected
    assert errors.right == 0
    assert errors.ap50 == 0.0


def test_a_second_detection_of_an_object_is_a_duplicate() -> None:
    errors = detection_errors([image([(CAR, HERE)], [(CAR, 0.9, HERE), (CAR, 0.8, HERE)])], 1)
    assert errors.counts == dict.fromkeys(KINDS, 0) | {"duplicate": 1}
    assert errors.right == 1


def test_mending_an_error_gains_what_it_cost() -> None:
    """Two cars. The wrong detection is the first: precision is 1/2 up to recall 1/2."""
    objects = [(CAR, HERE), (CAR, FAR)]
    cases: list[tuple[tuple[int, float, Box], Kind, float]] = [
        ((CAR, 0.9, (104.0, 100.0, 114.0, 110.0)), "localisation", 1 - 51 / 202),
        ((BUS, 0.9, FAR), "classification", 1 - 51 / 101),
        ((CAR, 0.9, (50.0, 50.0, 60.0, 60.0)), "background", 51 / 202),
    ]
    for wrong, kind, gain in cases:
        errors = detection_errors([image(objects, [(CAR, 0.8, HERE), wrong])], 2)
        assert errors.counts[kind] == 1
        assert errors.gains[kind] == pytest.approx(gain), kind


def test_a_mended_detection_replaces_the_worse_one_of_the_same_object() -> None:
    split = [image([(CAR, HERE)], [(CAR, 0.9, BESIDE), (CAR, 0.8, HERE)])]
    errors = detection_errors(split, 1)
    assert (errors.right, errors.counts["localisation"]) == (1, 1)
    assert errors.ap50 == pytest.approx(0.5)
    assert errors.gains["localisation"] == pytest.approx(0.5)


def test_missed_objects_are_no_longer_asked_for_when_mended() -> None:
    errors = detection_errors([image([(CAR, HERE), (CAR, FAR)], [(CAR, 0.9, HERE)])], 1)
    assert errors.ap50 == pytest.approx(51 / 101)
    assert errors.gains["missed"] == pytest.approx(50 / 101)
    assert errors.gain_without_missing == pytest.approx(50 / 101)
    assert errors.gain_without_wrong == 0.0


def test_taking_errors_away_is_taking_detections_away(random_split: Draw) -> None:
    """Removed from the images themselves, detections that are wrong leave the same AP50."""
    for seed in range(200):
        images, classes = random_split(seed)
        errors = detection_errors(images, classes)
        right = [only_right(each) for each in images]
        class_ap50 = coco_scores(right, classes, "bbox").class_ap50
        expected = [each for each in class_ap50 if each is not None]
        if errors.ap50 is None:
            assert not expected
            continue
        assert errors.gain_without_wrong is not None
        mended = errors.ap50 + errors.gain_without_wrong
        assert mended == pytest.approx(np.mean(expected), abs=1e-12), seed


def only_right(each: ScoredImage) -> ScoredImage:
    """Keep the detections that find an object by COCO's matching, one by one."""
    kept = coco_matches(each, 0.5).truth >= 0
    found = Objects(each.found.labels[kept], each.found.boxes_xyxy[kept], None)
    return replace(each, found=found, scores=each.scores[kept])


def test_every_wrong_detection_has_one_kind(random_split: Draw) -> None:
    for seed in range(300):
        images, classes = random_split(seed)
        errors = detection_errors(images, classes)
        decisions = detection_decisions(images, classes, threshold=0.0)
        assert errors.right == decisions.all.right, seed
        wrong = sum(errors.counts[kind] for kind in KINDS if kind != "missed")
        assert wrong == decisions.all.wrong, seed
        assert errors.counts["missed"] <= decisions.all.missed, seed


def test_without_anything_nothing_is_wrong() -> None:
    for split in ([], [image([], [])], [image([(CAR, HERE)], [], ignored=[0])]):
        errors = detection_errors(split, 2)
        assert errors.ap50 is None
        assert not any(errors.counts.values())
        assert detection_decisions(split, 2, threshold=0.5).all.f1 is None
        assert confusion(*split) == np.zeros((3, 3)).tolist()
        assert pr_curves(split, 2).mean_ap is None


def test_json_is_plain_and_named() -> None:
    split = [image([(CAR, HERE)], [(CAR, 0.9, HERE), (BUS, 0.8, FAR)])]
    names = ("car", "bus")
    curves = json.loads(json.dumps(pr_curves(split, 2).to_json(names)))
    assert curves["classes"][0]["recall"] == [1.0]
    assert len(curves["classes"][0]["at_recalls"]) == len(curves["recalls"]) == 101
    assert curves["classes"][1]["recall"] is None
    table = json.loads(json.dumps(detection_confusion(split, 2, threshold=0.5).to_json(names)))
    assert table["labels"] == ["car", "bus", "background"]
    errors = json.loads(json.dumps(detection_errors(split, 2).to_json()))
    assert [each["kind"] for each in errors["errors"]] == list(KINDS)
    decisions = detection_decisions(split, 2, threshold=0.5).to_json(names)
    assert json.loads(json.dumps(decisions))["classes"][0]["f1"] == 1.0


def test_a_curve_of_thousands_of_points_keeps_its_shape() -> None:
    generator = np.random.default_rng(0)
    objects = [(CAR, (20.0 * n, 0.0, 20.0 * n + 10, 10.0)) for n in range(100)]
    split = [
        image(
            objects,
            [
                (CAR, float(generator.random()), objects[n][1] if n % 2 else FAR)
                for n in range(100)
            ],
        )
        for _ in range(30)
    ]
    [curve] = pr_curves(split, 1).classes
    assert curve.detections == 3000
    assert len(curve.scores) <= 500
    assert curve.recall[-1] == pytest.approx(0.5)
    assert (np.diff(curve.recall) >= 0).all()
    assert (np.diff(curve.scores) <= 0).all()
