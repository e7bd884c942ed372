"""Text that somebody put into a study is shown in its pages, and never becomes part of them."""

from collections import Counter
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from html.parser import HTMLParser
from typing import Any

import pytest

from reports.page import render
from trackers.records import StudyRecord

ATTACK = "\"'></script></title></textarea><xss-tag onload=alert(1)>{{7*7}}"
# Fields that programs read: one of a few words, where a file is, names of metrics, citations.
OF_PROGRAMS = {
    "metric",
    "metrics",
    "direction",
    "select_on",
    "task",
    "baselines",
    "files",
    "outcome",
    "kind",
    "interval",
    "class_metrics",
}


class _Page(HTMLParser):
    """Counts what a browser would make of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.schemes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a tag."""
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        addresses = [value or "" for name, value in attrs if name in ("href", "src")]
        self.schemes.update(each.partition(":")[0] for each in addresses if ":" in each)


@pytest.fixture(params=["study", "class_study"])
def record(request: pytest.FixtureRequest) -> StudyRecord:
    """Return each of the studies that pages are tested with."""
    found: StudyRecord = request.getfixturevalue(request.param)
    return found


def test_a_hostile_record_adds_no_tag_attribute_or_address(record: StudyRecord) -> None:
    harmless = _attacked(record, words="-more")  # classes that no cited number is of, either
    benign, hostile = _parsed(render(harmless)), _parsed(render(_attacked(record)))

    assert "xss-tag" not in hostile.tags
    assert hostile.tags["script"] == benign.tags["script"]
    assert hostile.attributes <= benign.attributes
    assert hostile.schemes <= benign.schemes


def test_an_attack_is_shown_as_the_text_that_it_is(record: StudyRecord) -> None:
    text = render(_attacked(record))

    assert "&lt;xss-tag onload=alert(1)&gt;{{7*7}}" in text
    assert "<xss-tag" not in text


def test_a_link_that_runs_something_is_no_link(study: StudyRecord) -> None:
    cells = {
        name: replace(cell, tracking_url="javascript:alert(1)")
        for name, cell in study.cells.items()
    }

    assert "javascript" not in _parsed(render(replace(study, cells=cells))).schemes


def _parsed(text: str) -> _Page:
    page = _Page()
    page.feed(text)
    page.close()
    return page


def _attacked(value: Any, field: str = "", *, words: str = ATTACK) -> Any:
    """Put words behind every text of a record, the same everywhere: ids stay equal."""
    if field in OF_PROGRAMS or isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return value + words if value else value
    if is_dataclass(value) and not isinstance(value, type):
        changes = {
            each.name: _attacked(getattr(value, each.name), each.name, words=words)
            for each in fields(value)
        }
        return replace(value, **changes)
    if isinstance(value, dict):
        has_paths = field in ("settings", "base", "vary", "varied", "held", "only", "brief")
        return {
            key if has_paths else _attacked(key, words=words): _attacked(each, words=words)
            for key, each in value.items()
        }
    if isinstance(value, tuple | list):
        return type(value)(_attacked(each, words=words) for each in value)
    return value
