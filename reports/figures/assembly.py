"""From which probability should a pixel of the assembly count? Its score by threshold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.notation import SPLIT_WORDS, metric_name, score, sentence_case
from reports.tables.assembly import WAYS, scored_by_threshold
from trackers.records import StudyRecord


@dataclass(frozen=True, slots=True)
class AssemblyCurve:
    """One way on one split, mean over seeds."""

    way: str
    split: str
    thresholds: tuple[float, ...]
    values: tuple[float | None, ...]
    chosen: tuple[float, ...]  # by any seed; () on splits where none is chosen


@dataclass(frozen=True, slots=True)
class AssemblyCurves:
    """Score against threshold."""

    metric: str
    curves: tuple[AssemblyCurve, ...]


def assembly_curves(study: StudyRecord, metric: str) -> AssemblyCurves | None:
    """Collect the curves of what is put together; None where nothing was scored."""
    chosen_on = "test" if study.select_on == "test" else "val"
    curves = []
    for (way, split), scores in scored_by_threshold(study, metric).items():
        chosen = {
            threshold
            for record in study.assemblies
            if way in record.ways and (threshold := record.ways[way].threshold) is not None
        }
        thresholds = tuple(sorted(scores))
        curves.append(
            AssemblyCurve(
                way=way,
                split=split,
                thresholds=thresholds,
                values=tuple(scores[threshold] for threshold in thresholds),
                chosen=tuple(sorted(chosen)) if split == chosen_on else (),
            )
        )
    return AssemblyCurves(metric, tuple(curves)) if curves else None


def assembly_figure(found: AssemblyCurves) -> go.Figure:
    """Draw a line per way and split, test dotted, a star at every chosen threshold."""
    styles = {way: theme.series_style(index) for index, way in enumerate(("assembly", "single"))}
    traces: list[dict[str, Any]] = []
    for curve in found.curves:
        traces += _traces(curve, styles[curve.way])
    values = [value for curve in found.curves for value in curve.values]
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}}
    return go.Figure(
        data=traces,
        layout=theme.layout(
            320,
            xaxis=theme.axis("threshold"),
            yaxis=theme.value_axis(values, sentence_case(metric_name(found.metric))),
            showlegend=True,
            legend=legend,
            margin={"l": 56, "r": 14, "t": 56, "b": 46},
        ),
    )


def assembly_summary(found: AssemblyCurves) -> str:
    """Say what was chosen and what that scored."""
    parts = []
    for curve in found.curves:
        by = dict(zip(curve.thresholds, curve.values, strict=True))
        parts += [
            f"{WAYS[curve.way]}: {threshold:g} chosen at {SPLIT_WORDS[curve.split]} "
            f"{metric_name(found.metric)} {score(by.get(threshold))}"
            for threshold in curve.chosen
        ]
    return f"{'; '.join(parts) or 'Nothing chosen yet'}."


def _traces(curve: AssemblyCurve, style: Mapping[str, str]) -> list[dict[str, Any]]:
    is_test = curve.split == "test"
    name = f"{WAYS[curve.way]}, {SPLIT_WORDS[curve.split]}"
    line: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "legendgroup": name,
        "x": list(curve.thresholds),
        "y": list(curve.values),
        "line": {"color": style["color"], "width": 2, "dash": "dot" if is_test else "solid"},
        "marker": {"color": style["color"], "symbol": style["marker"], "size": 6},
        "hovertemplate": "%{fullData.name} at %{x}: %{y:.3f}<extra></extra>",
    }
    if not curve.chosen:
        return [line]
    by = dict(zip(curve.thresholds, curve.values, strict=True))
    look = {"color": theme.WIN, "symbol": "star", "size": 14, "line": {"color": theme.PAPER}}
    star = {
        "type": "scatter",
        "mode": "markers",
        "name": "chosen",
        "legendgroup": name,
        "showlegend": False,
        "x": list(curve.chosen),
        "y": [by.get(threshold) for threshold in curve.chosen],
        "marker": look,
        "hoverinfo": "skip",
    }
    return [line, star]
