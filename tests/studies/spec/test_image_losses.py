"""A study of images takes the losses of images, and their settings where they have an effect."""

from collections.abc import Callable

import pytest

from studies.spec.load import LoadedStudy
from studies.spec.study_warnings import study_warnings

IMAGES = """\
study: demo
task: image_classification
data: {dataset: none, classes: [ant, bee], image_size: 32}
model: {name: small_cnn, filters: 8, depth: 2, hidden_units: 16}
training: {epochs: 2}
objective: {metric: val/top1}
search:
  tree:
    - stage: units
      vary: {model.hidden_units: [64, 128]}
"""
PIXELS = """\
study: demo
task: semantic_segmentation
data: {dataset: none, classes: [car], image_size: 32}
model: {name: unet}
training: {epochs: 2}
objective: {metric: val/iou}
search:
  tree:
    - stage: learning rate
      vary: {training.learning_rate: [1e-3, 1e-4]}
"""


@pytest.mark.parametrize(
    "training",
    [
        "{loss: cross_entropy, label_smoothing: 0.1, class_weights: {ant: 2}}",
        "{label_smoothing: 0.1, class_weights: {ant: 2}}",
        "{loss: softmax_focal, focal_gamma: 1}",
        "{loss: huber, huber_delta: 0.2}",
        "{loss: mse}",
        "{loss: triplet, mining: semi_hard, triplet_margin: 0.5, triplet_weight: 0.1}",
    ],
)
def test_losses_of_images_are_taken(training: str, load: Callable[..., object]) -> None:
    load(IMAGES.replace("{epochs: 2}", training))


@pytest.mark.parametrize(
    ("study", "old", "new", "message"),
    [
        (
            IMAGES,
            "{epochs: 2}",
            "{loss: dice}",
            "5:12: training.loss: loss must be one of 'cross_entropy', 'softmax_focal', 'mse', "
            "'huber', 'triplet' on task image_classification, got 'dice'; use one of these",
        ),
        (
            IMAGES,
            "{epochs: 2}",
            "{loss: mse, huber_delta: 0.2}",
            "5:36: training.huber_delta: huber_delta has no effect with loss 'mse'; remove it or "
            "use loss 'huber'",
        ),
        (
            IMAGES,
            "{epochs: 2}",
            "{huber_delta: 0.2}",
            "5:12: training.huber_delta: huber_delta has no effect with loss 'cross_entropy'; "
            "remove it or use loss 'huber'",
        ),
        (
            PIXELS,
            "{epochs: 2}",
            "{focal_gamma: 1}",
            "5:12: training.focal_gamma: focal_gamma has no effect with loss 'bce'; remove it or "
            "use loss 'focal' or 'softmax_focal'",
        ),
        (
            IMAGES,
            "{epochs: 2}",
            "{loss: cross_entropy, border_weight: {of: ant}}",
            "5:33: training.border_weight: border_weight has no effect on task "
            "image_classification; remove it",
        ),
        (
            IMAGES,
            "{model.hidden_units: [64, 128]}",
            "{model.activation: [relu, step]}",
            "10:39: search.tree.0.vary.model.activation.1: must not be a step function, whose "
            "gradient is 0 wherever it has one, so that no layer before it learns; use one of "
            "linear, sigmoid, tanh, relu, leaky_relu, swish",
        ),
        (
            PIXELS,
            "{epochs: 2}",
            "{loss: cross_entropy, label_smoothing: 0.1}",
            "5:33: training.label_smoothing: label_smoothing has no effect on task "
            "semantic_segmentation; remove it",
        ),
    ],
)
def test_setting_without_effect_is_refused_where_it_stands(
    study: str, old: str, new: str, message: str, problems: Callable[[str], list[str]]
) -> None:
    assert message in problems(study.replace(old, new))


def test_loss_of_images_is_none_of_pixels(problems: Callable[[str], list[str]]) -> None:
    (found,) = problems(PIXELS.replace("{epochs: 2}", "{loss: triplet}"))
    assert "'lovasz_softmax' on task semantic_segmentation, got 'triplet'" in found


@pytest.mark.parametrize(
    "vary",
    [
        "{model.filters: [4, 8]}",
        "{model.depth: [1, 2]}",
        "{model.hidden_units: [64, 128]}",
        "{model.hidden_layers: [1, 2]}",
        "{model.kernel: [3, 5]}",
        "{model.padding: [same, valid]}",
        "{model.pooling: [max, average, sum]}",
        "{model.dropout: [0, 0.2]}",
        "{model.activation: [relu, swish]}",
        "{training.loss: [cross_entropy, triplet]}",
    ],
)
def test_parts_of_the_small_network_can_be_a_stage(vary: str, load: Callable[..., object]) -> None:
    load(IMAGES.replace("{model.hidden_units: [64, 128]}", vary))


