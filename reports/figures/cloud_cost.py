"""Cloud GPUs by the price of an hour, those of the study and of the thesis marked."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.figures.data_table import DataTable
from reports.notation import MISSING, join_words
from reports.tables.cloud_prices import CloudPrice, CloudPrices

ROW_HEIGHT = 19  # pixels
DIGITS = 3  # significant, of hours
ROOM = 1.4  # of the dearest hour: for the words behind its bar
WIDTH = 640  # pixels; narrower screens scroll


def cloud_cost_figure(prices: CloudPrices) -> go.Figure:
    """Draw a bar per GPU and provider; free hours are marks at 0."""
    own = [row for row in prices.rows if row.money is not None]
    free = [row for row in prices.rows if row.money is None and row.is_of_thesis]
    others = [row for row in prices.rows if row.money is None and not row.is_of_thesis]
    traces = [
        _bars("GPUs that the study did not run on", others, theme.SERIES[4]),
        _bars("GPUs of this study", own, theme.WIN),
        _free(free),
    ]
    dearest = max(row.per_hour for row in prices.rows) or 1.0
    currencies = sorted({row.currency for row in prices.rows})
    return go.Figure(
        data=[trace for trace in traces if trace["y"]],
        layout=theme.layout(
            120 + ROW_HEIGHT * len(prices.rows),
            bargap=0.3,
            xaxis=theme.axis(f"{' or '.join(currencies)} per hour", range=[0, ROOM * dearest]),
            yaxis=theme.axis(
                "",
                type="category",
                categoryorder="array",
                categoryarray=[_name(row) for row in reversed(prices.rows)],
                dtick=1,
                showgrid=False,
            ),
            showlegend=True,
            legend=theme.legend(1),
            margin={"l": 150, "r": 20, "t": 56, "b": 44},
        ),
    )


def _name(row: CloudPrice) -> str:
    return f"{row.gpu}, {row.provider} {row.date}"


def _bars(name: str, rows: Sequence[CloudPrice], colour: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [_name(row) for row in rows],
        "x": [row.per_hour for row in rows],
        "text": [money_text(row) for row in rows],
        "textposition": "outside",
        "textfont": {"size": 11, "color": theme.MUTED},
        "cliponaxis": False,
        "marker": {"color": colour},
        "hovertemplate": "%{y}: %{x:.2f} per hour<br>%{text}<extra></extra>",
    }


def money_text(row: CloudPrice) -> str:
    """Say what the study costs there, or what a GPU has to do to cost no more."""
    if row.money is not None and row.hours is not None:
        return f"{row.money:.2f} {row.currency} for {row.hours:.{DIGITS}g} h"
    if row.as_fast is None:
        return ""
    return f"{row.as_fast:.2g}\N{MULTIPLICATION SIGN} as fast to cost no more"


def _free(rows: Sequence[CloudPrice]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "free hours that the thesis names",
        "y": [_name(row) for row in rows],
        "x": [row.per_hour for row in rows],
        "text": [row.source for row in rows],
        "marker": {"color": theme.SERIES[1], "symbol": "diamond", "size": 9},
        "hovertemplate": "%{y}: free<br>%{text}<extra></extra>",
    }


def cloud_cost_table(prices: CloudPrices) -> DataTable:
    """Return a row per GPU and provider, with its source."""
    heads = (
        "GPU",
        "Provider",
        "Per hour",
        "Hours held",
        "This study",
        "Times as fast to cost no more",
    )
    rows = [
        (
            row.gpu,
            row.provider,
            f"{row.per_hour:.2f} {row.currency}",
            MISSING if row.hours is None else f"{row.hours:.{DIGITS}g}",
            MISSING if row.money is None else f"{row.money:.2f} {row.currency}",
            MISSING if row.as_fast is None else f"{row.as_fast:.2g}",
            row.date,
            row.source,
        )
        for row in prices.rows
    ]
    return DataTable((*heads, "Date", "Source"), tuple(rows))


def cloud_cost_summary(prices: CloudPrices) -> str:
    """Say in a sentence what the study costs, and of which GPUs nothing can be said."""
    priced = [row for row in prices.priced if row.per_hour > 0]
    if not priced:
        ran = join_words(prices.devices) or "nothing yet"
        return (
            f"The study ran on {ran}, which no row prices. What it would have cost on a GPU is "
            "not told: nobody measured how long it takes there."
        )
    cheapest = min(priced, key=lambda row: row.money or 0.0)
    dearest = max(priced, key=lambda row: row.money or 0.0)
    text = f"This study: {money_text(cheapest)} of {cheapest.gpu} at {cheapest.provider}"
    if dearest is not cheapest:
        text += f", {money_text(dearest)} of {dearest.gpu} at {dearest.provider}"
    text += ". Of other GPUs no money is told, as nobody measured how long it takes there"
    if prices.reference is None:
        return f"{text}."
    own = f"{prices.reference.gpu} at {prices.reference.provider}"
    return f"{text}: only how many times as fast as {own} they have to be."
