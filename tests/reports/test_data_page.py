"""The page about a dataset: its numbers, its words, and how it opens."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from reports.data_page import PLACES, data_contents, render_data, write_data_page
from reports.data_record import (
    ClassRow,
    DataRecord,
    FaultRow,
    LeakRow,
    Picture,
    Place,
    SplitRow,
)
from reports.figures.data_histograms import (
    MOST_CLASSES,
    class_figure,
    class_histogram,
    class_summary,
    histogram,
    size_counts,
    size_summary,
)

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)
CLASSES = (
    ClassRow("car", images={"train": 5, "val": 2}, objects={"train": 9, "val": 2}),
    ClassRow("bus", images={"train": 0, "val": 0}, objects={"train": 0, "val": 0}),
    ClassRow("person", images={"train": 7, "val": 3}, objects={"train": 20, "val": 4}),
)


@pytest.fixture
def data() -> DataRecord:
    """A dataset with a fault of each effect, a leak and a warning."""
    pair = (Picture("train · 1", "", PIXEL), Picture("val · 9", "", PIXEL))
    return DataRecord(
        dataset="coco",
        task="object_detection",
        folder="/data/<coco>",
        noun="image",
        splits=(SplitRow("train", 10, ("4",)), SplitRow("val", 5, ())),
        faults=(
            FaultRow("truncated", "cut", 1, "sample", (Place("train", "4", "file 4 & more"),)),
            FaultRow("zero_area_box", "flat", 3, "box", (Place("train", "2", "box (1, 1)"),)),
            FaultRow("crowd", "many", 2, "nothing", (Place("val", "8", "crowd"),)),
        ),
        classes=CLASSES,
        sizes_hw={"train": ((480, 640), (480, 640), (100, 50)), "val": ((480, 640),)},
        frames={},
        boxes_wh={"train": ((10.0, 20.0), (30.0, 30.0)), "val": ((64.0, 16.0),)},
        pictures=(Picture("train · 4", "truncated", None), Picture("val · 8", "crowd", PIXEL)),
        leaks=(LeakRow("train 1 and val 9 are the same", pair), LeakRow("one more", ())),
        warnings=("data.split.policy 'random' flatters",),
    )


def sound(data: DataRecord) -> DataRecord:
    splits = tuple(replace(split, left_out=()) for split in data.splits)
    return replace(data, splits=splits, faults=(), leaks=(), warnings=())


def test_classes_are_ranked_by_objects() -> None:
    counted = class_histogram(CLASSES, "image")
    assert counted.unit == "objects"
    assert counted.names == ("person", "car")
    assert counted.counts == {"train": (20, 9), "val": (4, 2)}
    assert counted.empty == ("bus",)


def test_classes_without_objects_are_ranked_by_images() -> None:
    counted = class_histogram([replace(row, objects={}) for row in CLASSES], "video")
    assert counted.unit == "videos"
    assert counted.counts["train"] == (7, 5)


def test_only_the_most_frequent_classes_are_drawn() -> None:
    rows = [ClassRow(f"c{n}", {"train": n}, {}) for n in range(1, MOST_CLASSES + 6)]
    counted = class_histogram(rows, "image")
    assert len(counted.names) == MOST_CLASSES
    assert counted.names[0] == f"c{MOST_CLASSES + 5}"
    most = MOST_CLASSES + 5
    assert class_summary(counted) == f"Most: c{most} ({most} images); 5 rarer not drawn."


def test_class_figure_has_a_trace_per_split() -> None:
    figure = class_figure(class_histogram(CLASSES, "image"))
    assert [trace.name for trace in figure.data] == ["train", "val"]
    assert list(figure.data[0].x) == [20, 9]


def test_summary_of_classes_names_the_extremes_and_the_empty() -> None:
    text = class_summary(class_histogram(CLASSES, "image"))
    assert text == "Most: person (24 objects); fewest: car (11); without any: bus (1)."


def test_pictures_of_one_size_are_one_point(data: DataRecord) -> None:
    train, val = size_counts(data.sizes_hw)
    assert list(zip(train.width, train.height, train.count, strict=True)) == [
        (640, 480, 2),
        (50, 100, 1),
    ]
    assert val.count == (1,)
    assert size_summary((train, val)) == "2 sizes: 50 to 640 pixels wide, 100 to 480 high."


def test_histogram_counts_as_numpy_does() -> None:
    values = np.random.default_rng(0).lognormal(3, 1, 500)
    found = histogram("side", "boxes", {"train": values.tolist()})
    assert found is not None
    counts = found.shares["train"] * 500
    expected = [
        ((values >= low) & (values < high)).sum()
        for low, high in zip(found.edges[:-1], found.edges[1:], strict=True)
    ]
    np.testing.assert_allclose(counts, expected)
    np.testing.assert_allclose(found.edges[1:] / found.edges[:-1], 2**0.5)


def test_histogram_of_nothing_is_not_drawn() -> None:
    assert histogram("side", "boxes", {"train": [], "val": [0.0]}) is None


def test_a_single_value_has_a_bin() -> None:
    found = histogram("side", "boxes", {"train": [8.0]})
    assert found is not None
    assert found.shares["train"].sum() == 1


def test_verdict_counts_what_is_left_out(data: DataRecord) -> None:
    assert (
        data_contents(data).verdict == "1 image and 3 boxes cannot be used and will be left out."
    )


def test_verdict_of_sound_data(data: DataRecord) -> None:
    page = data_contents(sound(data))
    assert page.verdict == "Every image and every annotation can be used."
    assert page.sentences == (
        "15 images were looked at: 10 train and 5 val.",
        "No image was found in two splits.",
    )


def test_verdict_of_leaks_alone(data: DataRecord) -> None:
    leaking = replace(sound(data), leaks=data.leaks)
    assert data_contents(leaking).verdict == (
        "Every image can be used, but the splits are not independent."
    )


def test_effects_are_in_words(data: DataRecord) -> None:
    assert [fault.effect for fault in data_contents(data).faults] == [
        "image left out",
        "box left out, the rest of its image used",
        "used as it is",
    ]


def test_places_beyond_the_first_are_counted(data: DataRecord) -> None:
    many = tuple(Place("train", str(n), "cut") for n in range(PLACES + 7))
    crowded = replace(data, faults=(replace(data.faults[0], places=many),))
    assert data_contents(crowded).faults[0].unlisted == 7
    assert "7 more are not listed" in render_data(crowded)


def test_videos_have_a_figure_of_their_lengths(data: DataRecord) -> None:
    videos = replace(data, noun="video", frames={"train": (100, 200, 300)}, boxes_wh={})
    lengths = data_contents(videos).sizes[-1]
    assert (lengths.id, lengths.summary) == ("lengths", "3 videos, the median is 200.")


def test_text_is_escaped(data: DataRecord) -> None:
    page = render_data(data)
    assert "/data/&lt;coco&gt;" in page
    assert "file 4 &amp; more" in page


def test_same_record_gives_the_same_bytes(data: DataRecord, tmp_path: Path) -> None:
    assert render_data(data, generated_at="now") == render_data(data, generated_at="now")
    write_data_page(data, tmp_path / "new" / "data.html")
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["data.html"]


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., tuple[Page, list[str]]]]:
    """Return a function that opens a page offline: the page, and what it complained about."""
    contexts = []

    def open_page(record: DataRecord, width: int = 1280) -> tuple[Page, list[str]]:
        write_data_page(record, tmp_path / "data.html")
        size: Any = {"width": width, "height": 800}
        contexts.append(browser.new_context(offline=True, viewport=size))
        page, complaints = contexts[-1].new_page(), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.goto((tmp_path / "data.html").as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        assert page.locator(".plot-area[data-drawn]").count() == 4
        return page, complaints

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_page_opens_quietly_and_nothing_overflows(
    opened: Callable[..., tuple[Page, list[str]]], data: DataRecord, width: int
) -> None:
    page, complaints = opened(data, width)
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator(".sample.faulty").count() == 2
    assert page.locator("#leaks .pair").count() == 1
