"""MLflow's own pages in a real browser: what won is found in three clicks, the report opens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from reports.page import render
from trackers.mlflow_server import experiment_links, workspace_uri
from trackers.mlflow_tracker import MlflowTracker
from trackers.records import StudyRecord
from trackers.tracker import CellUpload

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STUDY = "three-clicks"
WAIT_MS = 60_000  # a busy machine takes its time


@pytest.fixture(scope="module")
def outside() -> list[str]:
    """Return the addresses beyond this machine that pages asked for; they get no answer."""
    return []


@pytest.fixture(scope="module")
def context(browser: Browser, outside: list[str]) -> Iterator[BrowserContext]:
    def refuse_others(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", None):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    opened = browser.new_context(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(WAIT_MS)
    opened.route("**/*", refuse_others)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def served(
    server: tuple[Path, str],
    make_decided: Callable[..., StudyRecord],
    make_upload: Callable[..., CellUpload],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, str]:
    """Return the start page of a server, and the address that `visionstudy ui` prints."""
    workspace, url = server
    study = make_decided("a1", name=STUDY)
    report = tmp_path_factory.mktemp("pages") / "report.html"
    report.write_text(render(study), encoding="utf-8")
    tracker = MlflowTracker(workspace_uri(workspace), workspace / "artifacts")
    tracker.cell(STUDY, make_upload("a1"))
    tracker.cell(STUDY, make_upload("b2", metrics={"val/iou": 0.4}))
    tracker.study(study, report=report)
    assert tracker.drain(60)
    tracker.close()
    return url, f"{url}{dict(experiment_links(url))[STUDY]}"


def opened_by(context: BrowserContext, page: Page, link: str) -> Page:
    """Click on a link of the experiment's note, which MLflow opens in a tab of its own."""
    with context.expect_page() as new:
        page.get_by_role("link", name=link, exact=True).first.click()
    return new.value


def test_from_the_start_page_three_clicks_lead_to_the_winners_curves_and_the_report(
    context: BrowserContext, served: tuple[str, str], outside: list[str]
) -> None:
    page = context.new_page()
    page.goto(served[0])
    page.get_by_text("Model training", exact=True).first.click()
    page.get_by_role("link", name=STUDY, exact=True).first.click()
    curves = opened_by(context, page, "curves")

    curves.get_by_role("heading", name="val/iou").first.wait_for()
    curves.locator(".js-plotly-plot path.js-line").first.wait_for(state="attached")
    curves.get_by_role("link", name="★ learning rate / 0.001 / a1").first.wait_for()

    report = opened_by(context, page, "report")
    frame = report.frame_locator("iframe.mlflow-html-iframe")
    frame.get_by_role("heading", name=STUDY).wait_for()
    frame.locator("#tree-0 svg.main-svg").first.wait_for()
    assert outside == []


def test_the_address_of_a_study_shows_its_best_run_first(
    context: BrowserContext, served: tuple[str, str]
) -> None:
    page = context.new_page()
    page.goto(served[1])
    page.get_by_text("Sort: final/val/iou").wait_for()
    names = page.locator("[role=row] a[href*='/runs/']")
    names.first.wait_for()
    assert names.first.inner_text().startswith("★ learning rate")
