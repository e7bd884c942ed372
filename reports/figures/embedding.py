"""A figure as part of the page: its data, its height and a sentence that says what it shows."""

import json
from dataclasses import dataclass

import plotly.graph_objects as go


@dataclass(frozen=True, slots=True)
class EmbeddedFigure:
    """What a template needs to place a figure."""

    id: str  # stable, unique in the page
    title: str
    summary: str  # for readers who cannot see it
    height: int  # pixels, reserved before the figure is drawn
    width: int | None  # least width, pixels; narrower screens scroll the figure alone
    spec: str  # JSON, safe inside a script element


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures that a switch shows or hides together."""

    label: str  # the class; "" when there is nothing to switch
    figures: tuple[EmbeddedFigure, ...]
    legend: tuple[tuple[str, int], ...] = ()  # (series, style), shared by the figures


def embed(
    figure: go.Figure, identifier: str, *, title: str, summary: str, min_width: int | None = None
) -> EmbeddedFigure:
    """Serialise a figure for the page's script, which draws it."""
    return EmbeddedFigure(
        id=identifier,
        title=title,
        summary=summary,
        height=int(figure.layout.height),
        width=min_width,
        spec=json_for_script(figure),
    )


def json_for_script(figure: go.Figure) -> str:
    """Write a figure as JSON that can close no script element; NaN becomes null."""
    spec = json.loads(figure.to_json(remove_uids=True))
    spec["layout"].pop("template", None)
    text = json.dumps(spec, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
