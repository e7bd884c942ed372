"""One look for every figure: fonts, colours and spacing as tokens of the page's style sheet.

Colours are CSS variables. The page's script resolves them when it draws, so that one figure
serves light and dark. The series colours are Okabe and Ito's (2008), which readers with any
colour vision can tell apart; dashes and markers differ as well.
"""

import math
from collections.abc import Iterable, Mapping

SERIES = tuple(f"var(--series-{index})" for index in range(1, 8))
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
MARKERS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star")
INK = "var(--ink)"
MUTED = "var(--muted)"
GRID = "var(--grid)"
RULE = "var(--rule)"
PAPER = "var(--paper)"
CARD = "var(--card)"
WIN = "var(--win)"
WIN_SOFT = "var(--win-soft)"
SANS = "var(--sans)"
TICKS = 6  # most per axis
CLEAR = "rgba(0,0,0,0)"


def axis(title: str = "", **changes: object) -> dict[str, object]:
    """Describe an axis: light grid, no zero line, small muted ticks."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": MUTED}, "standoff": 8},
        "gridcolor": GRID,
        "gridwidth": 1,
        "linecolor": RULE,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"size": 11, "color": MUTED},
        "automargin": True,
        "nticks": TICKS,
        "fixedrange": False,
    } | changes


def value_axis(
    values: Iterable[float | None], title: str = "", **changes: object
) -> dict[str, object]:
    """Describe an axis of measured values, its ticks with as many decimals as they need."""
    known = [value for value in values if value is not None]
    # Plotly pads the range by a tenth and takes the next of 1, 2, 5, 10 for its steps.
    rough = 1.1 * (max(known) - min(known)) / TICKS if known else 0.0
    if rough <= 0:
        return axis(title, tickformat=".3f", **changes)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(s * magnitude for s in (1, 2, 5, 10) if s * magnitude >= rough * (1 - 1e-9))
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return axis(title, tickformat=f".{decimals}f", **changes)


def layout(height: int, **changes: object) -> dict[str, object]:
    """Describe a figure of a given height, pixels."""
    return {
        "template": {},
        "height": height,
        "autosize": True,
        "font": {"family": SANS, "size": 12, "color": INK},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "margin": {"l": 48, "r": 14, "t": 12, "b": 44},
        "hoverlabel": {
            "bgcolor": CARD,
            "bordercolor": RULE,
            "font": {"family": SANS, "size": 12, "color": INK},
            "align": "left",
        },
        "hovermode": "closest",
        "showlegend": False,
        "dragmode": "zoom",
        "modebar": {"bgcolor": CLEAR, "color": MUTED, "activecolor": INK, "orientation": "h"},
    } | changes


def series_style(index: int) -> Mapping[str, str]:
    """The colour, dash and marker of the n-th series; from the eighth on, quiet grey."""
    if index >= len(SERIES):
        return {"color": MUTED, "dash": "solid", "marker": "circle"}
    return {"color": SERIES[index], "dash": DASHES[index], "marker": MARKERS[index]}


def legend(y: float, *, is_below: bool = False) -> dict[str, object]:
    """Describe a legend in one row, from the left.

    Args:
        y: Where, in heights of the plot: 1 is its upper edge.
        is_below: Whether it hangs from there instead of standing on it.
    """
    return {
        "orientation": "h",
        "x": 0,
        "y": y,
        "yanchor": "top" if is_below else "bottom",
        "font": {"size": 12},
    }