def test_joint_search_varies_the_small_network_by_numbers(load: Callable[..., object]) -> None:
    before, _, _ = IMAGES.partition("search:")
    space = (
        "{model.filters: {low: 4, high: 64, integer: true, log: true}, model.depth: [1, 2], "
        "model.hidden_units: {low: 8, high: 128, integer: true}, "
        "model.dropout: {low: 0, high: 0.5}}"
    )
    load(f"{before}search:\n  joint:\n    trials: 2\n    space: {space}\n")


BY_LOSS = "{metric: val/loss, direction: minimize}"
BY_SCORE = {"{metric: val/top1}": BY_LOSS, "{metric: val/iou}": BY_LOSS}


def by_loss(study: str, vary: str) -> str:
    """Return a study that chooses by the loss, with another stage."""
    for old, new in BY_SCORE.items():
        study = study.replace(old, new)
    first = next(line for line in study.splitlines() if "vary:" in line)
    return study.replace(first, f"      vary: {{{vary}}}")


@pytest.mark.parametrize(
    ("study", "vary", "instead"),
    [
        (
            IMAGES,
            "training.loss: [cross_entropy, mse]",
            "choose by val/log_loss (direction: minimize) or val/top1 (direction: maximize)",
        ),
        (
            PIXELS,
            "training.loss: [null, dice]",
            "choose by val/log_loss (direction: minimize) or val/iou (direction: maximize)",
        ),
        (
            IMAGES,
            "training: [{loss: mse}, {loss: huber}]",
            "choose by val/log_loss (direction: minimize) or val/top1 (direction: maximize)",
        ),
    ],
)
def test_losses_are_not_compared_by_the_loss(
    study: str, vary: str, instead: str, problems: Callable[..., list[str]]
) -> None:
    (found,) = problems(by_loss(study, vary))
    assert "losses differ in scale, so that val/loss, by which the study chooses, is" in found
    assert found.endswith(instead)


def test_losses_are_not_compared_by_the_loss_in_a_joint_search(
    problems: Callable[..., list[str]],
) -> None:
    study = by_loss(IMAGES, "model.hidden_units: [64, 128]")
    joint = "  joint: {space: {training.loss: [mse, huber]}, sampler: random, trials: 2}\n"
    (found,) = problems(study[: study.index("  tree:")] + joint)
    assert "search.joint.space.training.loss: losses differ in scale" in found


@pytest.mark.parametrize(
    "vary", ["training.loss: [cross_entropy, triplet]", "training.loss: [null, cross_entropy]"]
)
def test_losses_of_one_scale_are_compared_by_the_loss(
    vary: str, load: Callable[..., LoadedStudy]
) -> None:
    assert study_warnings(load(by_loss(IMAGES, vary)).spec) == []


def test_losses_are_compared_by_what_is_the_same_for_all(
    load: Callable[..., LoadedStudy],
) -> None:
    stage = "vary: {training.loss: [cross_entropy, mse]}"
    study = IMAGES.replace("vary: {model.hidden_units: [64, 128]}", stage)
    assert study_warnings(load(study).spec) == []


@pytest.mark.parametrize(
    ("study", "vary"),
    [
        (IMAGES, "training.label_smoothing: [null, 0.1]"),
        (IMAGES, "training.class_weights: [null, {ant: 2}]"),
        (PIXELS, "training.border_weight: [null, {}]"),
    ],
)
def test_settings_that_scale_the_loss_that_decides_are_warned_of(
    study: str, vary: str, load: Callable[..., LoadedStudy]
) -> None:
    (warning,) = study_warnings(load(by_loss(study, vary)).spec)
    path = vary.partition(":")[0]
    assert f"varies {path}, which changes the scale of the loss" in warning
    assert "choose by val/log_loss (direction: minimize) or " in warning
    assert study_warnings(load(study).spec) == []


BOXES = """\
study: demo
task: object_detection
data: {dataset: none, classes: [car], image_size: 128}
model: {name: yolov2}
training: {epochs: 2}
objective: {metric: val/loss, direction: minimize}
search:
  tree:
    - stage: weights
      vary: {model.coordinate_weight: [1, 5]}
"""


def test_weights_in_the_loss_of_a_detector_are_warned_of(
    load: Callable[..., LoadedStudy],
) -> None:
    (warning,) = study_warnings(load(BOXES).spec)
    assert "stage 'weights' varies model.coordinate_weight, which changes the scale" in warning
    assert warning.endswith("; choose by val/ap (direction: maximize)")
