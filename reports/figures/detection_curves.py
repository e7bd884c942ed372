"""Precision against recall of the stage winners' detections, class by class, at one IoU.

Trials keep, per split, precision at the 101 recalls of COCO's rule, averaged over seeds here.
The mean over its recalls is a class's AP at that IoU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.kept_json import kept_of_seeds
from reports.measurements import finite, mean
from reports.notation import plural, score
from reports.winners import winners
from trackers.records import StudyRecord

MEAN = "mean over classes"
MOST_CLASSES = 12  # that have a panel of their own


@dataclass(frozen=True, slots=True)
class DetectionCurve:
    """One winner's curve of a class, or of the mean over classes; mean over seeds."""

    label: str
    style: int  # see `theme.series_style`
    split: str  # "test" where it was scored, else "val"
    iou: float
    recalls: tuple[float, ...]
    precision: tuple[float, ...]
    ap: float
    truths: int  # objects that count, of one seed
    seeds: int


@dataclass(frozen=True, slots=True)
class DetectionPanel:
    """The winners' curves for one class."""

    class_name: str
    curves: tuple[DetectionCurve, ...]


def detection_panels(study: StudyRecord) -> tuple[DetectionPanel, ...]:
    """Collect the curves of every stage winner, the mean over classes first."""
    panels: dict[str, list[DetectionCurve]] = {}
    for winner in winners(study):
        split, kept = kept_of_seeds(winner.cells, "detection_curves")
        for name in _class_names(kept):
            style = len(panels.get(name, ()))
            curve = _curve(winner.name, kept, name, split=split, style=style)
            if curve is not None:
                panels.setdefault(name, []).append(curve)
    return tuple(DetectionPanel(name, tuple(curves)) for name, curves in panels.items())


def _class_names(kept: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    names = tuple(entry["name"] for entry in kept[0]["classes"]) if kept else ()
    return names if len(names) < 2 else (MEAN, *names[:MOST_CLASSES])


def _curve(
    label: str, kept: Sequence[dict[str, Any]], class_name: str, *, split: str, style: int
) -> DetectionCurve | None:
    """Average a class's curve over seeds; None where the split has no object of it."""
    seeds = [_entries(content, class_name) for content in kept]
    lines = [entry["at_recalls"] for entries in seeds for entry in entries]
    if not lines:
        return None
    precision = tuple(
        mean(finite(v) for v in column) or 0.0 for column in zip(*lines, strict=True)
    )
    return DetectionCurve(
        label=label,
        style=style,
        split=split,
        iou=float(kept[0]["iou"]),
        recalls=tuple(kept[0]["recalls"]),
        precision=precision,
        ap=sum(precision) / len(precision),
        truths=sum(int(entry["truths"]) for entry in seeds[0]),
        seeds=len(kept),
    )


def _entries(content: dict[str, Any], class_name: str) -> list[dict[str, Any]]:
    """Return the class's entry, or those of all classes; without objects there is no curve."""
    return [
        entry
        for entry in content["classes"]
        if class_name in (entry["name"], MEAN) and entry["at_recalls"] is not None
    ]


def detection_curves_figure(panel: DetectionPanel) -> go.Figure:
    """Draw precision against recall, a line per winner."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": curve.label,
            "x": list(curve.recalls),
            "y": [round(value, 4) for value in curve.precision],
            "line": {
                "color": theme.series_style(curve.style)["color"],
                "dash": theme.series_style(curve.style)["dash"],
                "width": 2.2,
            },
            "hovertemplate": "%{fullData.name}<br>recall %{x:.2f}, precision %{y:.3f}"
            "<extra></extra>",
        }
        for curve in panel.curves
    ]
    return go.Figure(
        data=traces,
        layout=theme.layout(
            300,
            xaxis=theme.axis("recall", range=[0, 1]),
            yaxis=theme.axis("precision", range=[0, 1.02]),
            margin={"l": 50, "r": 12, "t": 8, "b": 44},
        ),
    )


def detection_curves_summary(panel: DetectionPanel) -> str:
    """Say in a sentence whose curve encloses most."""
    best = max(panel.curves, key=lambda curve: curve.ap)
    text = f"{plural(len(panel.curves), 'winner')}; most area at IoU {best.iou:g}: "
    return f"{text}{best.label}, AP {score(best.ap)}."
