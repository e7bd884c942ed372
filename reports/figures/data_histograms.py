"""What is in a dataset: how often each class occurs, how large pictures and boxes are.

Each `…_counts` computes, each `…_figure` draws.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reports import theme
from reports.data_record import ClassRow

MOST_CLASSES = 60  # bars of a figure; the rest is in words
ROW_PX = 20
BINS_PER_DOUBLING = 2
LEGEND = theme.legend(1.0)


@dataclass(frozen=True, slots=True)
class ClassHistogram:
    """How often the most frequent classes occur."""

    unit: str  # "objects", "images" or "videos"
    names: tuple[str, ...]  # most frequent first
    counts: Mapping[str, tuple[int, ...]]  # split -> count per name
    unshown: int  # classes that occur and have no bar
    empty: tuple[str, ...]  # classes that do not occur at all


@dataclass(frozen=True, slots=True)
class SizeCounts:
    """Sizes of pictures; those of one size are one point."""

    split: str
    width: tuple[int, ...]  # pixels
    height: tuple[int, ...]
    count: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of values in bins of equal ratio."""

    quantity: str  # what is measured, with its unit
    noun: str  # what has it: "boxes" or "videos"
    edges: NDArray[np.float64]  # (bins + 1,) ascending
    shares: Mapping[str, NDArray[np.float64]]  # split -> (bins,), each sums to 1


def class_histogram(classes: Sequence[ClassRow], noun: str) -> ClassHistogram:
    """Rank classes by how often they occur in all splits together."""
    by_object = any(row.objects for row in classes)
    counted = {row.name: row.objects if by_object else row.images for row in classes}
    total = {name: sum(counts.values()) for name, counts in counted.items()}
    ranked = sorted((name for name in total if total[name]), key=lambda name: -total[name])
    splits = list(dict.fromkeys(split for counts in counted.values() for split in counts))
    shown = ranked[:MOST_CLASSES]
    return ClassHistogram(
        unit="objects" if by_object else f"{noun}s",
        names=tuple(shown),
        counts={s: tuple(counted[name].get(s, 0) for name in shown) for s in splits},
        unshown=len(ranked) - len(shown),
        empty=tuple(name for name in total if not total[name]),
    )


def class_figure(histogram: ClassHistogram) -> go.Figure:
    """Draw one bar per class, its parts the splits."""
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": split,
            "y": list(histogram.names),
            "x": list(counts),
            "marker": {"color": theme.series_style(index)["color"]},
            "hovertemplate": f"%{{y}}, {split}: %{{x:,}} {histogram.unit}<extra></extra>",
        }
        for index, (split, counts) in enumerate(histogram.counts.items())
    ]
    return go.Figure(
        data=traces,
        layout=theme.layout(
            110 + ROW_PX * len(histogram.names),
            xaxis=theme.axis(histogram.unit, rangemode="tozero"),
            yaxis=theme.axis(autorange="reversed", nticks=0, type="category", dtick=1),
            barmode="stack",
            bargap=0.3,
            showlegend=len(traces) > 1,
            legend=LEGEND | {"traceorder": "normal"},
            margin={"l": 48, "r": 14, "t": 40, "b": 44},
        ),
    )


def class_summary(histogram: ClassHistogram) -> str:
    """Say which class is most and least frequent, and what the figure does not show."""
    if not histogram.names:
        return "No class occurs."
    totals = [sum(counts) for counts in zip(*histogram.counts.values(), strict=True)]
    parts = [f"Most: {histogram.names[0]} ({totals[0]:,} {histogram.unit})"]
    if len(totals) > 1 and not histogram.unshown:
        parts.append(f"fewest: {histogram.names[-1]} ({totals[-1]:,})")
    if histogram.unshown:
        parts.append(f"{histogram.unshown:,} rarer not drawn")
    if histogram.empty:
        named = ", ".join(histogram.empty[:12]) + (", …" if len(histogram.empty) > 12 else "")
        parts.append(f"without any: {named} ({len(histogram.empty)})")
    return f"{'; '.join(parts)}."


