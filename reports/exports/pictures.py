"""Figures as files: SVG, PNG and PDF, all drawn by one browser."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reports.exports.browser import find_browser
from reports.exports.errors import BrowserFailedError, NoKaleidoError
from reports.exports.print_look import printed_figure
from reports.figures.embedding import EmbeddedFigure

PNG_SCALE: Final = 2  # pixels of the file per pixel of the page
TIMEOUT_S: Final = 60.0  # for one figure
# Plotly draws the names of clips and gradients by lot, once per figure.
DRAWN_NAME = re.compile(r'id="(?:top)?defs-(?P<name>[0-9a-z]+)"')
STABLE_NAME = "figure"


def write_figures(
    figures: Sequence[EmbeddedFigure], folder: Path, formats: Sequence[str]
) -> dict[str, Path]:
    """Draw figures into files that are named by their ids.

    Args:
        figures: As in a page.
        folder: Where to; it is made.
        formats: "svg", "png", "pdf". An SVG has the same bytes whenever it is drawn anew.

    Returns:
        By the figure's id its file in the first format.

    Raises:
        NoKaleidoError: The extra `export` is not installed.
        NoBrowserError: There is no Chrome or Chromium.
        BrowserFailedError: It drew nothing.
    """
    require_drawing()
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [_job(figure, folder, ending) for figure in figures for ending in formats]
    _draw(jobs)
    for job in jobs:
        if job["path"].suffix == ".svg":
            _steady(job["path"])
    return {figure.id: folder / f"{figure.id}.{formats[0]}" for figure in figures}


def require_drawing() -> None:
    """Find everything that drawing needs.

    Raises:
        NoKaleidoError: The extra `export` is not installed.
        NoBrowserError: There is no Chrome or Chromium.
    """
    if importlib.util.find_spec("kaleido") is None:
        raise NoKaleidoError(
            "figures as files need the package kaleido, which is not installed; "
            "pip install 'visionstudy[export]'"
        )
    find_browser()


def _job(figure: EmbeddedFigure, folder: Path, ending: str) -> dict[str, Any]:
    spec = printed_figure(figure)
    options = {"format": ending, "width": spec["layout"]["width"]}
    options |= {"height": spec["layout"]["height"], "scale": PNG_SCALE if ending == "png" else 1}
    return {"fig": spec, "path": folder / f"{figure.id}.{ending}", "opts": options}


def _draw(jobs: Sequence[Mapping[str, Any]]) -> None:
    if not jobs:
        return
    # Lazy: it is an extra, and only these formats need it.
    import kaleido
    from kaleido.errors import BrowserClosedError, KaleidoError
    from kaleido.errors import BrowserFailedError as NotStartedError

    # Without MathJax nothing is fetched from the network.
    browser = {"path": find_browser(), "mathjax": False, "timeout": TIMEOUT_S}
    try:
        kaleido.write_fig_from_object_sync(jobs, kopts=browser, cancel_on_error=True)
    except (NotStartedError, BrowserClosedError, KaleidoError, TimeoutError) as error:
        raise BrowserFailedError(
            f"{browser['path']} must draw {len(jobs)} figures, got "
            f"{type(error).__name__}: {error}; does it start by itself?"
        ) from error


def _steady(file: Path) -> None:
    """Give what Plotly named by lot the same name every time."""
    text = file.read_text(encoding="utf-8")
    for name in dict.fromkeys(DRAWN_NAME.findall(text)):
        text = text.replace(name, STABLE_NAME)
    file.write_text(text, encoding="utf-8")
