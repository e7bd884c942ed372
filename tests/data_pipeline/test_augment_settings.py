"""What a study may say under data.augment and data.normalize."""

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from data_pipeline.transforms.changes import DRAWS
from data_pipeline.transforms.settings import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    NAMES,
    AnyAugmentation,
    Augmentation,
    AugmentationName,
    Normalization,
    Normalize,
    Rotate,
)

ONE: TypeAdapter[AnyAugmentation] = TypeAdapter(Augmentation)
NORMALIZE: TypeAdapter[Normalization | None] = TypeAdapter(Normalize)


def mistake(value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ONE.validate_python(value)
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize("name", NAMES)
def test_a_bare_name_is_the_mapping_with_all_defaults(name: str) -> None:
    assert ONE.validate_python(name) == ONE.validate_python({"name": name})


def test_every_augmentation_has_its_name_and_its_draw() -> None:
    members = get_args(AnyAugmentation)
    assert tuple(member.model_fields["name"].default for member in members) == NAMES
    assert get_args(AugmentationName) == NAMES
    assert set(DRAWS) == set(members)


def test_settings_survive_being_written_and_read() -> None:
    settings = ONE.validate_python({"name": "scale", "factor": [0.5, 2]})
    assert ONE.validate_python(settings.model_dump()) == settings
    assert ONE.validate_python(settings.model_dump(mode="json")) == settings
    assert ONE.validate_python(settings) == settings


@pytest.mark.parametrize(
    "value",
    [
        {"name": "horizontal_flip", "p": 1.5},
        {"name": "rotate", "degrees": 0},
        {"name": "rotate", "degrees": 181},
        {"name": "random_crop", "padding": 2.5},
        {"name": "random_resized_crop", "scale": [0, 1]},
        {"name": "scale", "factor": [1, 100]},
        {"name": "shift", "fraction": 1},
        {"name": "color_jitter", "hue": 0.6},
        {"name": "blur", "sigma": [0, 1]},
        {"name": "cutout", "size": 1.5},
        {"name": "pca_color", "std": 0},
        {"name": "random_erasing", "scale": [0.5, 1.1]},
        {"name": "elastic", "grid": 1},
        {"name": "local_warp", "strength": 0.3},
    ],
)
def test_values_out_of_range_are_refused(value: dict[str, Any]) -> None:
    mistake(value)


def test_a_range_must_be_two_numbers_in_order() -> None:
    assert "must be two numbers" in mistake({"name": "blur", "sigma": 1})
    assert "least first, got [2, 1]" in mistake({"name": "blur", "sigma": [2, 1]})


def test_parameters_beside_no_name_are_shown_how_to_be_written() -> None:
    assert "{name: rotate, …}" in mistake({"rotate": {"degrees": 5}})


def test_imagenet_is_short_for_its_numbers() -> None:
    numbers = {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}
    assert NORMALIZE.validate_python("imagenet") == NORMALIZE.validate_python(numbers)
    assert NORMALIZE.validate_python(None) is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Rotate().degrees = 3.0  # type: ignore[misc]
