"""The colours of the page, by the contrast that WCAG 2.2 asks for."""

import re
from itertools import pairwise, product

import pytest

from reports.templating import TEMPLATES
from reports.theme import DASHES, MARKERS, SERIES, series_style

TEXT = ("ink", "muted", "link", "win", "warn", "bad", "hold")
GROUNDS = ("paper", "card", "wash")
SERIES_NAMES = tuple(name[len("var(--") : -1] for name in SERIES)


def colours() -> dict[str, dict[str, str]]:
    sheet = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root(?::not\(\.printing\))? \{(.*?)\}", sheet, re.DOTALL)[:2]
    found = re.compile(r"--([\w-]+): (#[0-9a-f]{6})")
    return {"light": dict(found.findall(light)), "dark": dict(found.findall(dark))}


def luminance(colour: str) -> float:
    """Relative luminance, in [0, 1]: WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *product(TEXT, GROUNDS),
        ("ink", "win-soft"),
        ("muted", "win-soft"),
        ("win", "win-soft"),
        ("warn", "warn-soft"),
    ],
)
def test_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    known = colours()[scheme]
    assert contrast(known[text], known[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("series", SERIES_NAMES)
def test_lines_can_be_seen(scheme: str, series: str) -> None:
    known = colours()[scheme]
    assert contrast(known[series], known["paper"]) >= 3


def test_neighbouring_series_differ_without_their_colour() -> None:
    styles = [series_style(index) for index in range(len(SERIES))]
    assert all(one["dash"] != other["dash"] for one, other in pairwise(styles))
    assert len({style["marker"] for style in styles}) == len(SERIES) == len(MARKERS) == len(DASHES)
