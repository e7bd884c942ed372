"""A search of many configurations: the page shows the best, and all when it is asked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reports.many_rows import SHOWN_ROWS
from reports.templating import TEMPLATES
from trackers.records import CellRecord, StudyRecord

pytestmark = pytest.mark.browser
COUNT = 120


@pytest.fixture
def large_study(build: Callable[[int], StudyRecord]) -> StudyRecord:
    """The first stage of the street study, with many configurations of one seed."""
    study = build(1)
    stage, cells = study.stages[0], dict(study.cells)
    configurations = []
    for number in range(COUNT):
        rate = 1e-4 * (number + 1)
        pattern: CellRecord = study.cells["le-0.001-0"]
        score = 0.3 + number / 1000  # the last one is the best
        settings = {**pattern.settings, "training.learning_rate": rate}
        cells[f"c{number}"] = replace(
            pattern, id=f"c{number}", settings=settings, metrics={"val/iou": score}
        )
        known = replace(stage.configurations[0], id=f"1.{number + 1}", cells=(f"c{number}",))
        configurations.append(replace(known, varied={"training.learning_rate": rate}))
    stages = (replace(stage, configurations=tuple(configurations), decisions=()),)
    kept = {name: cell for name, cell in cells.items() if name.startswith("c")}
    return replace(study, stages=stages, cells=kept)


def test_a_long_table_shows_its_best_rows_until_all_are_asked_for(
    open_page: Callable[..., Any], large_study: StudyRecord
) -> None:
    opened = open_page(large_study)
    rows = opened.page.locator("section.stage table").first.locator("tbody tr:visible")
    assert rows.count() == SHOWN_ROWS
    assert "0.419" in rows.first.inner_text()
    opened.page.locator("section.stage table .sort", has_text="Mean").first.click()
    assert "0.300" in rows.first.inner_text()  # the worst, of those that were hidden
    assert rows.count() == SHOWN_ROWS
    opened.page.locator("section.stage [data-unfold]").first.click()
    assert rows.count() == COUNT
    assert opened.complaints == []


def test_who_looks_for_a_cell_finds_it_among_the_hidden(
    open_page: Callable[..., Any], large_study: StudyRecord
) -> None:
    opened = open_page(large_study)
    rows = opened.page.locator("#ledger-table tbody tr:visible")
    assert rows.count() == SHOWN_ROWS
    opened.page.fill("#ledger-find", "c117")
    assert rows.count() == 1


def test_many_configurations_are_drawn_as_a_crowd_behind_the_best(
    open_page: Callable[..., Any], large_study: StudyRecord
) -> None:
    opened = open_page(large_study)
    figure = "document.getElementById('curves-1-1-val-iou')"
    names = opened.value(f"{figure}.data.map((trace) => trace.name)")
    assert names[:3] == ["others", "seeds", "median of all"]
    assert sum(name.startswith("learning rate") for name in names) == 7
    before = opened.value(f"{figure}.querySelectorAll('path.js-line').length")
    assert before > COUNT - 7
    opened.page.locator(".legend button", has_text="all 120").first.click()
    assert opened.value(f"{figure}.querySelectorAll('path.js-line').length") < 20


def test_the_style_sheet_hides_what_is_behind_the_shown_rows() -> None:
    assert f"nth-child(n + {SHOWN_ROWS + 1})" in (TEMPLATES / "style.css").read_text()
