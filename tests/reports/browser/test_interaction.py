"""What a reader does with a page: switch, hide, filter, sort, print."""

from collections.abc import Callable
from typing import Any

import pytest

from trackers.records import StudyRecord

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Any]


def test_tree_and_curves_are_visible(open_page: OpenPage, study: StudyRecord) -> None:
    figures = open_page(study).drawn
    assert {"tree-0", "curves-1-1-val-iou", "curves-2-1-val-loss", "response-4"} <= set(figures)
    for name, (width, height, lines) in figures.items():
        assert width > 200, name
        assert height > 150, name
        assert lines > 0 or not name.startswith(("tree", "curves", "response")), name


def test_dark_mode_changes_page_and_figures(open_page: OpenPage, study: StudyRecord) -> None:
    opened = open_page(study)
    script = """() => [getComputedStyle(document.body).backgroundColor,
        document.querySelector("#tree-0 .annotation-text, #tree-0 .annotation text").style.fill]"""
    light = opened.value(script)
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_function(
        f"before => ({script})().every((colour, index) => colour !== before[index])", arg=light
    )
    assert light[0] == "rgb(255, 255, 255)"
    assert opened.complaints == []


def test_curves_switch_to_wall_time(open_page: OpenPage, study: StudyRecord) -> None:
    opened = open_page(study)
    first = "document.getElementById('curves-1-1-val-iou')"
    before = opened.value(f"{first}.data[0].x")
    opened.page.locator("[data-axis='wall time']").first.click()
    after = opened.value(f"{first}.data[0].x")
    assert before != after
    assert opened.value(f"{first}.layout.xaxis.title.text") == "training time, seconds"


def test_a_class_switch_draws_the_hidden_tree(
    open_page: OpenPage, class_study: StudyRecord
) -> None:
    opened = open_page(class_study)
    assert "tree-1" not in opened.drawn
    opened.page.click("[data-panel='panel-tree-2']")
    figures = opened.drawn
    assert "tree-0" not in figures
    assert figures["tree-1"][0] > 500


def test_the_legend_hides_a_configuration_everywhere(
    open_page: OpenPage, study: StudyRecord
) -> None:
    opened = open_page(study)
    before = opened.drawn
    opened.page.locator(".legend button").first.click()
    after = opened.drawn
    for metric in ("val-iou", "val-loss", "train-loss"):
        assert after[f"curves-1-1-{metric}"][2] < before[f"curves-1-1-{metric}"][2]
    assert after["curves-2-1-val-iou"] == before["curves-2-1-val-iou"]


def test_the_ledger_filters_and_sorts(open_page: OpenPage, study: StudyRecord) -> None:
    opened = open_page(study)
    rows = opened.page.locator("#ledger-table tbody tr:visible")
    assert rows.count() == 39
    opened.page.click("[data-outcome='failed']")
    assert rows.count() == 1
    opened.page.click("[data-outcome='']")
    opened.page.fill("#ledger-find", "adamw")
    assert rows.count() == 3
    opened.page.fill("#ledger-find", "")
    head = opened.page.locator("#ledger-table .sort", has_text="validation IoU")
    head.click()
    head.click()
    assert opened.page.locator("#ledger-table [aria-sort='descending']").count() == 1
    best = max(c.metrics.get("val/iou", 0.0) for c in study.cells.values())
    assert f"{best:.3f}" in rows.first.inner_text()


def test_printing_shows_every_class(open_page: OpenPage, class_study: StudyRecord) -> None:
    opened = open_page(class_study)
    opened.page.pdf()
    hidden = "[...document.querySelectorAll('.plot-area')].filter((a) => !a.dataset.drawn).length"
    assert opened.value(hidden) == 0
    assert opened.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_curves_and_confusions_fit_a_phone(
    open_page: OpenPage, segmentation_study: StudyRecord, scheme: str
) -> None:
    opened = open_page(segmentation_study, width=390, scheme=scheme)
    figures = opened.drawn
    assert {"thresholds-1-iou", "thresholds-1-precision-recall", "confusion-1"} <= set(figures)
    assert figures["thresholds-1-iou"][2] > 0
    opened.page.click("[data-panel='panel-thresholds-3']")
    assert "thresholds-3-iou" in opened.drawn
    assert opened.complaints == []
