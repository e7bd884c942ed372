"""From which probability should a pixel count? Precision, recall and IoU by threshold.

`threshold_panels` reads what the winners' trials kept and computes; `iou_figure` and
`precision_recall_figure` draw. The best threshold is chosen on validation and reported on test.
A softmax takes the most probable label, whatever its probability: its curves are each class
against the rest, and no threshold is chosen for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.kept_json import kept_json
from reports.measurements import finite, mean
from reports.notation import plural, score
from reports.winners import Winner, winners
from trackers.records import StudyRecord

MEAN = "mean over classes"
MOST_CLASSES = 12  # panels of one class each; further ones are in the cells' files alone
Values = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SplitCurve:
    """One winner on one split, mean over seeds at each threshold; None where undefined."""

    precision: Values
    recall: Values
    iou: Values
    average_precision: float | None
    auc: float | None
    seeds: int


@dataclass(frozen=True, slots=True)
class ThresholdSeries:
    """One winner's curves for one class."""

    label: str
    style: int  # see `theme.series_style`
    thresholds: tuple[float, ...]
    is_softmax: bool
    val: SplitCurve | None
    test: SplitCurve | None

    @property
    def best(self) -> int | None:
        """Index of the threshold with the best validation IoU; the lowest one on a draw."""
        if self.is_softmax:
            return None
        known = [(iou, -i) for i, iou in enumerate(self.val.iou if self.val else ()) if iou]
        return -max(known)[1] if known else None


@dataclass(frozen=True, slots=True)
class ThresholdPanel:
    """The winners' curves for one class, or for the mean over classes."""

    class_name: str
    series: tuple[ThresholdSeries, ...]

    @property
    def has_thresholds(self) -> bool:
        """Whether a threshold decides for one of the winners."""
        return any(not series.is_softmax for series in self.series)


def threshold_panels(study: StudyRecord) -> tuple[ThresholdPanel, ...]:
    """Collect the curves of every stage winner, class by class."""
    panels: dict[str, list[ThresholdSeries]] = {}
    for winner in winners(study):
        for name in _classes(winner):
            style = len(panels.get(name, ()))
            series = _series(winner, name, style)
            if series is not None:
                panels.setdefault(name, []).append(series)
    return tuple(ThresholdPanel(name, tuple(series)) for name, series in panels.items())


def _classes(winner: Winner) -> tuple[str, ...]:
    """The classes of a winner's files, the mean first where there are several."""
    known = [kept_json(cell, f"curves_{s}") for cell in winner.cells for s in ("val", "test")]
    names = dict.fromkeys(name for content in known if content for name in content["classes"])
    if len(names) < 2:
        return tuple(names)
    return (MEAN, *list(names)[:MOST_CLASSES])


def _series(winner: Winner, class_name: str, style: int) -> ThresholdSeries | None:
    contents = {
        split: [c for cell in winner.cells if (c := kept_json(cell, f"curves_{split}"))]
        for split in ("val", "test")
    }
    first = next((content for kept in contents.values() for content in kept), None)
    if first is None:
        return None
    val, test = (_split_curve(contents[split], class_name) for split in ("val", "test"))
    thresholds, is_softmax = tuple(first["thresholds"]), bool(first.get("is_softmax"))
    return ThresholdSeries(winner.name, style, thresholds, is_softmax, val, test)


def _split_curve(contents: Sequence[Mapping[str, Any]], class_name: str) -> SplitCurve | None:
    found = [
        content["mean"] if class_name == MEAN else content["classes"].get(class_name)
        for content in contents
    ]
    seeds = [curve for curve in found if curve]
    if not seeds:
        return None
    return SplitCurve(
        precision=_mean_share(seeds, "precision"),
        recall=_mean_share(seeds, "recall"),
        iou=_mean_share(seeds, "iou"),
        average_precision=mean(finite(seed.get("average_precision")) for seed in seeds),
        auc=mean(finite(seed.get("auc")) for seed in seeds),
        seeds=len(seeds),
    )


def _mean_share(seeds: Sequence[Mapping[str, Any]], name: str) -> Values:
    return tuple(mean(column) for column in zip(*(seed[name] for seed in seeds), strict=True))


def iou_figure(panel: ThresholdPanel) -> go.Figure:
    """Draw IoU against threshold: validation solid, test dotted, a star at the best."""
    traces: list[dict[str, Any]] = []
    for series in (each for each in panel.series if not each.is_softmax):
        for split, curve in _splits(series):
            traces.append(_trace(series, split, x=series.thresholds, y=curve.iou))
        if series.best is not None and series.val is not None:
            x, y = [series.thresholds[series.best]], [series.val.iou[series.best]]
            traces.append(_star(series, x, y))
    return _figure(traces, "threshold", "IoU")


def precision_recall_figure(panel: ThresholdPanel) -> go.Figure:
    """Draw precision against recall, one point per threshold."""
    traces: list[dict[str, Any]] = []
    for series in panel.series:
        for split, curve in _splits(series):
            trace = _trace(series, split, x=curve.recall, y=curve.precision)
            trace["text"] = [f"{threshold:g}" for threshold in series.thresholds]
            traces.append(trace)
        if series.best is not None and series.val is not None:
            x, y = [series.val.recall[series.best]], [series.val.precision[series.best]]
            traces.append(_star(series, x, y))
    return _figure(traces, "recall", "precision")


def _splits(series: ThresholdSeries) -> list[tuple[str, SplitCurve]]:
    both = (("validation", series.val), ("test", series.test))
    return [(split, curve) for split, curve in both if curve is not None]


def _trace(
    series: ThresholdSeries, split: str, *, x: Sequence[float | None], y: Sequence[float | None]
) -> dict[str, Any]:
    is_test = split == "test"
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{series.label}, {split}",
        "legendgroup": series.label,
        "x": _rounded(x),
        "y": _rounded(y),
        "line": {
            "color": theme.series_style(series.style)["color"],
            "width": 1.6 if is_test else 2.2,
            "dash": "dot" if is_test else "solid",
        },
        "hovertemplate": "%{fullData.name}<br>%{x:.3f}, %{y:.3f}<extra></extra>",
    }


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 4) for value in values]


def _star(
    series: ThresholdSeries, x: Sequence[float | None], y: Sequence[float | None]
) -> dict[str, Any]:
    look = {"color": theme.series_style(series.style)["color"], "symbol": "star", "size": 13}
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "best on validation",
        "legendgroup": series.label,
        "x": list(x),
        "y": list(y),
        "marker": look | {"line": {"color": theme.PAPER, "width": 1}},
        "hoverinfo": "skip",
    }


def _figure(traces: list[dict[str, Any]], horizontal: str, vertical: str) -> go.Figure:
    return go.Figure(
        data=traces,
        layout=theme.layout(
            290,
            xaxis=theme.axis(horizontal, range=[0, 1]),
            yaxis=theme.axis(vertical, range=[0, 1.02]),
            margin={"l": 50, "r": 12, "t": 8, "b": 44},
        ),
    )


def thresholds_summary(panel: ThresholdPanel) -> str:
    """Say in a sentence which threshold is best, and what it comes to on test."""
    series = panel.series[-1]
    if series.best is None or series.val is None:
        return f"{plural(len(panel.series), 'winner')}; no threshold is chosen."
    at = f"{series.thresholds[series.best]:g}"
    text = f"{series.label}: best validation IoU {score(series.val.iou[series.best])} at {at}"
    if series.test is not None:
        text += f", test IoU there {score(series.test.iou[series.best])}"
    return f"{text}."
