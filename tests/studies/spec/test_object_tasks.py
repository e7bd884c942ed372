"""What a study of objects may not say: thresholds without effect, shapes that do not fit."""

from collections.abc import Callable

import pytest

Heads = Callable[..., list[str]]
BOXES = """\
study: demo
task: object_detection
data: {dataset: none, classes: [person, car], image_size: 416}
model: {name: yolov3}
objective: {metric: val/ap50}
search:
  tree:
    - stage: threshold
      vary: {evaluation.threshold: [0.3, 0.5]}
      after_training: true
"""
UNMOVED = (
    "search.tree.0.vary.evaluation.threshold: 'evaluation.threshold' does not change {metric}, by "
    "which the study chooses; choose by one of {others}, or remove it"
)
SWEEP = "vary: {training.learning_rate: [1e-3, 1e-4]}"
RETRAINED = BOXES.replace("      after_training: true\n", "")


@pytest.mark.parametrize("metric", ["ap", "ap50", "voc07_map", "thesis_map", "ar100"])
def test_threshold_that_cannot_change_the_objective_is_refused(
    problems: Heads, metric: str
) -> None:
    message = UNMOVED.format(metric=metric, others="precision, recall, f1")
    assert problems(BOXES.replace("val/ap50", f"val/{metric}")) == [f"9:14: {message}"]


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
def test_threshold_may_be_chosen_by_what_it_changes(
    load: Callable[..., object], metric: str
) -> None:
    load(BOXES.replace("val/ap50", f"val/{metric}"))


def test_threshold_of_masks_does_not_change_boxes(
    problems: Heads, load: Callable[..., object]
) -> None:
    masks = RETRAINED.replace("object_detection", "instance_segmentation")
    masks = masks.replace("yolov3", "mask_rcnn")
    (found,) = problems(masks.replace("val/ap50", "val/box_ap"))
    assert found.startswith(f"9:14: {UNMOVED.split('{', 1)[0]}box_ap, by which the study chooses")
    load(masks.replace("val/ap50", "val/mask_ap50"))


def test_threshold_of_pixels_does_not_change_their_probabilities(
    problems: Heads, study_text: str
) -> None:
    text = study_text.replace(
        "training.learning_rate: [1e-3, 1e-4]", "evaluation.threshold: [0.4]"
    )
    (found,) = problems(text.replace("val/iou", "val/average_precision"))
    assert "'evaluation.threshold' does not change average_precision" in found


def test_joint_search_of_such_a_threshold_is_refused_too(problems: Heads) -> None:
    tree = BOXES[BOXES.index("  tree:") :]
    joint = "  joint: {space: {evaluation.threshold: [0.3, 0.5]}, trials: 2}\n"
    (found,) = problems(BOXES.replace(tree, joint))
    assert found.startswith("7:19: search.joint.space.evaluation.threshold: ")


NO_SQUARE = (
    "yolov1 takes squares of image_size alone, and 'shorter_side' keeps a picture's shape; "
    "use stretch or letterbox"
)


def test_network_of_squares_is_not_given_other_shapes(problems: Heads) -> None:
    text = RETRAINED.replace("vary: {evaluation.threshold: [0.3, 0.5]}", SWEEP)
    text = text.replace("image_size: 416", "image_size: 416, resize: shorter_side")
    text = text.replace("yolov3", "yolov1").replace("416", "448")
    assert problems(text) == [f"3:72: data.resize: {NO_SQUARE}"]


def test_stage_that_gives_it_other_shapes_is_refused(problems: Heads) -> None:
    tried = "vary: {data.resize: [stretch, shorter_side, letterbox]}"
    text = RETRAINED.replace("vary: {evaluation.threshold: [0.3, 0.5]}", tried)
    text = text.replace("yolov3", "yolov1").replace("416", "448")
    assert problems(text) == [f"9:37: search.tree.0.vary.data.resize.1: {NO_SQUARE}"]


def test_network_that_takes_any_shape_is_given_it(load: Callable[..., object]) -> None:
    text = RETRAINED.replace("vary: {evaluation.threshold: [0.3, 0.5]}", SWEEP)
    text = text.replace("yolov3", "faster_rcnn_vgg16")
    load(text.replace("image_size: 416", "image_size: 416, resize: shorter_side"))
