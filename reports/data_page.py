"""One self-contained HTML file about a dataset: is it sound, and what is in it?

`data_contents` computes, `render_data` draws; the page loads nothing from the network.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from reports.data_record import DataRecord, FaultRow
from reports.figures.data_histograms import (
    Histogram,
    class_figure,
    class_histogram,
    class_summary,
    histogram,
    histogram_figure,
    size_counts,
    size_figure,
    size_summary,
)
from reports.figures.embedding import EmbeddedFigure, embed
from reports.notation import join_words, plural, sentence_case
from reports.tables.environment import moment_text
from reports.templating import template_environment, write_page

PLACES = 100  # of a kind of fault, listed
EFFECTS = {
    "sample": "{noun} left out",
    "unused": "{noun} not used: nothing in it to learn",
    "box": "box left out, the rest of its {noun} used",
    "nothing": "used as it is",
}


@dataclass(frozen=True, slots=True)
class ShownFault:
    """A kind of fault as a row of the table."""

    row: FaultRow
    words: str  # "zero area box"
    effect: str
    unlisted: int  # places beyond those listed


@dataclass(frozen=True, slots=True)
class DataContents:
    """The page, section by section."""

    data: DataRecord
    verdict: str
    sentences: tuple[str, ...]
    occurring: int  # classes with an image or video
    faults: tuple[ShownFault, ...]
    figures: tuple[EmbeddedFigure, ...]  # classes
    sizes: tuple[EmbeddedFigure, ...]  # pictures and boxes


def render_data(data: DataRecord, *, generated_at: str | None = None) -> str:
    """Return the page of a dataset; the same record and `generated_at` give the same bytes."""
    moment = generated_at or moment_text(datetime.now(UTC))
    template = template_environment().get_template("data.html.j2")
    return template.render(page=data_contents(data), generated_at=moment, places=PLACES)


def write_data_page(data: DataRecord, file: Path) -> None:
    """Write the page of a dataset; a reader never sees half a file."""
    write_page(render_data(data), file)


def data_contents(data: DataRecord) -> DataContents:
    """Compute every section of the page."""
    return DataContents(
        data=data,
        verdict=_verdict(data),
        sentences=tuple(_sentences(data)),
        occurring=sum(any(row.images.values()) for row in data.classes),
        faults=tuple(_shown(row, data.noun) for row in data.faults),
        figures=_class_figures(data),
        sizes=(*_size_figures(data), *_length_figures(data), *_box_figures(data)),
    )


def _verdict(data: DataRecord) -> str:
    """Say in one sentence whether the data can be used."""
    samples, boxes = (
        sum(row.count for row in data.faults if row.loss == loss) for loss in ("sample", "box")
    )
    parts = [plural(samples, data.noun)] if samples else []
    parts += [_boxes(boxes)] if boxes else []
    if parts:
        return f"{sentence_case(join_words(parts))} cannot be used and will be left out."
    if data.leaks:
        return f"Every {data.noun} can be used, but the splits are not independent."
    return f"Every {data.noun} and every annotation can be used."


def _sentences(data: DataRecord) -> list[str]:
    samples = sum(split.samples for split in data.splits)
    splits = join_words(f"{split.samples:,} {split.name}" for split in data.splits)
    sentences = [f"{plural(samples, data.noun)} were looked at: {splits}."]
    if data.leaks:
        pairs = plural(len(data.leaks), "pair")
        sentences.append(f"{pairs} of {data.noun}s in different splits should not be apart.")
    elif data.leaks is not None:
        sentences.append(f"No {data.noun} was found in two splits.")
    return sentences


def _shown(row: FaultRow, noun: str) -> ShownFault:
    return ShownFault(
        row=row,
        words=row.kind.replace("_", " "),
        effect=EFFECTS[row.loss].format(noun=noun),
        unlisted=max(0, len(row.places) - PLACES),
    )


def _class_figures(data: DataRecord) -> tuple[EmbeddedFigure, ...]:
    counted = class_histogram(data.classes, data.noun)
    if not counted.names:
        return ()
    title = f"{sentence_case(counted.unit)} per class"
    return (embed(class_figure(counted), "classes", title=title, summary=class_summary(counted)),)


def _size_figures(data: DataRecord) -> tuple[EmbeddedFigure, ...]:
    counts = size_counts(data.sizes_hw)
    if not any(each.count for each in counts):
        return ()
    title = f"{sentence_case(data.noun)} sizes"
    return (embed(size_figure(counts), "sizes", title=title, summary=size_summary(counts)),)


def _box_figures(data: DataRecord) -> tuple[EmbeddedFigure, ...]:
    drawn = (
        ("box-sides", "Box sizes", "square root of the area, pixels", _side),
        ("box-shapes", "Box shapes", "width / height", _shape),
    )
    made = []
    for name, title, quantity, measure in drawn:
        values = {
            split: [measure(*each) for each in sizes] for split, sizes in data.boxes_wh.items()
        }
        made += _histogram_figure(name, title, histogram(quantity, "boxes", values), values)
    return tuple(made)


def _length_figures(data: DataRecord) -> tuple[EmbeddedFigure, ...]:
    found = histogram("frames", "videos", data.frames)
    return tuple(_histogram_figure("lengths", "Video lengths", found, data.frames))


def _histogram_figure(
    name: str, title: str, found: Histogram | None, values: Mapping[str, Sequence[float]]
) -> list[EmbeddedFigure]:
    """Embed a histogram with the middle of its values in words; nothing where there is none."""
    if found is None:
        return []
    every = [value for each in values.values() for value in each]
    summary = f"{len(every):,} {found.noun}, the median is {median(every):.3g}."
    return [embed(histogram_figure(found), name, title=title, summary=summary)]


def _side(width: float, height: float) -> float:
    return math.sqrt(width * height)


def _shape(width: float, height: float) -> float:
    return width / height


def _boxes(count: int) -> str:
    return f"{count:,} box" if count == 1 else f"{count:,} boxes"
