"""How long a page takes to be there in headless Chromium, opened from disk, the network off."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

# Runs before the page's own scripts. The page is there when it is loaded, every figure in view is
# drawn, and the browser has had a moment to paint. What is further down follows.
WATCH = """
    window.shifted = 0;
    window.longest = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
        if (!entry.hadRecentInput) window.shifted += entry.value;
    })).observe({type: "layout-shift", buffered: true});
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
        window.longest = Math.max(window.longest, entry.duration);
    })).observe({type: "longtask", buffered: true});
    const isHidden = (box) => box.width === 0 || box.bottom < 0 || box.top > innerHeight;
    const isDrawn = () => [...document.querySelectorAll(".plot-area")]
        .every((area) => area.dataset.drawn || isHidden(area.getBoundingClientRect()));
    const look = () => {
        if (document.readyState !== "complete" || !isDrawn()) return setTimeout(look, 5);
        requestAnimationFrame(() => setTimeout(() => { window.there = performance.now(); }));
    };
    const lookForAll = () => {
        if (!window.there || !document.documentElement.dataset.drawn) {
            return setTimeout(lookForAll, 5);
        }
        window.all = performance.now();
        document.documentElement.dataset.watched = "yes";
    };
    look();
    lookForAll();
"""
TIMEOUT_MS = 120_000
SETTLE_MS = 500  # in which what is late may still shift


@dataclass(frozen=True, slots=True)
class PageLoad:
    """What a browser measured."""

    there_s: float  # from asking for the page until it can be used
    all_s: float  # until the last figure is drawn
    busy_s: float  # of the page's thread until then, which others on the machine lengthen less
    longest_task_s: float  # in which it would have answered nobody
    shifted: float  # cumulative layout shift
    figures: int  # drawn
    complaints: tuple[str, ...]  # of the console


def browser_path() -> str | None:
    """Return Debian's Chromium, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def load_page(file: Path, chromium: str) -> PageLoad:
    """Open a page in a fresh browser and watch it."""
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.add_init_script(WATCH)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        counters = context.new_cdp_session(page)
        counters.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(file.as_uri(), timeout=TIMEOUT_MS)
        page.wait_for_selector("html[data-watched]", state="attached", timeout=TIMEOUT_MS)
        found = counters.send("Performance.getMetrics")["metrics"]
        busy_s = next(each["value"] for each in found if each["name"] == "TaskDuration")
        page.wait_for_timeout(SETTLE_MS)
        measured = page.evaluate("[window.there, window.all, window.longest, window.shifted]")
        figures = page.evaluate("document.querySelectorAll('.plot-area[data-drawn]').length")
        browser.close()
    there_ms, all_ms, longest_ms, shifted = measured
    return PageLoad(
        there_s=there_ms / 1e3,
        all_s=all_ms / 1e3,
        busy_s=busy_s,
        longest_task_s=longest_ms / 1e3,
        shifted=shifted,
        figures=figures,
        complaints=tuple(complaints),
    )
