"""Detections of any format score the same against a truth of any format."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.metrics.coco_files import save_scored_split
from models.metrics.scored_split import ScoredSplit
from studies.scoring.boxes.records import UnusableBoxesError
from studies.scoring.boxes.scoring import BoxScores, Question, score_boxes

Write = Callable[[str], Path]
TRUTHS = ("coco", "open_images", "voc", "yolo", "text")
FOUNDS = ("visionstudy", "voc_results", "yolo", "text")
# The numbers of COCO results are those of COCO's own annotations.
PAIRS = [("coco", "coco_results"), *itertools.product(TRUTHS, FOUNDS)]
PUBLISHED = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_medium": "AP_medium", "ar1": "AR_1"}


@pytest.fixture
def score(
    truth: Write, found: Write, pictures: Path, class_list: Path
) -> Callable[..., BoxScores]:
    """Return a function that scores one format against another."""

    def run(true: str, detected: str, **wishes: object) -> BoxScores:
        has_numbers = detected == "coco_results"
        names = None if has_numbers else class_list
        asked = {"pictures": pictures, "class_list": names, **wishes}
        return score_boxes(Question(truth(true), found(detected), **asked))  # type: ignore[arg-type]

    return run


@pytest.mark.parametrize(("true", "detected"), PAIRS)
def test_every_format_scores_the_same(
    score: Callable[..., BoxScores], true: str, detected: str
) -> None:
    scores = score(true, detected, rule="voc10")
    assert scores.metrics["voc10_map"] == pytest.approx(0.5)
    by_name = {each.name: each for each in scores.classes}
    assert by_name["car"].ap == pytest.approx(1.0)
    assert by_name["bus"].ap == 0.0
    assert by_name["car"].truths == 2
    assert by_name["car"].ignored == (0 if true == "yolo" else 1)  # YOLO has nothing difficult
    assert by_name["car"].detections == 4
    assert scores.is_whole


@pytest.mark.parametrize(("true", "detected"), PAIRS)
def test_areas_and_overlaps_are_of_the_pictures_pixels(
    score: Callable[..., BoxScores], true: str, detected: str
) -> None:
    """One box has IoU 0.925, so that at 0.95 the first detection is wrong."""
    scores = score(true, detected)
    assert scores.metrics["ap_small"] is None
    assert scores.metrics["ap_large"] is None
    expected = (9 + 51 / 202) / 10
    assert {each.name: each.ap for each in scores.classes}["car"] == pytest.approx(expected)


@pytest.mark.parametrize(("rule", "iou"), [("voc07", None), ("thesis", 0.3), ("open_images", 0.5)])
def test_every_rule_can_be_asked_for(
    score: Callable[..., BoxScores], rule: str, iou: float | None
) -> None:
    scores = score("voc", "text", rule=rule, iou=iou)
    assert list(scores.metrics) == [f"{rule}_map"]
    assert 0 < (scores.metrics[f"{rule}_map"] or 0) <= 1


def test_cocos_rule_at_one_iou_is_average_precision_there(
    score: Callable[..., BoxScores],
) -> None:
    whole = score("coco", "text")
    assert score("coco", "text", iou=0.5).metrics["ap_at_iou"] == pytest.approx(
        whole.metrics["ap50"], abs=1e-12
    )


def test_the_example_of_85_images_has_its_published_score(real_data: Path) -> None:
    folder = real_data / "metrics_fixtures" / "voc_map_85img"
    question = Question(
        folder / "ground-truth",
        folder / "detection-results",
        rule="voc10",
        truth_corners="pixels",
        found_corners="pixels",
    )
    scores = score_boxes(question)
    assert scores.metrics["voc10_map"] == pytest.approx(0.3105, abs=5e-5)
    assert scores.paired.unknown["refrigerator"] == 32
    assert not scores.is_whole


def test_cocos_own_example_has_its_published_score(real_data: Path) -> None:
    folder = real_data / "metrics_fixtures" / "coco_val2014_100"
    scores = score_boxes(
        Question(
            folder / "instances_val2014_100.json",
            folder / "instances_val2014_fakebbox100_results.json",
        )
    )
    published = json.loads((folder / "expected.json").read_text())["bbox"]
    for ours, theirs in PUBLISHED.items():
        assert scores.metrics[ours] == pytest.approx(published[theirs], abs=1e-12)


def test_a_trials_predictions_are_scored_by_any_rule(
    score: Callable[..., BoxScores], tmp_path: Path
) -> None:
    before = score("coco", "text")
    split = ScoredSplit(
        before.paired.class_names, tuple(before.paired.images), np.zeros(2), measures={}
    )
    file = tmp_path / "predictions_test.json.gz"
    save_scored_split(file, split, kind="bbox", metrics={})
    assert score_boxes(Question(file, file)).metrics == pytest.approx(before.metrics, nan_ok=True)
    assert score_boxes(Question(file, file, rule="voc10")).metrics["voc10_map"] == 0.5


def test_shares_on_both_sides_need_no_picture(
    truth: Write, found: Write, class_list: Path
) -> None:
    question = Question(truth("yolo"), found("yolo"), rule="voc10", class_list=class_list)
    assert score_boxes(question).metrics["voc10_map"] == pytest.approx(0.5)
    with pytest.raises(UnusableBoxesError) as error:
        score_boxes(replace(question, rule="coco"))
    assert str(error.value) == (
        "the size of picture 'square' must be known, for its boxes are shares of it, but no "
        "folder of pictures was named, nor is one beside GT; name the folder of the pictures by "
        "--images"
    )
    empty = truth("yolo").parent / "empty"
    empty.mkdir()
    with pytest.raises(UnusableBoxesError, match="empty has no picture of this name; name the"):
        score_boxes(replace(question, rule="coco", pictures=empty))


def test_cocos_rule_at_one_iou_needs_no_picture(
    score: Callable[..., BoxScores], truth: Write, found: Write, class_list: Path
) -> None:
    """Sizes of objects are asked for by the twelve numbers alone."""
    asked = {"iou": 0.5, "with_errors": True, "threshold": 0.5}
    without = score_boxes(Question(truth("yolo"), found("yolo"), class_list=class_list, **asked))  # type: ignore[arg-type]
    within = score("yolo", "text", **asked)
    assert without.metrics == pytest.approx(within.metrics)
    assert without.errors == within.errors


def test_pictures_are_looked_for_beside_labels(
    truth: Write, found: Write, pictures: Path, class_list: Path
) -> None:
    labels = truth("yolo").rename(pictures.parent / "labels")
    scores = score_boxes(Question(labels, found("text"), class_list=class_list))
    assert scores.paired.images[0].size_hw == (100, 200)


def test_a_picture_without_true_boxes_is_scored_too(
    truth: Write, found: Write, pictures: Path, class_list: Path
) -> None:
    labels = truth("yolo")
    (labels / "square.txt").unlink()  # as YOLO has pictures without an object
    asked = Question(labels, found("yolo"), rule="voc10", class_list=class_list, pictures=pictures)
    scores = score_boxes(asked)
    assert {each.name: each.ap for each in scores.classes}["car"] == pytest.approx(1.0)
    assert len(scores.paired.images) == 2
    assert not scores.paired.extra


def test_only_the_named_pictures_are_scored(
    score: Callable[..., BoxScores], tmp_path: Path
) -> None:
    only = tmp_path / "test.txt"
    only.write_text("street\n")
    scores = score("voc", "text", only=only)
    assert [image.image_id for image in scores.paired.images] == ["street"]
    assert scores.is_whole
    only.write_text("steret\n")
    with pytest.raises(
        UnusableBoxesError, match=r"--only must name pictures of GT, .* got 'steret'"
    ):
        score("voc", "text", only=only)
