"""The fast and the reference program for COCO's rule, and our own matching, agree to 1e-12."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.metrics.coco_ap import CocoScores, Kind, coco_scores, encoded
from models.metrics.detection_errors import detection_errors
from models.metrics.pr_curves import pr_curves
from models.metrics.scored_images import Objects, ScoredImage

Draw = Callable[[int], tuple[list[ScoredImage], int]]
Read = Callable[[Path, Path], tuple[list[ScoredImage], int]]
FIXTURES = (
    ("coco_val2014_100", "instances_val2014_100", "instances_val2014_fakebbox100_results", "bbox"),
    ("coco_val2014_100", "instances_val2014_100", "instances_val2014_fakesegm100_results", "segm"),
    ("coco_small_edge", "gt_dataset", "dt_dataset", "bbox"),
)


def assert_agreement(images: list[ScoredImage], classes: int, kind: Kind) -> CocoScores:
    """Compare the programs and return what the reference says."""
    fast = coco_scores(images, classes, kind)
    reference = coco_scores(images, classes, kind, reference=True)
    assert fast.summary == pytest.approx(reference.summary, abs=1e-12)
    assert fast.class_ap == pytest.approx(reference.class_ap, abs=1e-12)
    assert fast.class_ap50 == pytest.approx(reference.class_ap50, abs=1e-12)
    return reference


@pytest.mark.parametrize(("folder", "truth", "results", "kind"), FIXTURES)
def test_both_programs_agree_on_cocos_examples(
    real_data: Path,
    read_coco: Read,
    folder: str,
    truth: str,
    results: str,
    kind: Kind,
) -> None:
    place = real_data / "metrics_fixtures" / folder
    images, classes = read_coco(place / f"{truth}.json", place / f"{results}.json")
    assert_agreement(images, classes, kind)


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 500])
def test_both_programs_and_our_curves_agree_on_1000_random_splits(
    random_split: Draw, first: int
) -> None:
    for seed in range(first, first + 500):
        images, classes = random_split(seed)
        reference = assert_agreement(images, classes, "bbox").class_ap50
        curves = pr_curves(images, classes)
        ours = tuple(curve.ap for curve in curves.classes)
        assert ours == pytest.approx(reference, abs=1e-12), seed
        assert detection_errors(images, classes).ap50 == pytest.approx(curves.mean_ap), seed


def test_both_programs_agree_on_random_masks(random_split: Draw) -> None:
    for seed in range(40):
        images, classes = random_split(seed)
        generator = np.random.default_rng(seed)
        assert_agreement([masked(image, generator) for image in images], classes, "segm")


def masked(image: ScoredImage, generator: np.random.Generator) -> ScoredImage:
    """Give each object and detection a mask: its box with holes."""

    def objects(boxes_only: Objects) -> Objects:
        masks = np.zeros((len(boxes_only.labels), *image.size_hw), np.bool_)
        for index, box in enumerate(boxes_only.boxes_xyxy.astype(int).clip(0).tolist()):
            left, top, right, bottom = box
            masks[index, top:bottom, left:right] = True
        return replace(boxes_only, masks=encoded(masks & (generator.random(masks.shape) < 0.9)))

    return replace(image, truth=objects(image.truth), found=objects(image.found))


def test_of_a_class_and_image_only_the_100_best_detections_count() -> None:
    count = 130
    nowhere = np.tile([500.0, 500.0, 510.0, 510.0], (count, 1))
    nowhere[-1] = (0, 0, 10, 10)  # the only right one
    scores = np.linspace(1.0, 0.1, count)
    boxes = np.array([[0.0, 0.0, 10.0, 10.0]])
    image = ScoredImage(
        image_id="a",
        size_hw=(600, 600),
        pixel_area=1.0,
        truth=Objects(np.zeros(1, np.int64), boxes, None),
        truth_areas=np.array([100.0]),
        is_ignored=np.zeros(1, np.bool_),
        found=Objects(np.zeros(count, np.int64), nowhere, None),
        scores=scores,
    )
    assert_agreement([image], 1, "bbox")
    assert pr_curves([image], 1).classes[0].ap == 0.0
    first = replace(image, scores=scores[::-1].copy())
    assert pr_curves([first], 1).classes[0].ap == pytest.approx(1.0)


def test_a_box_of_one_pixel_and_300_boxes_are_scored() -> None:
    places = np.stack(np.meshgrid(np.arange(20.0), np.arange(15.0)), axis=-1).reshape(-1, 2) * 4
    boxes = np.hstack([places, places + 1])
    labels = np.zeros(len(boxes), np.int64)
    image = ScoredImage(
        image_id="a",
        size_hw=(60, 80),
        pixel_area=1.0,
        truth=Objects(labels, boxes, None),
        truth_areas=np.ones(len(boxes)),
        is_ignored=np.zeros(len(boxes), np.bool_),
        found=Objects(labels, boxes, None),
        scores=np.linspace(1, 0.1, len(boxes)),
    )
    assert_agreement([image], 1, "bbox")
    expected = 34 / 101  # 100 of 300 boxes may be found: recall 0 to 0.33
    assert coco_scores([image], 1, "bbox").class_ap50 == pytest.approx((expected,))
