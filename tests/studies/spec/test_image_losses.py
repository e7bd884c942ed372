"""A study of images takes the losses of images, and their settings where they have an effect."""

from collections.abc import Callable

import pytest

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
