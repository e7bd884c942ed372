"""A page of several studies, and the links of a page that is shown inside MLflow."""

import html
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from reports.page import render
from reports.several.page import render_several
from trackers.records import StudyRecord

pytestmark = pytest.mark.browser
ADDRESS = "http://127.0.0.1:5000/#/experiments/1/runs/abc"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_of_several_studies_draws_fits_and_switches(
    browser: Browser, study: StudyRecord, tmp_path: Path, width: int
) -> None:
    file = tmp_path / "several.html"
    file.write_text(render_several([study, replace(study, name="other")]), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, offline=True)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    page.locator("#convergence").scroll_into_view_if_needed()
    page.wait_for_selector("#convergence svg.main-svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.click("[data-axis='device time']")
    title = page.evaluate("document.getElementById('convergence').layout.xaxis.title.text")
    assert title.endswith("taken so far")
    assert complaints == []
    page.close()


def test_in_a_sandbox_a_link_shows_the_address_of_the_run(
    browser: Browser, build: Callable[[int], StudyRecord], tmp_path: Path
) -> None:
    study = build(1)
    cell = replace(study.cells["le-0.001-1"], tracking_url=ADDRESS)
    report = render(replace(study, cells={**study.cells, cell.id: cell}))
    file = tmp_path / "frame.html"
    # As MLflow 3.17 shows an artifact.
    frame = '<iframe sandbox="allow-scripts" width="1200" height="800" srcdoc="{}"></iframe>'
    file.write_text(frame.format(html.escape(report)), encoding="utf-8")
    page = browser.new_page(offline=True)
    page.goto(file.as_uri())
    inside = page.frame_locator("iframe")
    inside.locator("a.run").first.click()
    inside.locator("output.address").wait_for()
    assert inside.locator("output.address").text_content() == ADDRESS
    page.close()
