"""Settings that the study's task makes nothing of are refused, wherever they are given."""

from collections.abc import Callable

import pytest

DETECTOR = """\
study: demo
task: instance_segmentation
data: {dataset: none, classes: [person, car], image_size: 64}
model: {name: mask_rcnn}
training: {epochs: 2}
objective: {metric: val/mask_ap}
search:
  tree:
    - stage: learning rate
      vary: {training.learning_rate: [1e-3, 1e-4]}
"""
OWN_LOSSES = "has no effect on task instance_segmentation, for its networks have losses of their"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "{epochs: 2}",
            "{epochs: 2, loss: dice}",
            f"5:23: training.loss: loss {OWN_LOSSES} own; remove it",
        ),
        (
            "{epochs: 2}",
            "{epochs: 2, class_weights: median_frequency}",
            f"5:23: training.class_weights: class_weights {OWN_LOSSES} own; remove it",
        ),
        (
            "search:",
            "evaluation: {also: [rand_error]}\nsearch:",
            "7:14: evaluation.also: also has no effect on task instance_segmentation; remove it",
        ),
        (
            "{training.learning_rate: [1e-3, 1e-4]}",
            "{training.loss: [bce]}",
            f"10:30: search.tree.0.vary.training.loss.0: loss {OWN_LOSSES} own; remove it",
        ),
    ],
)
def test_setting_of_another_task_is_refused(
    old: str, new: str, message: str, problems: Callable[[str], list[str]]
) -> None:
    assert message in problems(DETECTOR.replace(old, new))


def test_detector_without_them_is_a_study(load: Callable[..., object]) -> None:
    load(DETECTOR)


def test_detector_is_for_its_task_alone(problems: Callable[[str], list[str]]) -> None:
    (found,) = problems(
        DETECTOR.replace("instance_segmentation", "semantic_segmentation").replace(
            "mask_ap", "iou"
        )
    )
    assert found == (
        "4:15: model.name: this model is for instance_segmentation, and the study's task is "
        "semantic_segmentation; choose another (visionstudy models list) or change the task"
    )
