"""The JSON Schema says the same as the loader, as far as a schema can."""

from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from studies.spec.document import parse_value
from studies.spec.json_schema import study_schema


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(study_schema())


def test_it_is_a_valid_schema_of_its_dialect() -> None:
    Draft202012Validator.check_schema(study_schema())


def test_a_study_is_valid(validator: Draft202012Validator, study_text: str) -> None:
    validator.validate(parse_value(study_text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("epochs: 2", "epoch: 2"),
        ("epochs: 2", "epochs: many"),
        ("epochs: 2", "learning_rate: 0"),
        ("name: unet", "name: unett"),
        ("name: unet", "name: noop"),
        ("dataset: none", "dataset: coco"),
        ("[1e-3, 1e-4]", "[]"),
        ("[1e-3, 1e-4]", "{low: 1}"),
        ("{training.learning_rate: [1e-3, 1e-4]}", "{}"),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(
    validator: Draft202012Validator,
    problems_after: Callable[[str, str], list[str]],
    study_text: str,
    old: str,
    new: str,
) -> None:
    assert problems_after(old, new)
    assert not validator.is_valid(parse_value(study_text.replace(old, new)))


def test_every_setting_says_what_it_means() -> None:
    silent = [
        f"{name}.{field}"
        for name, part in study_schema()["$defs"].items()
        for field, about in part.get("properties", {}).items()
        if "description" not in about and "const" not in about
    ]

    assert silent == []
