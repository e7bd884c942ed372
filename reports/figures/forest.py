"""Which cited numbers lie within the noise of ours? Ours with its interval, theirs as a line.

A cited number outside of the interval is one that ours is below or above: the interval is that of
the verdict (`reports.baselines.verdict`). Numbers that may not be compared are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

import plotly.graph_objects as go

from reports import theme
from reports.baselines.verdict import ERROR, Verdict
from reports.figures.data_table import DataTable
from reports.notation import (
    interval,
    join_words,
    metric_name,
    percent,
    plural,
    score,
    sentence_case,
)
from reports.tables.comparison import QUIET, ComparedNumber, ComparedTable

ROW_HEIGHT = 26  # pixels of a number
MOST_NAMES = 4  # of a verdict, in the summary
LONGEST_LABEL = 26  # characters; the data table has the whole of it
LOOKS: Mapping[Verdict, tuple[str, str]] = {
    Verdict.REPRODUCED: ("circle", theme.WIN),
    Verdict.WITHIN_NOISE: ("square", theme.SERIES[0]),
    Verdict.BELOW: ("triangle-down", theme.SERIES[1]),
    Verdict.ABOVE: ("triangle-up", theme.SERIES[2]),
    Verdict.CANNOT_SAY: ("circle-open", theme.MUTED),
}


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One cited number beside ours."""

    label: str
    cited: float
    ours: float
    half: float | None  # of the interval; None: the noise is not known
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Forest:
    """The numbers of one cited table that may be compared."""

    rows: tuple[ForestRow, ...]  # as the table
    metrics: tuple[str, ...]  # "test/iou"
    summary: str


def forest(table: ComparedTable) -> Forest | None:
    """Collect what may be compared; None where nothing may.

    Losses and pixel accuracies are of another size than scores: they are left out where the table
    has anything else.
    """
    found = [
        (row.row, number)
        for row in table.rows
        for number in row.numbers
        if number and number.judgement and number.may_be_compared and number.ours is not None
    ]
    loud = [each for each in found if each[1].column.rpartition("/")[2] not in QUIET]
    shown = loud or found
    if not shown:
        return None
    metrics = tuple(dict.fromkeys(number.column for _, number in shown))
    rows = tuple(_row(name, number, names_metric=len(metrics) > 1) for name, number in shown)
    return Forest(rows, metrics, _summary(rows, left_out=len(found) - len(shown)))


def _row(name: str, number: ComparedNumber, *, names_metric: bool) -> ForestRow:
    label = f"{name}, {metric_name(number.column)}" if names_metric else name
    verdict = number.judgement.verdict if number.judgement else Verdict.CANNOT_SAY
    return ForestRow(label, number.cited, number.ours or 0.0, number.half, verdict)


def _summary(rows: Sequence[ForestRow], *, left_out: int) -> str:
    """Name the rows of each verdict."""
    parts = []
    for verdict in Verdict:
        names = [row.label for row in rows if row.verdict is verdict]
        more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
        if names:
            parts.append(f"{verdict}: {join_words([*names[:MOST_NAMES], *more])}")
    text = (
        f"{sentence_case('; '.join(parts))}. Bars reach as far as their number may lie from our "
        f"mean by chance ({percent(1 - ERROR)})."
    )
    if left_out:
        text += f" Not drawn: {plural(left_out, 'number')} of loss or pixel accuracy."
    return text


def forest_figure(plot: Forest) -> go.Figure:
    """Draw a line of its own for each number, the first on top."""
    traces = [_ours(plot.rows, verdict) for verdict in Verdict]
    drawn = [trace for trace in traces if trace["x"]]
    labels = [shorten(row.label, LONGEST_LABEL, placeholder="…") for row in plot.rows]
    height = 120 + ROW_HEIGHT * len(plot.rows)
    title = metric_name(plot.metrics[0]) if len(plot.metrics) == 1 else "value"
    ends = [
        value
        for row in plot.rows
        for value in (row.cited, row.ours - (row.half or 0), row.ours + (row.half or 0))
    ]
    return go.Figure(
        data=[_theirs(plot.rows), *drawn],
        layout=theme.layout(
            height,
            showlegend=True,
            legend={
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yanchor": "bottom",
                "font": {"size": 11},
            },
            xaxis=theme.value_axis(ends, title),
            yaxis=theme.axis(
                "",
                tickmode="array",
                tickvals=list(range(len(labels))),
                ticktext=[text or "…" for text in labels],
                range=[len(labels) - 0.4, -0.6],
                showgrid=False,
                fixedrange=True,
            ),
            margin={"l": 60, "r": 14, "t": 60, "b": 44},
        ),
    )


def _theirs(rows: Sequence[ForestRow]) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "theirs",
        "x": [row.cited for row in rows],
        "y": list(range(len(rows))),
        "customdata": [row.label for row in rows],
        "marker": {
            "symbol": "line-ns-open",
            "size": 15,
            "color": theme.INK,
            "line": {"width": 2, "color": theme.INK},
        },
        "hovertemplate": "%{customdata}: theirs %{x:.3f}<extra></extra>",
    }


def _ours(rows: Sequence[ForestRow], verdict: Verdict) -> dict[str, object]:
    own = [(place, row) for place, row in enumerate(rows) if row.verdict is verdict]
    symbol, colour = LOOKS[verdict]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": str(verdict),
        "x": [float(f"{row.ours:.6g}") for _, row in own],
        "y": [place for place, _ in own],
        "customdata": [row.label for _, row in own],
        "error_x": {
            "type": "data",
            "array": [float(f"{row.half or 0:.6g}") for _, row in own],
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        "marker": {"symbol": symbol, "size": 9, "color": colour},
        "hovertemplate": f"%{{customdata}}: ours %{{x:.3f}}, {verdict}<extra></extra>",
    }


def forest_table(plot: Forest) -> DataTable:
    """Write out what is drawn, with the labels in full."""
    rows = tuple(
        (
            row.label,
            score(row.cited),
            score(row.ours),
            interval(row.ours - row.half, row.ours + row.half)
            if row.half is not None
            else interval(None, None),
            str(row.verdict),
        )
        for row in plot.rows
    )
    return DataTable(("Row", "Theirs", "Ours", "Interval", "Verdict"), rows)
