"""At which learning rates does it learn? The loss of every step while the rate grows.

What is suggested is computed before; here it is drawn and said.
"""

from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.decimation import packed
from reports.rate_record import RateRecord, SuggestedRecord

HEADROOM = 0.15  # of the span of the smoothed loss, above and below what is drawn of it
HIGHEST = 1.5  # times the first smoothed loss: the picture ends there, the explosion goes on


def rate_figure(record: RateRecord) -> go.Figure:
    """Draw the loss of each step faintly, its mean over it, and where the suggestions lie."""
    rates = packed([float(f"{rate:.6g}") for rate in record.rates])
    traces: list[dict[str, Any]] = [
        _line("loss of a step", rates, record.losses, theme.MUTED, 1.0) | {"opacity": 0.55},
        _line("smoothed", rates, record.smoothed, theme.SERIES[0], 2.4),
    ]
    if record.suggested is not None:
        traces += _marks(record, record.suggested)
    low, high = _loss_range(record)
    return go.Figure(
        data=traces,
        layout=theme.layout(
            360,
            xaxis=theme.axis("learning rate", type="log", exponentformat="power", dtick=1),
            yaxis=theme.axis("training loss of a batch", range=[low, high]),
            showlegend=True,
            legend=theme.legend(1.0),
            margin={"l": 54, "r": 14, "t": 44, "b": 46},
        ),
    )


def rate_summary(record: RateRecord) -> str:
    """Say in a sentence what the curve shows."""
    end = (
        f"exploded at {record.rates[-1]:.2g}, after {len(record.rates)} of {record.steps} steps"
        if record.has_exploded and record.rates
        else f"did not explode in {len(record.rates)} steps"
    )
    found = record.suggested
    if found is None:
        return f"The loss does not fall clearly at any rate; it {end}."
    return (
        f"The loss falls fastest at {found.steepest:.2g} and is all but least from "
        f"{found.least_at:.2g} on; it {end}."
    )


def _line(
    name: str, rates: object, values: tuple[float, ...], colour: str, width: float
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": rates,
        "y": packed([float(f"{value:.6g}") for value in values]),
        "line": {"color": colour, "width": width},
        "hovertemplate": "rate %{x:.3g}<br>" + name + " %{y:.4g}<extra></extra>",
    }


def _marks(record: RateRecord, found: SuggestedRecord) -> list[dict[str, Any]]:
    """Mark each suggestion on the smoothed loss, at the step whose rate is nearest."""
    marks = (
        ("steepest fall", found.steepest, 1),
        ("a tenth of the next", found.tenth, 2),
        ("all but the least loss", found.least_at, 3),
    )
    traces = []
    for name, rate, style in marks:
        ratios = [max(rate / each, each / rate) for each in record.rates]
        nearest = ratios.index(min(ratios))
        look = theme.series_style(style)
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [float(f"{rate:.6g}")],
                "y": [float(f"{record.smoothed[nearest]:.6g}")],
                "marker": {"color": look["color"], "symbol": look["marker"], "size": 11},
                "hovertemplate": name + " %{x:.3g}<extra></extra>",
            }
        )
    return traces


def _loss_range(record: RateRecord) -> tuple[float, float]:
    """Leave out how far the loss explodes, beside which nothing else could be seen."""
    if not record.smoothed:
        return 0.0, 1.0
    low = min(record.smoothed)
    high = min(max(record.smoothed), max(HIGHEST * record.smoothed[0], low))
    room = HEADROOM * (high - low or abs(high) or 1.0)
    return low - room, high + room
