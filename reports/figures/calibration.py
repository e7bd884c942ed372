"""Is a network as often right as it is sure? Accuracy against confidence of each stage's winner.

The reliability diagram of Guo et al. 2017, figure 1: a bar for each bin of the confidence, and the
diagonal on which a calibrated network's bars would end. Bins of several seeds are put together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.kept_json import kept_of_seeds
from reports.measurements import finite, mean
from reports.notation import SPLIT_WORDS, plural, score, sentence_case
from reports.winners import Winner, winners
from trackers.records import StudyRecord

FAINTEST = 0.2  # opacity of a bar of nearly no images; that of the most is 1
LEAST_EXCESS = 0.0005  # of a probability: less is nothing in three decimals


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """The images of which a network is about equally sure, of all seeds."""

    low: float  # of the confidence, not included
    high: float
    count: int  # above 0
    confidence: float  # mean
    accuracy: float  # share that is right


@dataclass(frozen=True, slots=True)
class CalibrationPanel:
    """One winner's bins, the least sure first; empty ones are left out."""

    label: str
    split: str  # "test" where it was scored, else "val"
    networks: int  # one per seed, or fold and seed
    error: float  # expected calibration error, mean over seeds
    bins: tuple[CalibrationBin, ...]

    @property
    def excess(self) -> float:
        """How much surer the network is, over all images, than it is right; below 0: less sure."""
        count = sum(each.count for each in self.bins)
        return sum(each.count * (each.confidence - each.accuracy) for each in self.bins) / count


def calibration_panels(study: StudyRecord) -> tuple[CalibrationPanel, ...]:
    """Collect the bins of every stage winner that kept them."""
    panels = (
        _panel(winner, split, kept)
        for winner in winners(study)
        for split, kept in [kept_of_seeds(winner.cells, "calibration")]
        if kept
    )
    return tuple(panel for panel in panels if panel.bins)


def _panel(winner: Winner, split: str, kept: Sequence[Mapping[str, Any]]) -> CalibrationPanel:
    columns = zip(*(content["bins"] for content in kept), strict=True)
    return CalibrationPanel(
        label=winner.name,
        split=split,
        networks=len(kept),
        error=mean(finite(content["ece"]) for content in kept) or 0.0,
        bins=tuple(made for column in columns if (made := _bin(column))),
    )


def _bin(seeds: Sequence[Mapping[str, Any]]) -> CalibrationBin | None:
    """Put a bin of several seeds together; None where it is empty in all."""
    filled = [each for each in seeds if each["count"]]
    count = sum(int(each["count"]) for each in filled)
    if not count:
        return None
    confidence, accuracy = (
        sum(int(each["count"]) * float(each[name]) for each in filled) / count
        for name in ("confidence", "accuracy")
    )
    first = filled[0]
    return CalibrationBin(float(first["from"]), float(first["to"]), count, confidence, accuracy)


def calibration_figure(panel: CalibrationPanel) -> go.Figure:
    """Draw a bar per bin at its place, as high as its accuracy, and the diagonal."""
    most = max(each.count for each in panel.bins)
    bars = {
        "type": "bar",
        "name": "accuracy",
        "x": [round((each.low + each.high) / 2, 4) for each in panel.bins],
        "width": [round(each.high - each.low, 4) for each in panel.bins],
        "y": [round(each.accuracy, 4) for each in panel.bins],
        "customdata": [[each.count, score(each.confidence)] for each in panel.bins],
        "marker": {
            "color": theme.SERIES[4],
            "opacity": [round(FAINTEST + (1 - FAINTEST) * b.count / most, 2) for b in panel.bins],
            "line": {"color": theme.CARD, "width": 1},
        },
        "hovertemplate": "confidence about %{x:.2f} (mean %{customdata[1]}): %{y:.3f} of "
        "%{customdata[0]:,} images are right<extra></extra>",
    }
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "name": "as right as sure",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": theme.INK, "dash": "dash", "width": 1.4},
        "hoverinfo": "skip",
    }
    return go.Figure(
        data=[bars, diagonal],
        layout=theme.layout(
            300,
            bargap=0,
            xaxis=theme.axis("confidence", range=[0, 1]),
            yaxis=theme.axis("accuracy", range=[0, 1.02]),
            margin={"l": 50, "r": 12, "t": 8, "b": 44},
        ),
    )


def calibration_summary(panel: CalibrationPanel) -> str:
    """Say in a sentence how far the network is from being as right as it is sure."""
    side = "as sure as it is right"
    if abs(panel.excess) >= LEAST_EXCESS:
        side = "surer than it is right" if panel.excess > 0 else "less sure than it is right"
    split = sentence_case(SPLIT_WORDS[panel.split])
    return (
        f"{split} split, {plural(panel.networks, 'network')}: expected calibration error "
        f"{score(panel.error)}; on the whole it is {side}. On the dashed line it would be "
        "neither. The fainter a bar, the fewer its images."
    )
