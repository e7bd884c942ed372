"""A table that tries to be a program in every format, and a page as the templates write one."""

from dataclasses import replace

import pytest

from reports.exports.blocks import Table
from reports.exports.documents import Page, study_page
from trackers.records import StudyRecord

MOMENT = "1 February 2026, 12:00 UTC"
HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    r"\input{/etc/passwd}",
    "a|b `code` *bold* [link](http://example.org) $x^2$",
    "100 % & 50 # of_it ~ {x}",
    "[1] \"quoted\" 'single' -- ,, << >>",
    "smile \N{GRINNING FACE} \N{ARABIC LETTER SEEN}\N{ARABIC LETTER LAM} café µs ≤ 3 ± 1",
    "* \N{RIGHT-TO-LEFT OVERRIDE}turned \N{BELL}",
    "=HYPERLINK(1)",
)


@pytest.fixture
def hostile_table() -> Table:
    rows = tuple((name, "\N{MINUS SIGN}0.034") for name in HOSTILE_NAMES)
    return Table("hostile", r"Names & \titles", ("Name | of", "Change_1"), rows, ("50 % of it.",))


@pytest.fixture(scope="session")
def composed() -> dict[str, Page]:
    """Pages that some test composed already: they take a second each and never change."""
    return {}


@pytest.fixture
def page(study: StudyRecord, composed: dict[str, Page]) -> Page:
    if study.name not in composed:
        composed[study.name] = study_page(study, generated_at=MOMENT)
    return composed[study.name]


@pytest.fixture
def hostile_page(study: StudyRecord) -> Page:
    """A report whose study, stages and machine have names that try to be programs."""
    strange = " ".join(HOSTILE_NAMES)
    stages = [
        replace(
            stage,
            name=f"{stage.name} {strange}",
            decisions=tuple(replace(d, stage=f"{d.stage} {strange}") for d in stage.decisions),
        )
        for stage in study.stages
    ]
    changed = replace(study, name=strange, description=strange, environment={strange: strange})
    return study_page(replace(changed, stages=tuple(stages)), generated_at=MOMENT)
