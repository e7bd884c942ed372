"""Random changes and normalising as settings of a study: varied, compared, fingerprinted."""

from collections.abc import Callable

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from studies.spec.document import parse_value
from studies.spec.json_schema import study_schema
from studies.spec.load import LoadedStudy
from studies.spec.schema import CellSettings
from studies.spec.settings import base_settings, fingerprint, flatten, with_changes

LEARNING_RATES = "training.learning_rate: [1e-3, 1e-4]"
SPELLED_OUT = {"name": "horizontal_flip", "p": 0.5}
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def hashed(settings: CellSettings) -> str:
    return fingerprint(settings, seed=0, data="x")


@pytest.fixture
def base(load: Callable[[str], LoadedStudy], study_text: str) -> CellSettings:
    return base_settings(load(study_text).spec)


@pytest.mark.parametrize(
    ("path", "short", "long"),
    [
        ("data.augment", ["horizontal_flip"], [SPELLED_OUT]),
        ("data.augment", ["horizontal_flip"], [{"name": "horizontal_flip"}]),
        ("data.augment", [{"name": "rotate", "degrees": 5}], [{"name": "rotate", "degrees": 5.0}]),
        ("data.normalize", "imagenet", IMAGENET),
    ],
)
def test_two_spellings_of_a_setting_have_one_fingerprint(
    base: CellSettings, path: str, short: object, long: object
) -> None:
    first, second = (with_changes(base, {path: value}) for value in (short, long))
    assert hashed(first) == hashed(second) != hashed(base)
    assert flatten(first) == flatten(second)


def test_parameters_order_and_normalising_change_the_fingerprint(base: CellSettings) -> None:
    changes: list[dict[str, object]] = [
        {},
        {"data.augment": ["blur", "cutout"]},
        {"data.augment": ["cutout", "blur"]},
        {"data.augment": [{"name": "cutout", "size": 0.3}, "blur"]},
        {"data.normalize": "imagenet"},
        {"data.normalize": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}},
    ]
    assert len({hashed(with_changes(base, change)) for change in changes}) == len(changes)


def test_settings_survive_a_change_of_another_one(base: CellSettings) -> None:
    first = with_changes(base, {"data.augment": ["elastic"], "data.normalize": "imagenet"})
    again = with_changes(first, {"training.epochs": 3})
    assert again.data.augment == first.data.augment
    assert again.data.normalize == first.data.normalize


@pytest.mark.parametrize(
    "varied",
    [
        "data.augment: [[], [horizontal_flip], [horizontal_flip, {name: rotate, degrees: 15}]]",
        "data.normalize: [null, imagenet]",
    ],
)
def test_a_stage_may_vary_them(
    load: Callable[[str], LoadedStudy], study_text: str, varied: str
) -> None:
    (values,) = load(study_text.replace(LEARNING_RATES, varied)).spec.search.tree[0].vary.values()
    assert isinstance(values, list)


def test_two_spellings_of_a_value_are_found_among_varied_ones(
    problems_after: Callable[[str, str], list[str]],
) -> None:
    varied = "data.augment: [[horizontal_flip], [{name: horizontal_flip}]]"
    assert problems_after(LEARNING_RATES, varied) == [
        "10:48: search.tree.0.vary.data.augment.1: value a list of 1 is there twice; remove one"
    ]


def test_a_mistake_in_a_varied_value_is_named_where_it_stands(
    problems_after: Callable[[str, str], list[str]],
) -> None:
    found = problems_after(LEARNING_RATES, "data.augment: [[], [horizontal_flop]]")
    assert [line.split("; ", 1)[1] for line in found] == [
        "got 'horizontal_flop'; did you mean 'horizontal_flip'?"
    ]
    assert found[0].startswith("10:33: search.tree.0.vary.data.augment.1: must be one of")


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("augment: [horizontal_flip, {name: rotate, degrees: 5}]", True),
        ("augment: [{name: scale, factor: [0.5, 2]}]", True),
        ("augment: [horizontal_flop]", False),
        ("augment: [{name: rotate, degres: 5}]", False),
        ("augment: [{degrees: 5}]", False),
        ("augment: [{name: rotate, degrees: 500}]", False),
        ("normalize: imagenet", True),
        ("normalize: null", True),
        ("normalize: {mean: [0, 0, 0], std: [1, 1, 1]}", True),
        ("normalize: imagnet", False),
        ("normalize: {mean: [0, 0, 0]}", False),
    ],
)
def test_editors_are_told_the_same(study_text: str, text: str, is_valid: bool) -> None:
    study = parse_value(study_text.replace("image_size: 64", text))
    assert Draft202012Validator(study_schema()).is_valid(study) is is_valid
