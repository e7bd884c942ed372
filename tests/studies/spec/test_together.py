"""Lists of a stage that are gone through side by side."""

from collections.abc import Callable

import pytest

from studies.spec.diff import classify_changes
from studies.spec.load import LoadedStudy
from studies.tree.stages import stages_of

Load = Callable[..., LoadedStudy]
SWEEP = "vary: {training.learning_rate: [1e-3, 1e-4]}"
PAIRS = "vary: {data.image_size: [64, 128], training.batch_size: [8, 2]}"
AT = "search.tree.0"


def test_first_goes_with_first_and_second_with_second(load: Load, study_text: str) -> None:
    (stage,) = stages_of(load(study_text.replace(SWEEP, f"{PAIRS}\n      together: true")).spec)
    assert list(stage.combinations()) == [
        {"data.image_size": 64, "training.batch_size": 8},
        {"data.image_size": 128, "training.batch_size": 2},
    ]
    assert stage.candidates_per_branch == 2


def test_without_it_every_combination_is_tried(load: Load, study_text: str) -> None:
    (stage,) = stages_of(load(study_text.replace(SWEEP, PAIRS)).spec)
    assert stage.candidates_per_branch == len(list(stage.combinations())) == 4


def test_only_what_is_tried_has_to_be_valid(load: Load, study_text: str) -> None:
    """Momentum is refused with adam; sgd has it here, and adam has none."""
    momentum = "vary: {training.optimizer: [adam, sgd], training.momentum: [null, 0.9]}"
    text = study_text.replace(SWEEP, f"{momentum}\n      together: true")
    (stage,) = stages_of(load(text).spec)
    assert stage.candidates_per_branch == 2


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (
            "{data.image_size: [64, 128], training.batch_size: [8]}",
            f"10:42: {AT}.vary.training.batch_size: must have 2 values, as many as "
            "'data.image_size', with which it goes `together`, got 1; add or remove some",
        ),
        (
            "{data.image_size: [64, 128]}",
            f"11:7: {AT}.together: 'together' needs two lists or more, and no range; give them, "
            "or remove it",
        ),
        (
            "{data.image_size: [64, 64], training.batch_size: [8, 8]}",
            f"10:36: {AT}.vary.data.image_size.1: these values are there together twice; remove "
            "one of each list",
        ),
        (
            "{data.image_size: [64, 150], training.batch_size: [8, 2]}",
            f"10:36: {AT}.vary.data.image_size.1: image size of unet must be a multiple of 16 "
            "(4 poolings of 2), got 150; use 144 or 160",
        ),
    ],
)
def test_lists_that_cannot_go_together_are_refused(
    problems: Callable[..., list[str]], study_text: str, vary: str, message: str
) -> None:
    assert problems(study_text.replace(SWEEP, f"vary: {vary}\n      together: true")) == [message]


def test_going_on_side_by_side_is_another_study(load: Load, study_text: str) -> None:
    before = load(study_text.replace(SWEEP, PAIRS)).spec
    after = load(study_text.replace(SWEEP, f"{PAIRS}\n      together: true")).spec
    (change,) = classify_changes(before.model_dump(mode="json"), after.model_dump(mode="json"))
    assert (change.path, change.kind) == ("search.tree.learning rate.together", "refused")


def test_a_further_pair_extends_a_study(load: Load, study_text: str) -> None:
    more = "vary: {data.image_size: [64, 128, 256], training.batch_size: [8, 2, 1]}"
    texts = [study_text.replace(SWEEP, f"{each}\n      together: true") for each in (PAIRS, more)]
    before, after = (load(text).spec.model_dump(mode="json") for text in texts)
    assert {change.kind for change in classify_changes(before, after)} == {"extends"}
