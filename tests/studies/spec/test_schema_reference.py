"""The reference that people read says what the schema says."""

import re
from pathlib import Path

import pytest

from studies.spec.json_schema import study_schema
from studies.spec.schema_reference import schema_reference

FILE = Path(__file__).parents[3] / "docs" / "study_file.md"


@pytest.fixture(scope="module")
def reference() -> str:
    return schema_reference()


def test_the_committed_reference_is_current(reference: str) -> None:
    assert FILE.read_text(encoding="utf-8") == reference, (
        "the study file changed; run: visionstudy schema --reference -o docs/study_file.md"
    )


def test_every_field_of_the_schema_has_a_row(reference: str) -> None:
    rows = set(re.findall(r"^\| `([^`]+)` \|", reference, re.M))
    schema = study_schema()
    every = [schema, *schema["$defs"].values()]
    fields = {name for each in every for name in each.get("properties", {})}
    assert fields <= rows


def test_every_link_leads_to_one_heading(reference: str) -> None:
    anchors = re.findall(r"\{ #(\S+) \}", reference)
    assert len(anchors) == len(set(anchors))
    links = set(re.findall(r"\]\(#([^)]+)\)", reference))
    assert links
    assert links <= set(anchors)


def test_every_row_has_four_cells(reference: str) -> None:
    rows = [line for line in reference.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert "<" not in re.sub(r"`[^`]*`", "", reference)
