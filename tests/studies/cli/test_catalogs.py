"""`models list|show` and `data list`."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from data_pipeline.catalog import DATASETS
from models.catalog import MODELS

Visionstudy = Callable[..., Result]


@pytest.mark.parametrize(("group", "catalog"), [("models", MODELS), ("data", DATASETS)])
def test_a_list_holds_every_entry(
    visionstudy: Visionstudy, group: str, catalog: dict[str, object]
) -> None:
    lines = visionstudy(group, "list").output.splitlines()
    entries = json.loads(visionstudy(group, "list", "--json").output)

    assert [line.split()[0] for line in lines] == list(catalog)
    assert [entry["name"] for entry in entries] == list(catalog)
    assert all(entry["tasks"] and entry["summary"] for entry in entries)


@pytest.mark.parametrize(
    "classes",
    [2, pytest.param(300, marks=pytest.mark.slow)],  # as the catalog states it, and counted
)
def test_a_model_is_shown_with_its_exact_parameters(
    visionstudy: Visionstudy, classes: int
) -> None:
    result = visionstudy("models", "show", "unet", "--classes", str(classes), "--json")

    facts = json.loads(result.output)
    # 31,031,745 with one class; each more has 64 weights and a bias
    assert facts["parameters"] == 31_031_745 + 65 * (classes - 1)
    assert facts["name"] == "unet"
    assert facts["tasks"] == ["semantic_segmentation"]
    assert facts["classes"] == classes
    depth = next(setting for setting in facts["settings"] if setting["name"] == "depth")
    assert depth == {"name": "depth", "default": 4, "description": "Number of 2x2 poolings."}


def test_the_background_of_a_detector_is_counted(visionstudy: Visionstudy) -> None:
    result = visionstudy("models", "show", "yolov3", "--classes", "80", "--json")

    assert json.loads(result.output)["parameters"] == 61_949_149


def test_a_model_is_shown_in_words(visionstudy: Visionstudy) -> None:
    text = visionstudy("models", "show", "unet").output

    assert "parameters  31,031,745 with 1 class\n" in text
    assert "  depth = 4: Number of 2x2 poolings.\n" in text


def test_a_model_without_a_network_has_no_parameters(visionstudy: Visionstudy) -> None:
    assert json.loads(visionstudy("models", "show", "noop", "--json").output)["parameters"] is None
    assert "parameters  none (no network)" in visionstudy("models", "show", "noop").output


def test_an_unknown_model_ends_with_a_suggestion(visionstudy: Visionstudy) -> None:
    result = visionstudy("models", "show", "unett")

    assert result.exit_code == 2
    assert result.stderr == (
        f"unknown model 'unett'; did you mean 'unet'? ({len(MODELS)} models: "
        "visionstudy models list)\n"
    )
