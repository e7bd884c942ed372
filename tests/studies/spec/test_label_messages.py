"""Settings that name classes: what is said of a name that is not there."""

from collections.abc import Callable

import pytest

AT = "search.tree.0"
SCENES = "dataset: street_scenes, classes: [person, car]"
EACH = "one_model_per_class: true"
NOT_IN_EVERY = "class 'car' is not in every network of data.one_model_per_class; "
NO_EFFECT = (
    "class_weights has no effect with loss 'dice'; remove it or use loss 'bce', 'cross_entropy', "
    "'focal' or 'softmax_focal'"
)
NO_OBJECT = (
    "border_weight must name the class of the objects under `of`, for a network has 2: person, car"
)
OF_TRAINING = [
    (
        "class_weights: median",
        "5:27: training.class_weights: must be median_frequency, a mapping of class names to "
        "weights, such as {car: 2.5}, or null; got median",
    ),
    (
        "class_weights: {car: 0}",
        "5:33: training.class_weights.car: car must have a weight above 0 and at most 1e+06, "
        "got 0",
    ),
    ("loss: dice, class_weights: {car: 2}", f"5:39: training.class_weights: {NO_EFFECT}"),
    (
        "class_weights: {cra: 2}",
        "5:28: training.class_weights.cra: unknown class 'cra'; did you mean 'car'?",
    ),
    (
        "class_weights: {zebra: 2}",
        "5:28: training.class_weights.zebra: unknown class 'zebra'; there are background, "
        "person, car",
    ),
    (
        "border_weight: {of: cra}",
        "5:32: training.border_weight.of: unknown class 'cra'; did you mean 'car'?",
    ),
    ("border_weight: {}", f"5:12: training.border_weight: {NO_OBJECT}"),
    (
        "border_weight: {of: car, sgima: 4}",
        "5:37: training.border_weight.sgima: unknown key 'sgima'; did you mean 'sigma'?",
    ),
]
OF_SINGLE_CLASSES = [
    (
        "class_weights: {car: 2}",
        f"5:28: training.class_weights.car: {NOT_IN_EVERY}name 'background' alone, or use "
        "median_frequency",
    ),
    (
        "border_weight: {of: car}",
        f"5:32: training.border_weight.of: {NOT_IN_EVERY}remove `of`: each network has one class",
    ),
]
OF_STAGES = [
    (
        "training.class_weights: [{cra: 2}, median_frequency]",
        f"10:39: {AT}.vary.training.class_weights.0: unknown class 'cra'; did you mean 'car'?",
    ),
    (
        "training.border_weight: [null, {of: car}, {of: bus}]",
        f"10:56: {AT}.vary.training.border_weight.2: unknown class 'bus'; there are background, "
        "person, car",
    ),
]


def text_of(study: str, training: str, data: str = SCENES) -> str:
    """Put classes that are known and training settings into the small study."""
    known = study.replace("dataset: none, classes: [person, car]", data)
    return known.replace("epochs: 2", training)


@pytest.mark.parametrize(("training", "message"), OF_TRAINING)
def test_a_wrong_weight_is_named_where_it_stands(
    problems: Callable[[str], list[str]], study_text: str, training: str, message: str
) -> None:
    assert problems(text_of(study_text, training)) == [message]


@pytest.mark.parametrize(("training", "message"), OF_SINGLE_CLASSES)
def test_networks_of_single_classes_know_the_background_and_their_class(
    problems: Callable[[str], list[str]], study_text: str, training: str, message: str
) -> None:
    assert problems(text_of(study_text, training, f"{SCENES}, {EACH}")) == [message]


@pytest.mark.parametrize(("vary", "message"), OF_STAGES)
def test_a_wrong_weight_in_a_stage_is_named_where_it_stands(
    problems: Callable[[str], list[str]], study_text: str, vary: str, message: str
) -> None:
    text = study_text.replace("training.learning_rate: [1e-3, 1e-4]", vary)
    assert problems(text_of(text, "epochs: 2")) == [message]


@pytest.mark.parametrize(
    ("training", "data"),
    [
        ("class_weights: {background: 0.2, car: 3}", SCENES),
        ("border_weight: {of: person}", SCENES),
        ("border_weight: {}", f"{SCENES}, {EACH}"),
        ("class_weights: {background: 0.2}, border_weight: {}", f"{SCENES}, {EACH}"),
    ],
)
def test_weights_of_classes_that_are_there_are_in_order(
    load: Callable[[str], object], study_text: str, training: str, data: str
) -> None:
    load(text_of(study_text, training, data))


def test_the_single_network_of_an_assembly_has_all_classes(
    problems: Callable[[str], list[str]], study_text: str
) -> None:
    text = text_of(study_text, "border_weight: {}", f"{SCENES}, {EACH}")
    text = text.replace("search:", "assembly: {single_network: true}\nsearch:")
    assert f"5:12: training.border_weight: {NO_OBJECT}" in problems(text)


@pytest.mark.parametrize("loss", ["cross_entropy", "lovasz_softmax"])
def test_a_threshold_of_a_softmax_is_refused(
    problems: Callable[[str], list[str]], study_text: str, loss: str
) -> None:
    text = study_text.replace("epochs: 2", f"loss: {loss}")
    text = text.replace("training.learning_rate: [1e-3, 1e-4]", "evaluation.threshold: [0.5]")
    assert problems(text) == [
        f"10:37: {AT}.vary.evaluation.threshold.0: a threshold has no effect with loss "
        f"'{loss}', where the most probable class wins; remove it, or use loss 'bce'"
    ]
