"""Take the pictures of MLflow's pages that the documentation shows, from a real browser.

visionstudy ui road-signs &
python benchmarks/mlflow_screens.py http://127.0.0.1:5000 road-signs docs
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Page, sync_playwright

SIZE = {"width": 1280, "height": 800}
SETTLED_MS = 2500  # charts slide into place


def main() -> None:
    """Walk from the start page to the winner's curves and the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server")
    parser.add_argument("study")
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]  # playwright's
        page = context.new_page()
        page.goto(asked.server)
        page.get_by_text("Model training", exact=True).first.click()
        page.get_by_role("button", name="Close", exact=True).last.click()  # the assistant
        page.get_by_role("link", name=asked.study, exact=True).first.click()
        page.get_by_role("link", name="curves", exact=True).wait_for()
        _shoot(page, asked.folder / "mlflow_experiment.png")
        curves = _follow(context, page, "curves")
        curves.locator(".js-plotly-plot .main-svg").first.wait_for()
        _shoot(curves, asked.folder / "mlflow_winner.png")
        report = _follow(context, page, "report")
        report.frame_locator("iframe.mlflow-html-iframe").locator("svg.main-svg").first.wait_for()
        where = report.get_by_text("Path: ", exact=False).first  # on this machine
        _shoot(report, asked.folder / "mlflow_report.png", hidden=[where])
        browser.close()


def _follow(context: BrowserContext, page: Page, link: str) -> Page:
    with context.expect_page() as new:
        page.get_by_role("link", name=link, exact=True).first.click()
    return new.value


def _shoot(page: Page, file: Path, *, hidden: Sequence[Locator] = ()) -> None:
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=file, mask=hidden, mask_color="#ffffff")
    print(f"wrote {file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
