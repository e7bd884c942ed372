"""What `config.yaml` of a run says is what the cell was trained with."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from studies.running.settings_yaml import settings_yaml
from studies.spec.load import load_study
from studies.spec.settings import base_settings

LIBRARY = Path(__file__).parents[3] / "studies" / "library"
TEXT = st.text(st.characters(codec="utf-8"))
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9), TEXT
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@given(st.dictionaries(TEXT, VALUES, max_size=4))
def test_any_settings_are_read_back_as_they_were(settings: dict[str, Any]) -> None:
    assert read(settings_yaml(settings)) == settings


def test_a_study_we_ship_reads_like_a_study_file() -> None:
    settings = base_settings(load_study(LIBRARY / "quickstart.yaml").spec).model_dump(mode="json")
    text = settings_yaml(settings)
    assert 'training:\n  optimizer: "adam"\n' in text
    assert read(text) == settings


@pytest.mark.parametrize("name", ["yes", "on", "12", "null", "a: b", "- c", "é"])
def test_names_are_names_whatever_they_look_like(name: str) -> None:
    assert read(settings_yaml({name: {"x": 1}})) == {name: {"x": 1}}
