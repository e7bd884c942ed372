"""What do detectors get wrong? What AP50 gains when each kind of error alone is mended.

The kinds are TIDE's (Bolya et al. 2020); trials keep counts and gains, which are averaged over
seeds here. Gains do not add up: errors hide each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.kept_json import kept_of_seeds
from reports.measurements import finite, mean
from reports.notation import plural, signed
from reports.winners import Winner, winners
from trackers.records import StudyRecord

BAR_HEIGHT = 14  # pixels of a bar


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One kind of error of one winner."""

    kind: str
    count: float  # mean over seeds
    gain: float | None  # of AP50 when mended, mean over seeds


@dataclass(frozen=True, slots=True)
class ErrorBreakdown:
    """One winner's errors."""

    label: str
    split: str  # "test" where it was scored, else "val"
    seeds: int
    ap50: float | None
    right: float  # detections
    kinds: tuple[ErrorKind, ...]

    @property
    def worst(self) -> ErrorKind | None:
        """The kind that costs most."""
        costly = [kind for kind in self.kinds if kind.gain is not None]
        return max(costly, key=lambda kind: kind.gain or 0.0, default=None)


def error_breakdowns(study: StudyRecord) -> tuple[ErrorBreakdown, ...]:
    """Collect the errors of every stage winner that kept them."""
    return tuple(
        _breakdown(winner, split, kept)
        for winner in winners(study)
        for split, kept in [kept_of_seeds(winner.cells, "detection_errors")]
        if kept
    )


def _breakdown(winner: Winner, split: str, kept: Sequence[Mapping[str, Any]]) -> ErrorBreakdown:
    kinds = []
    for index, first in enumerate(kept[0]["errors"]):
        seeds = [content["errors"][index] for content in kept]
        count = mean(float(seed["count"]) for seed in seeds) or 0.0
        gain = mean(finite(seed["ap50_gain"]) for seed in seeds)
        kinds.append(ErrorKind(str(first["kind"]), count, gain))
    return ErrorBreakdown(
        label=winner.name,
        split=split,
        seeds=len(kept),
        ap50=mean(finite(content["ap50"]) for content in kept),
        right=mean(float(content["right"]) for content in kept) or 0.0,
        kinds=tuple(kinds),
    )


def errors_figure(breakdowns: Sequence[ErrorBreakdown]) -> go.Figure:
    """Draw a bar per kind and winner, the best winner's on top of each group."""
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": each.label,
            "y": [kind.kind for kind in each.kinds],
            "x": [None if kind.gain is None else round(kind.gain, 4) for kind in each.kinds],
            "customdata": [round(kind.count, 1) for kind in each.kinds],
            "marker": {"color": theme.series_style(style)["color"]},
            "hovertemplate": "%{fullData.name}<br>%{y}: %{customdata:,} errors, AP50 %{x:+.3f} "
            "when mended<extra></extra>",
        }
        for style, each in enumerate(breakdowns)
    ]
    rows = len(breakdowns[0].kinds) if breakdowns else 0
    return go.Figure(
        data=traces,
        layout=theme.layout(
            90 + rows * (BAR_HEIGHT * len(breakdowns) + 14),
            barmode="group",
            bargap=0.35,
            xaxis=theme.axis("AP50 gained when mended", rangemode="tozero"),
            yaxis=theme.axis("", type="category", autorange="reversed", showgrid=False),
            margin={"l": 100, "r": 12, "t": 8, "b": 44},
        ),
    )


def errors_summary(breakdowns: Sequence[ErrorBreakdown]) -> str:
    """Say in a sentence which kind of error costs the last winner most."""
    last = breakdowns[-1]
    text = f"{plural(len(breakdowns), 'winner')}; {last.label}"
    if last.worst is None:
        return f"{text} has no AP50."
    return f"{text} would gain most without {last.worst.kind} errors: {signed(last.worst.gain)}."
