"""Balanced classes in a study whose samples have several."""

from collections.abc import Callable

import pytest

from studies.spec.load import LoadedStudy
from studies.spec.problems import StudyFileError

STUDY = """\
study: demo
task: {task}
data: {{dataset: none, classes: [a, b]{balance}}}
training: {{epochs: 2{weights}}}
model: {{{model}}}
objective: {{metric: val/{metric}}}
search: {{tree: [{{stage: balance, vary: {{{vary}}}}}]}}
"""
BOXES = {"task": "object_detection", "model": "name: constant_boxes", "metric": "ap"}
CLASSES = {
    "task": "image_classification",
    "model": "name: small_cnn, filters: 8, depth: 2, hidden_units: 16",
    "metric": "top1",
}
VARIED = "data.balance: [none, over_sampling]"
SIZES = "data.image_size: [32, 64]"


def mistake(load: Callable[..., LoadedStudy], **parts: str) -> str:
    with pytest.raises(StudyFileError) as caught:
        load(STUDY.format(**{**BOXES, "balance": "", "weights": "", "vary": SIZES, **parts}))
    return str(caught.value)


def test_a_base_that_balances_boxes_is_refused(load: Callable[..., LoadedStudy]) -> None:
    message = mistake(load, balance=", balance: over_sampling")
    assert "needs a sample to have one class" in message
    assert "with task 'object_detection' use none, and weigh classes in the loss" in message


def test_a_stage_that_balances_boxes_is_refused(load: Callable[..., LoadedStudy]) -> None:
    assert "needs a sample to have one class" in mistake(load, vary=VARIED)


def test_classes_of_pictures_can_be_balanced(load: Callable[..., LoadedStudy]) -> None:
    parts = {**CLASSES, "weights": "", "balance": ", balance: under_sampling", "vary": VARIED}
    assert load(STUDY.format(**parts)).spec.data.balance == "under_sampling"


COUNTED = ", class_weights: median_frequency"
TWICE = (
    "balance 'over_sampling' shows every class alike, and training.class_weights: "
    "median_frequency weighs the rare ones more on top of that, which corrects twice; "
    "set data.balance: none, or training.class_weights: null"
)


def test_a_base_that_corrects_unequal_classes_twice_is_refused(
    load: Callable[..., LoadedStudy],
) -> None:
    message = mistake(load, **CLASSES, balance=", balance: over_sampling", weights=COUNTED)
    assert f"3:49: data.balance: {TWICE}" in message


@pytest.mark.parametrize(
    ("balance", "weights", "vary"),
    [
        ("", COUNTED, VARIED),
        (", balance: over_sampling", "", "training.class_weights: [null, median_frequency]"),
    ],
)
def test_a_stage_that_corrects_unequal_classes_twice_is_refused(
    balance: str, weights: str, vary: str, load: Callable[..., LoadedStudy]
) -> None:
    assert TWICE in mistake(load, **CLASSES, balance=balance, weights=weights, vary=vary)


def test_weights_by_name_may_stand_beside_a_balance(load: Callable[..., LoadedStudy]) -> None:
    weights = ", class_weights: {a: 2}"
    parts = {**CLASSES, "weights": weights, "balance": ", balance: over_sampling", "vary": SIZES}
    assert load(STUDY.format(**parts)).spec.training.class_weights == {"a": 2}
