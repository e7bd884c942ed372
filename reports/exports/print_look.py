"""A figure of the page as it is printed: light colours, its own legend, vectors throughout."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from reports import theme
from reports.figures.embedding import EmbeddedFigure
from reports.templating import TEMPLATES

WIDTH = 720  # pixels, of figures that say no least width
LEGEND_LINE, LEGEND_GAP = 19, 8  # pixels
VARIABLE = re.compile(r"var\((--[\w-]+)\)")
ROOT = re.compile(r":root\s*\{(?P<body>[^}]*)\}")
TOKEN = re.compile(r"(--[\w-]+):\s*([^;]+);")


@cache
def light_tokens() -> Mapping[str, str]:
    """Return the style sheet's variables by name, as they are in light and in print."""
    root = ROOT.search((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    return dict(TOKEN.findall(root["body"])) if root else {}


def printed_figure(figure: EmbeddedFigure) -> dict[str, Any]:
    """Return a figure for Plotly without the page around it; the same bytes give the same."""
    tokens = {name: json.dumps(value)[1:-1] for name, value in light_tokens().items()}
    text = VARIABLE.sub(lambda found: tokens.get(found[1], found[0]), figure.spec)
    spec: dict[str, Any] = json.loads(text)
    layout = spec["layout"]
    layout.pop("meta", None)  # other axes, which the page switches to
    layout |= {
        "autosize": False,
        "width": figure.width or WIDTH,
        "height": figure.height,
        "paper_bgcolor": light_tokens()["--paper"],
    }
    for index, trace in enumerate(spec["data"]):
        trace["uid"] = f"trace-{index}"  # else it is drawn by lot
        # WebGL would be a bitmap in a file of vectors.
        trace["type"] = str(trace.get("type", "scatter")).removesuffix("gl")
    _add_legend(spec)
    return spec


def _add_legend(spec: dict[str, Any]) -> None:
    """Name the series below the figure, where the page does so beside it; grey ones have none."""
    named: dict[str, dict[str, Any]] = {}
    quiet = light_tokens()["--muted"]
    for trace in spec["data"]:
        trace["showlegend"] = False
        is_drawn = trace.get("hoverinfo") != "skip" and trace.get("line", {}).get("color") != quiet
        if trace.get("legendgroup") and is_drawn:
            named.setdefault(trace["legendgroup"], trace)
    layout = spec["layout"]
    if len(named) < 2 or layout.get("showlegend"):
        return
    for trace in named.values():
        trace["showlegend"] = True
    below = LEGEND_LINE * len(named) + LEGEND_GAP
    layout["height"] += below
    margin = layout.setdefault("margin", {})
    margin["b"] = margin.get("b", 0) + below
    # The page draws the best last, so that it lies on top.
    legend = {"traceorder": "reversed", "tracegroupgap": 0, "bgcolor": theme.CLEAR}
    place = {"x": 0, "xanchor": "left", "yref": "container", "y": 0, "yanchor": "bottom"}
    font = {"size": 11, "color": light_tokens()["--ink"]}
    layout |= {"showlegend": True, "legend": legend | place | {"font": font}}
