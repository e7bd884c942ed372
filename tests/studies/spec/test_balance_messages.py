"""Balanced classes in a study whose samples have several."""

from collections.abc import Callable

import pytest

from studies.spec.load import LoadedStudy
from studies.spec.problems import StudyFileError

STUDY = """\
study: demo
task: {task}
data: {{dataset: none, classes: [a, b]{balance}}}
model: {{name: constant{model}}}
objective: {{metric: val/{metric}}}
search: {{tree: [{{stage: balance, vary: {{{vary}}}}}]}}
"""
BOXES = {"task": "object_detection", "model": "_boxes", "metric": "ap"}
CLASSES = {"task": "image_classification", "model": "", "metric": "top1"}
VARIED = "data.balance: [none, over_sampling]"
SIZES = "data.image_size: [32, 64]"


def mistake(load: Callable[..., LoadedStudy], **parts: str) -> str:
    with pytest.raises(StudyFileError) as caught:
        load(STUDY.format(**{**BOXES, "balance": "", "vary": SIZES, **parts}))
    return str(caught.value)


def test_a_base_that_balances_boxes_is_refused(load: Callable[..., LoadedStudy]) -> None:
    message = mistake(load, balance=", balance: over_sampling")
    assert "needs a sample to have one class" in message
    assert "with task 'object_detection' use none, and weigh classes in the loss" in message


def test_a_stage_that_balances_boxes_is_refused(load: Callable[..., LoadedStudy]) -> None:
    assert "needs a sample to have one class" in mistake(load, vary=VARIED)


def test_classes_of_pictures_can_be_balanced(load: Callable[..., LoadedStudy]) -> None:
    parts = {**CLASSES, "balance": ", balance: under_sampling", "vary": VARIED}
    assert load(STUDY.format(**parts)).spec.data.balance == "under_sampling"
