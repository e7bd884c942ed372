"""How large may a batch be? The largest that fits on each GPU, against the size of images.

Lines are predicted: a step takes a fixed part and as much again for every image (see
`trackers.memory_records`), found by two steps of each setting. Marks are what trials met on a GPU:
batches that it held, and those that it had no memory for.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports import theme
from reports.notation import configuration_label, plural, short_label
from trackers.memory_fit import telling_settings
from trackers.memory_records import GPU_SIZES_GB, MIB_PER_GB, MemoryRecord
from trackers.records import CellRecord, JsonValue, StudyRecord, TrialRecord

SIZE = "data.image_size"
RAN_OUT = re.compile(r"out of memory at micro-batch (\d+)")  # of `studies.running.failure_policy`
MOST_IMAGES = 4096  # a larger batch is drawn as this one
NOTHING = 0.5  # where "not even one image" is drawn, on an axis of doublings


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest batch of some settings on one GPU."""

    x: float | str  # image size in pixels, or what tells the settings apart
    images: int  # 0: not even one fits


@dataclass(frozen=True, slots=True)
class Met:
    """What trials of some settings met on a GPU."""

    x: float | str
    images: int  # of a micro-batch
    fits: bool
    device: str
    trials: int


@dataclass(frozen=True, slots=True)
class Frontier:
    """The limits of settings that differ in the size of images alone, or in anything."""

    label: str  # of the settings; "" where there is only one such figure
    axis: str
    limits: Mapping[int, tuple[Limit, ...]]  # by the GPU's size in GB
    met: tuple[Met, ...]
    is_measured: bool  # the two steps, on a GPU


def most_images(record: MemoryRecord, gpu_mb: float) -> int:
    """Return the largest micro-batch that fits: 0 if none does, at most `MOST_IMAGES`."""
    if record.need_mb(1) > gpu_mb:
        return 0
    each = record.need_mb(2) - record.need_mb(1)
    if each <= 0:
        return MOST_IMAGES
    return min(MOST_IMAGES, 1 + math.floor((gpu_mb - record.need_mb(1)) / each + 1e-9))


def frontiers(study: StudyRecord) -> tuple[Frontier, ...]:
    """Compute the limits of a study's settings; () where nobody looked."""
    told = telling_settings(study.memory)
    by_size = _are_sizes(told)
    grouped: dict[str, list[tuple[float | str, MemoryRecord]]] = {}
    for settings, record in zip(told, study.memory, strict=True):
        rest = {path: value for path, value in settings.items() if path != SIZE}
        size = settings.get(SIZE)
        if by_size and isinstance(size, int | float):
            label, x = configuration_label(rest) if rest else "", float(size)
            grouped.setdefault(label, []).append((x, record))
        else:
            x_text = short_label(settings) if settings else "all cells"
            grouped.setdefault("", []).append((x_text, record))
    axis = "image size, pixels" if by_size else "settings"
    return tuple(_frontier(study, label, axis, each) for label, each in grouped.items())


def _are_sizes(told: Sequence[Mapping[str, JsonValue]]) -> bool:
    return bool(told) and all(isinstance(each.get(SIZE), int | float) for each in told)


def _frontier(
    study: StudyRecord, label: str, axis: str, members: Sequence[tuple[float | str, MemoryRecord]]
) -> Frontier:
    ordered = sorted(members, key=lambda each: (isinstance(each[0], str), each[0]))
    limits = {
        gb: tuple(Limit(x, most_images(record, gb * MIB_PER_GB)) for x, record in ordered)
        for gb in GPU_SIZES_GB
    }
    met = tuple(each for x, record in ordered for each in _met(study, record, x))
    return Frontier(label, axis, limits, met, all(r.is_measured for _, r in ordered))


def _met(study: StudyRecord, record: MemoryRecord, x: float | str) -> list[Met]:
    counts: dict[tuple[int, bool, str], int] = {}
    for cell in study.cells.values():
        if _has(cell, record):
            for trial in cell.trials:
                if (images := _images(trial)) is not None:
                    key = (images[0], images[1], trial.device)
                    counts[key] = counts.get(key, 0) + 1
    return [Met(x, images, fits, dev, n) for (images, fits, dev), n in sorted(counts.items())]


