"""A figure as part of the page: its data, its height and a sentence that says what it shows.

Names and labels reach a figure as plain text; here they become text that Plotly shows as it is.
Only hover templates and annotations are markup of ours.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports.figures.data_table import DataTable, data_table
from reports.foreign_text import figure_texts, isolated

SHOWN = ("name", "x", "y", "text", "labels", "customdata", "ticktext", "label")
LEGEND_KEY = "legendgroup"  # never shown; the page's legends find traces by it


@dataclass(frozen=True, slots=True)
class EmbeddedFigure:
    """What a template needs to place a figure."""

    id: str  # stable, unique in the page
    title: str
    summary: str  # for readers who cannot see it
    height: int  # pixels, reserved before the figure is drawn
    width: int | None  # least width, pixels; narrower screens scroll the figure alone
    spec: str  # JSON, safe inside a script element
    table: DataTable | None = None  # what is drawn, in numbers


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures that a switch shows or hides together."""

    label: str  # the class; "" when there is nothing to switch
    figures: tuple[EmbeddedFigure, ...]
    legend: tuple[tuple[str, int], ...] = ()  # (series, style), shared by the figures


def embed(
    figure: go.Figure,
    identifier: str,
    *,
    title: str,
    summary: str,
    min_width: int | None = None,
    table: DataTable | None = None,
) -> EmbeddedFigure:
    """Serialise a figure for the page's script, which draws it.

    Names, labels, categories and axis titles of the figure are plain text, not markup. Its table
    is what its traces hold, unless another is given.
    """
    spec = figure_spec(figure)
    known = table or data_table(spec, title)
    return EmbeddedFigure(
        id=identifier,
        title=title,
        summary=summary,
        height=int(spec["layout"]["height"]),
        width=min_width,
        spec=json_for_script(spec),
        table=known,
    )


def figure_spec(figure: go.Figure) -> dict[str, Any]:
    """Return a figure as plain data, NaN as None, without Plotly's own theme."""
    spec: dict[str, Any] = json.loads(figure.to_json(remove_uids=True))
    spec["layout"].pop("template", None)
    return spec


def json_for_script(spec: dict[str, Any]) -> str:
    """Write a figure as JSON that can close no script element."""
    for part in _parts_with_text(spec):
        for key in SHOWN:
            if key in part:
                part[key] = figure_texts(part[key])
        if LEGEND_KEY in part:
            part[LEGEND_KEY] = isolated(part[LEGEND_KEY])
    text = json.dumps(spec, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _parts_with_text(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for trace in spec["data"]:
        yield trace
        yield from trace.get("dimensions", ())
    for key, value in spec["layout"].items():
        if key.startswith(("xaxis", "yaxis")):
            yield value
            yield value.get("title", {})
