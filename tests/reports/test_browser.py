"""The page as a person meets it: opened from disk, network off, in a real browser."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from reports.page import render
from trackers.records import StudyRecord

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OpenPage = Callable[..., "Opened"]


class Opened:
    """A page with everything that it complained about or asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def value(self, script: str) -> Any:
        return self.page.evaluate(script)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: install Debian's chromium to test the page")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    opened = []

    def open_study(study: StudyRecord, *, width: int = 1280, scheme: str = "light") -> Opened:
        file = tmp_path / "report.html"
        file.write_text(render(study, generated_at="1 January 2026"), encoding="utf-8")
        options: dict[str, Any] = {"viewport": {"width": width, "height": 800}}
        context = browser.new_context(offline=True, color_scheme=scheme, **options)  # type: ignore[arg-type]
        opened.append(context)
        made = Opened(context.new_page())
        made.page.goto(file.as_uri())
        made.page.wait_for_selector("#tree-0 svg.main-svg")
        return made

    yield open_study
    for context in opened:
        context.close()


def drawn(opened: Opened) -> dict[str, tuple[int, int, int]]:
    """Width, height and drawn lines of every visible figure."""
    script = """() => Object.fromEntries([...document.querySelectorAll(".plot-area")]
        .filter((area) => area.offsetParent !== null)
        .map((area) => {
            const box = area.querySelector("svg.main-svg").getBoundingClientRect();
            const lines = area.querySelectorAll("path.js-line").length;
            return [area.id, [box.width, box.height, lines]];
        }))"""
    found: dict[str, tuple[int, int, int]] = opened.value(script)
    return found


def test_the_page_opens_quietly_and_asks_for_nothing(
    open_page: OpenPage, study: StudyRecord
) -> None:
    opened = open_page(study)
    assert opened.complaints == []
    assert [
        url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))
    ] == []


def test_tree_and_curves_are_visible(open_page: OpenPage, study: StudyRecord) -> None:
    figures = drawn(open_page(study))
    assert {"tree-0", "curves-1-1-val-iou", "curves-2-1-val-loss", "response-4"} <= set(figures)
    for name, (width, height, lines) in figures.items():
        assert width > 200, name
        assert height > 150, name
        assert lines > 0, name


@pytest.mark.parametrize("name", ["study", "class_study"])
def test_nothing_overflows_a_phone(
    open_page: OpenPage, name: str, request: pytest.FixtureRequest
) -> None:
    opened = open_page(request.getfixturevalue(name), width=390)
    assert opened.value("document.documentElement.scrollWidth") == 390
    assert opened.complaints == []


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
    assert "tree-1" not in drawn(opened)
    opened.page.click("[data-panel='panel-tree-2']")
    figures = drawn(opened)
    assert "tree-0" not in figures
    assert figures["tree-1"][0] > 500


def test_the_legend_hides_a_configuration_everywhere(
    open_page: OpenPage, study: StudyRecord
) -> None:
    opened = open_page(study)
    before = drawn(opened)
    opened.page.locator(".legend button").first.click()
    after = drawn(opened)
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


def add_files(study: StudyRecord, folder: Path) -> StudyRecord:
    """Let every winner have kept curves of one network and a matrix of another."""
    ramp = [step / 98 for step in range(99)]
    curve = {"precision": ramp, "recall": ramp[::-1], "iou": ramp, "average_precision": 0.5}
    kept = {
        "curves_val": {"thresholds": ramp, "classes": {"car": curve, "bus": curve}, "mean": curve},
        "confusion_val": {"labels": list("abcdefghijk"), "matrix": np.eye(11, dtype=int).tolist()},
    }
    classes = {name: {"videos": 4, "recall": 0.5, "precision": 0.5} for name in "abcdefgh"}
    kept["class_scores_val"] = {"videos": 32, "clips_per_video": [3], "classes": classes}
    files = {}
    for role, content in kept.items():
        file = folder / f"{role}.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        files[role] = str(file)
    cells = {name: replace(cell, files=files) for name, cell in study.cells.items()}
    return replace(study, cells=cells)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_curves_and_confusions_fit_a_phone(
    open_page: OpenPage, study: StudyRecord, tmp_path: Path, scheme: str
) -> None:
    opened = open_page(add_files(study, tmp_path), width=390, scheme=scheme)
    figures = drawn(opened)
    assert {"thresholds-1-iou", "thresholds-1-precision-recall", "confusion-1"} <= set(figures)
    assert figures["actions-1-recall"][0] <= 390
    assert figures["thresholds-1-iou"][2] > 0
    assert opened.value("document.documentElement.scrollWidth") == 390
    opened.page.click("[data-panel='panel-thresholds-3']")
    assert "thresholds-3-iou" in drawn(opened)
    assert opened.complaints == []