def _has(cell: CellRecord, record: MemoryRecord) -> bool:
    """Tell whether a cell has the settings of a record, as far as cells name them."""
    return all(
        cell.settings.get(path) == value
        for path, value in record.settings.items()
        if path in cell.settings
    )


def _images(trial: TrialRecord) -> tuple[int, bool] | None:
    """Return the micro-batch that a GPU held, or had no memory for; None: it says nothing."""
    if not trial.device.startswith("cuda"):
        return None
    if ran_out := RAN_OUT.search(trial.reason):
        return int(ran_out[1]), False
    held = trial.effective.get("micro_batch")
    return (held, True) if isinstance(held, int) and trial.ended_at is not None else None


def frontier_figure(frontier: Frontier) -> go.Figure:
    """Draw a line per GPU over doublings of the batch, and what trials met as marks."""
    traces = [
        _line(index, gb, limits) for index, (gb, limits) in enumerate(frontier.limits.items())
    ]
    fits = [each for each in frontier.met if each.fits]
    ran_out = [each for each in frontier.met if not each.fits]
    traces += [
        _marks("held", fits, {"color": theme.WIN, "symbol": "circle", "size": 9}),
        _marks("out of memory", ran_out, {"color": theme.INK, "symbol": "x", "size": 9}),
    ]
    heights = [limit.images for limits in frontier.limits.values() for limit in limits]
    top = max((2, *heights, *(each.images for each in frontier.met)))
    ticks = [2**power for power in range(math.ceil(math.log2(top)) + 1)]
    sizes = sorted({limit.x for limit in next(iter(frontier.limits.values()))}, key=str)
    is_numeric = not any(isinstance(x, str) for x in sizes)
    kind = {"tickvals": sizes} if is_numeric else {"type": "category"}
    return go.Figure(
        data=[trace for trace in traces if trace["x"]],
        layout=theme.layout(
            340,
            xaxis=theme.axis(frontier.axis, **kind),
            yaxis=theme.axis(
                "largest batch at once",
                type="log",
                tickvals=[NOTHING, *ticks],
                ticktext=["none", *(f"{tick:,}" for tick in ticks)],
            ),
            showlegend=True,
            legend=theme.legend(1.02),
            margin={"l": 60, "r": 14, "t": 54, "b": 46},
        ),
    )


def _line(index: int, gb: int, limits: Sequence[Limit]) -> dict[str, Any]:
    style = theme.series_style(index)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{gb} GB",
        "x": [limit.x for limit in limits],
        "y": [limit.images or NOTHING for limit in limits],
        "customdata": [_images_text(limit.images) for limit in limits],
        "line": {"color": style["color"], "dash": style["dash"], "width": 2},
        "marker": {"color": style["color"], "symbol": style["marker"], "size": 6},
        "hovertemplate": "%{fullData.name} at %{x}: %{customdata}<extra></extra>",
    }


def _images_text(images: int) -> str:
    if images == 0:
        return "not even one image"
    return f"{plural(images, 'image')}{' or more' if images == MOST_IMAGES else ''}"


def _marks(name: str, met: Sequence[Met], marker: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [each.x for each in met],
        "y": [each.images for each in met],
        "text": [f"{each.device}, {plural(each.trials, 'trial')}" for each in met],
        "marker": dict(marker),
        "hovertemplate": "%{fullData.name}: %{y} at %{x}<br>%{text}<extra></extra>",
    }


def frontier_summary(frontier: Frontier) -> str:
    """Say in a sentence how the lines were found and what trials met."""
    how = "measured on a GPU" if frontier.is_measured else "counted on a CPU"
    ran_out = sum(each.trials for each in frontier.met if not each.fits)
    held = sum(each.trials for each in frontier.met if each.fits)
    text = f"Lines: predicted from two steps of each setting, {how}."
    if not frontier.met:
        return f"{text} No trial on a GPU confirms them."
    return f"{text} Marks: {plural(held, 'trial')} that a GPU held, {ran_out} out of memory."
