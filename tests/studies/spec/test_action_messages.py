"""What a study of actions may not say: settings without effect, clips that do not fit."""

from collections.abc import Callable

import pytest

from data_pipeline.datasets.settings.generated import StreetActionsData, StreetScenesData
from models.entries import ClipShape
from studies.spec.clip_checks import clip_shape

Heads = Callable[..., list[str]]
ACTIONS = """\
study: demo
task: action_recognition
data: {dataset: street_actions, image_size: 32, clip: {frames: 32, stride: 1}}
model: {name: slowfast, slow_frames: 4, slow_stride: 8}
training: {epochs: 2}
objective: {metric: val/top1}
search:
  tree:
    - stage: learning rate
      vary: {training.learning_rate: [1e-3, 1e-4]}
"""
RATES = "training.learning_rate: [1e-3, 1e-4]"
NO_EFFECT = "has no effect on task action_recognition; remove it"


def test_study_of_actions_is_one(load: Callable[..., object]) -> None:
    load(ACTIONS)
    load(ACTIONS.replace("{epochs: 2}", "{epochs: 2, loss: cross_entropy}"))
    reference = ACTIONS.replace("name: slowfast, slow_frames: 4, slow_stride: 8", "name: constant")
    load(
        reference.replace("training: {epochs: 2}\n", "").replace(
            RATES, "data.image_size: [32, 48]"
        )
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "{epochs: 2}",
            "{epochs: 2, loss: dice}",
            "5:23: training.loss: loss must be 'cross_entropy' on task action_recognition, got "
            "'dice'; use that",
        ),
        (
            "{epochs: 2}",
            "{epochs: 2, class_weights: {CarPassing: 2.0}}",
            f"5:23: training.class_weights: class_weights {NO_EFFECT}",
        ),
        (
            "search:",
            "evaluation: {threshold: 0.4}\nsearch:",
            f"7:14: evaluation.threshold: threshold {NO_EFFECT}",
        ),
        (
            RATES,
            "training.loss: [cross_entropy, bce]",
            "10:45: search.tree.0.vary.training.loss.1: loss must be 'cross_entropy' on task "
            "action_recognition, got 'bce'; use that",
        ),
        (
            "image_size: 32,",
            "image_size: 32, one_model_per_class: true, classes: [CarPassing, CarStopping],",
            "3:49: data.one_model_per_class: on task action_recognition a sample shows one of the "
            "classes, so that a network of a single class has nothing to choose from; remove it",
        ),
        (
            "image_size: 32,",
            "image_size: 32, classes: [CarPassing],",
            "3:58: data.classes: task action_recognition needs at least two classes, got "
            "CarPassing alone; name more",
        ),
        (
            "val/top1",
            "val/iou",
            "6:21: objective.metric: unknown metric 'iou' of task action_recognition (known: "
            "top1, clip_top1, top5, clip_top5, class_recall, loss, log_loss)",
        ),
    ],
)
def test_setting_that_means_nothing_is_refused(
    old: str, new: str, message: str, problems: Heads
) -> None:
    assert ACTIONS.count(old) == 1
    assert message in problems(ACTIONS.replace(old, new))


WRONG_FRAMES = (
    "clips of slowfast must have slow_frames x slow_stride = 4 x 8 = 32 frames, got {got}; use "
    "data.clip.frames 32"
)


def test_top_five_of_few_classes_is_no_objective(problems: Heads) -> None:
    few = ACTIONS.replace("image_size: 32,", "image_size: 32, classes: [CarPassing, CarStopping],")
    assert problems(few.replace("val/top1", "val/top5")) == [
        "6:21: objective.metric: val/top5 needs more than 5 classes, got 2, which are all among "
        "the first five; choose by top1"
    ]


def test_clip_that_the_network_does_not_take_is_refused(problems: Heads) -> None:
    (found,) = problems(ACTIONS.replace("frames: 32", "frames: 30"))
    assert found == f"3:55: data.clip: {WRONG_FRAMES.format(got=30)}"


def test_stage_that_gives_it_such_clips_is_refused(problems: Heads) -> None:
    (found,) = problems(ACTIONS.replace(RATES, "data.clip.frames: [32, 31]"))
    place = "10:37: search.tree.0.vary.data.clip.frames.1"
    assert found == f"{place}: {WRONG_FRAMES.format(got=31)}"


def test_stage_that_gives_it_other_frames_to_see_is_refused(problems: Heads) -> None:
    (found,) = problems(ACTIONS.replace(RATES, "model.slow_frames: [4, 8]"))
    assert found.startswith("10:37: search.tree.0.vary.model.slow_frames.1: clips of slowfast")
    assert found.endswith("8 x 8 = 64 frames, got 32; use data.clip.frames 64")


def test_clip_and_network_may_change_together(load: Callable[..., object]) -> None:
    both = "model.slow_frames: [4, 8], data.clip.frames: [32, 64]"
    load(ACTIONS.replace(f"vary: {{{RATES}}}", f"together: true\n      vary: {{{both}}}"))


def test_network_of_pictures_is_not_for_videos(problems: Heads) -> None:
    text = ACTIONS.replace("slowfast, slow_frames: 4, slow_stride: 8", "unet")
    assert problems(text) == [
        "4:15: model.name: this model is for semantic_segmentation, and the study's task is "
        "action_recognition; choose another (visionstudy models list) or change the task"
    ]


def test_shape_of_clips_is_that_of_the_data() -> None:
    clip = {"frames": 12, "views": 5, "crops": 3}
    settings = StreetActionsData.model_validate({"clip": {**clip, "flow": {}}})
    assert clip_shape(settings) == ClipShape(12, has_flow=True, scored=15)
    assert clip_shape(StreetActionsData.model_validate({"clip": clip})) == ClipShape(12, scored=15)
    assert clip_shape(StreetScenesData()) is None
