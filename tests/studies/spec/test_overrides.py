"""`--set path=value`: what it reaches, and what is said of a bad one."""

from collections.abc import Callable
from typing import Any

import pytest

from studies.spec.load import LoadedStudy

Load = Callable[..., LoadedStudy]
Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("override", "keys", "value"),
    [
        ("training.epochs=3", ("training", "epochs"), 3),
        ("training.learning_rate=1e-4", ("training", "learning_rate"), 1e-4),
        ("data.classes=[car]", ("data", "classes"), ["car"]),
        ("budget.study.epochs=9", ("budget", "study", "epochs"), 9),
        ("training.momentum=", ("training", "momentum"), None),
        ("search.replicates=2", ("search", "replicates"), 2),
        ("search.tree.0.beam=2", ("search", "tree", 0, "beam"), 2),
        ("search.tree.learning rate.beam=2", ("search", "tree", 0, "beam"), 2),
        (
            "search.tree.0.vary.training.learning_rate=[1]",
            ("search", "tree", 0, "vary"),
            {"training.learning_rate": [1]},
        ),
    ],
)
def test_an_override_replaces_a_value(
    load: Load, study_text: str, override: str, keys: tuple[str | int, ...], value: object
) -> None:
    study = load(study_text, overrides=[override])

    found: Any = study.resolved
    for key in keys:
        found = found[key]
    assert found == value
    assert study.overrides == (override,)
    assert study.text == study_text


def test_the_last_override_of_a_value_counts(load: Load, study_text: str) -> None:
    study = load(study_text, overrides=["training.epochs=3", "training.epochs=4"])

    assert study.spec.training.epochs == 4


def test_a_problem_of_an_override_names_the_override(problems: Problems, study_text: str) -> None:
    assert problems(study_text, overrides=["data.image_size=150", "training.epoch=3"]) == [
        "--set data.image_size=150: data.image_size: image size of unet must be a multiple of "
        "16 (4 poolings of 2), got 150; use 144 or 160",
        "--set training.epoch=3: training.epoch: unknown key 'epoch'; did you mean 'epochs'?",
    ]


def test_an_override_mends_a_mistake_of_the_file(load: Load, study_text: str) -> None:
    text = study_text.replace("dataset: none", "dataset: street_scenes, drawn_in: '${NOWHERE}'")

    load(text, overrides=["data.drawn_in=null"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.epochs",
            "must be written path=value, e.g. --set training.epochs=3",
        ),
        ("training.epochs=[", "the value must be YAML: "),
        ("training.epochs=\x01", "the value must be YAML: unacceptable character #x0001"),
        ("training.epochs=2020-13-45", "the value must be YAML: month must be in 1..12"),
        ("study.name=x", "'study' is a single value and has no 'name'"),
        (
            "search.tree.3.beam=1",
            "no item '3' in 'tree'; use an index below 1, or one of 'learning rate'",
        ),
    ],
)
def test_an_override_that_leads_nowhere_says_why(
    problems: Problems, study_text: str, override: str, message: str
) -> None:
    found = problems(study_text, overrides=[override])

    assert len(found) == 1
    assert found[0].startswith(f"--set {override}: {message}")