def size_counts(sizes_hw: Mapping[str, Sequence[tuple[int, int]]]) -> tuple[SizeCounts, ...]:
    """Count pictures of the same size, per split."""
    found = []
    for split, sizes in sizes_hw.items():
        counts = Counter(sizes).most_common()
        heights, widths = zip(*(size for size, _ in counts), strict=True) if counts else ((), ())
        number = tuple(count for _, count in counts)
        found.append(SizeCounts(split, tuple(widths), tuple(heights), number))
    return tuple(found)


def size_figure(counts: Sequence[SizeCounts]) -> go.Figure:
    """Draw a disc per size, its area by how many pictures have it."""
    most = max((n for each in counts for n in each.count), default=1)
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": each.split,
            "x": list(each.width),
            "y": list(each.height),
            "customdata": list(each.count),
            "marker": {
                "color": theme.series_style(index)["color"],
                "symbol": theme.series_style(index)["marker"],
                "opacity": 0.7,
                "size": list(each.count),
                "sizemode": "area",
                "sizeref": 2 * most / 34**2,
                "sizemin": 4,
            },
            "hovertemplate": f"%{{x}} x %{{y}}, {each.split}: %{{customdata:,}}<extra></extra>",
        }
        for index, each in enumerate(counts)
    ]
    return go.Figure(
        data=traces,
        layout=theme.layout(
            320,
            xaxis=theme.axis("width, pixels", rangemode="tozero"),
            yaxis=theme.axis("height, pixels", rangemode="tozero"),
            showlegend=len(traces) > 1,
            legend=LEGEND | {"itemsizing": "constant"},
            margin={"l": 56, "r": 14, "t": 40, "b": 46},
        ),
    )


def size_summary(counts: Sequence[SizeCounts]) -> str:
    """Say how many sizes there are, and the range of their sides."""
    sizes = {size for each in counts for size in zip(each.width, each.height, strict=True)}
    if not sizes:
        return "Nothing could be decoded."
    widths, heights = zip(*sizes, strict=True)
    if len(sizes) == 1:
        return f"All are {widths[0]} x {heights[0]} pixels."
    return f"{len(sizes):,} sizes: {_range(widths)} pixels wide, {_range(heights)} high."


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return str(low) if low == high else f"{low} to {high}"


def histogram(quantity: str, noun: str, values: Mapping[str, Sequence[float]]) -> Histogram | None:
    """Put positive values into bins of half a doubling; None when there is no value."""
    every = np.array([value for each in values.values() for value in each if value > 0])
    if every.size == 0:
        return None
    low, high = np.floor(np.log2(every.min())), np.ceil(np.log2(every.max()))
    bins = max(1, int(high - low)) * BINS_PER_DOUBLING
    edges = 2 ** np.linspace(low, max(high, low + 1), bins + 1)
    shares = {}
    for split, each in values.items():
        positive = np.array([value for value in each if value > 0])
        if positive.size:
            shares[split] = np.histogram(positive, edges)[0] / positive.size
    return Histogram(quantity, noun, edges, shares)


def histogram_figure(found: Histogram) -> go.Figure:
    """Draw a step line per split over a logarithmic axis."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": split,
            "x": found.edges.tolist(),
            "y": [*shares.tolist(), float(shares[-1])],
            "line": {
                "shape": "hv",
                "width": 2,
                "color": theme.series_style(index)["color"],
                "dash": theme.series_style(index)["dash"],
            },
            "hovertemplate": f"from %{{x:.3g}}, {split}: %{{y:.1%}}<extra></extra>",
        }
        for index, (split, shares) in enumerate(found.shares.items())
    ]
    doublings = float(np.log2(found.edges[-1] / found.edges[0]))
    step = math.ceil(doublings / theme.TICKS) * math.log10(2)
    start = math.log10(found.edges[0])
    return go.Figure(
        data=traces,
        layout=theme.layout(
            280,
            xaxis=theme.axis(found.quantity, type="log", tick0=start, dtick=step, nticks=0)
            | {"tickangle": 0, "tickformat": "~g"},
            yaxis=theme.axis(f"share of {found.noun}", tickformat=".0%", rangemode="tozero"),
            showlegend=len(traces) > 1,
            legend=LEGEND,
            margin={"l": 56, "r": 14, "t": 40, "b": 46},
        ),
    )
