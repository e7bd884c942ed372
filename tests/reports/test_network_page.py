"""Networks beside each other: the order, the words, the Pareto front, and a page that is whole."""

import csv
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from reports.exports.csv_text import csv_text
from reports.figures.network_costs import (
    LARGEST_PX,
    network_costs,
    network_costs_figure,
    network_costs_summary,
)
from reports.network_page import (
    cautions,
    network_contents,
    render_networks,
    sentences,
    write_network_page,
)
from reports.network_record import NetworkRow, NetworksRecord, Published, Timing
from reports.notation import MISSING
from reports.tables.networks import cell_text, columns, csv_table, ms_text, numbers, ordered


def row(label: str, *, top1: float | None, ms: float, millions: float) -> NetworkRow:
    """A network that was measured on the CPU."""
    scored = None if top1 is None else Published(top1, top1 + 0.2, 224, "the paper, table 1")
    return NetworkRow(
        label=label,
        image_size=224,
        weights_mb=4 * millions * 1e6 / 2**20,
        parameters=round(millions * 1e6),
        macs=millions * 1e8,
        cpu=Timing(ms, ms - 0.5, ms + 2, 20),
        published=scored,
    )


# Of the four with a score, `slow` is dearer than `good` and no better: the front is the others.
SMALL = row("small", top1=0.60, ms=5.25, millions=2)
SLOW = row("slow", top1=0.70, ms=40.04, millions=8)
GOOD = row("good", top1=0.70, ms=20.0, millions=6)
BEST = row("best", top1=0.80, ms=1234.5, millions=60)
UNKNOWN = row("unknown", top1=None, ms=1.0, millions=1)
REFUSED = NetworkRow("refused", 50, fault="image size must be 224, got 50; use 224")


@pytest.fixture
def record() -> NetworksRecord:
    return NetworksRecord(
        task="image_classification",
        classes=1000,
        batch_size=1,
        pictures="noise",
        cpu="A <fast> CPU, 2 threads",
        gpu="",
        versions="torch 2.15.0",
        load=0.1,
        rows=(BEST, REFUSED, SLOW, GOOD, SMALL, UNKNOWN),
    )


def test_the_smallest_weights_come_first_and_what_failed_last(record: NetworksRecord) -> None:
    labels = [each.label for each in ordered(record)]
    assert labels == ["unknown", "small", "good", "slow", "best", "refused"]


def test_numbers_are_written_as_in_the_lectures_table(record: NetworksRecord) -> None:
    shown = {column.name: cell_text(column, BEST) for column in columns(record)}
    assert shown == {
        "Pixels": "224",
        "Size, MB": "229",
        "Top-1": "80.0 %",
        "Top-5": "100.0 %",
        "Parameters": "60,000,000",
        "MACs": "6 GMAC",
        "CPU, ms": "1,234",
    }


def test_a_number_that_is_not_known_is_a_dash(record: NetworksRecord) -> None:
    shown = {column.name: cell_text(column, REFUSED) for column in columns(record)}
    assert shown["Pixels"] == "50"
    assert {shown[name] for name in shown if name != "Pixels"} == {MISSING}


def test_a_column_without_a_number_is_left_out(record: NetworksRecord) -> None:
    names = [column.name for column in columns(replace(record, rows=(UNKNOWN,)))]
    assert names == ["Pixels", "Size, MB", "Parameters", "MACs", "CPU, ms"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (5.25, "5.25"), (40.04, "40.0"), (1234.5, "1,234")]
)
def test_milliseconds_have_the_digits_that_count(value: float, text: str) -> None:
    assert ms_text(value) == text


def test_the_csv_has_every_number_unrounded(record: NetworksRecord) -> None:
    lines = list(csv.DictReader(StringIO(csv_text(csv_table(record)))))
    good, refused = lines[2], lines[-1]
    assert list(good) == list(numbers(GOOD))
    assert good["parameters"] == "6000000"
    assert float(good["cpu_slowest_ms"]) == 22.0
    assert good["published_source"] == "the paper, table 1"
    assert good["gpu_ms"] == ""
    assert refused["fault"].startswith("image size must be 224")


def test_the_front_is_what_none_beats_in_both() -> None:
    costs = network_costs([BEST, SLOW, GOOD, SMALL, UNKNOWN])[0]
    assert [point.label for point in costs.points] == ["small", "good", "slow", "best"]
    assert [point.label for point in costs.front] == ["small", "good", "best"]
    assert costs.unscored == ("unknown",)


def test_each_known_cost_has_a_figure() -> None:
    with_gpu = [replace(each, gpu=each.cpu) for each in (BEST, GOOD, SMALL)]
    assert [costs.cost for costs in network_costs(with_gpu)] == [
        "CPU time, ms per picture",
        "GPU time, ms per picture",
        "GMAC per picture",
    ]


def test_two_networks_are_no_figure() -> None:
    assert network_costs([BEST, GOOD, UNKNOWN]) == ()


def test_the_largest_dot_has_the_most_parameters() -> None:
    figure = network_costs_figure(network_costs([BEST, SLOW, GOOD, SMALL])[0])
    beaten, front = figure.data
    assert (beaten.name, front.name) == ("beaten", "front")
    assert list(front.marker.size) == [2e6, 6e6, 60e6]
    # Plotly: diameter = sqrt(size / (sizeref / 2)) for areas
    assert (60e6 / (front.marker.sizeref / 2)) ** 0.5 == pytest.approx(LARGEST_PX)
    assert beaten.marker.sizeref == front.marker.sizeref


def test_the_summary_names_the_front_and_what_is_not_drawn() -> None:
    text = network_costs_summary(network_costs([BEST, SLOW, GOOD, SMALL, UNKNOWN])[0])
    assert text == (
        "3 of 4 networks cannot be beaten in top-1 on ImageNet as published and CPU time, ms per "
        "picture at once: small, good and best. A dot's area is its parameters. Without a score, "
        "and not drawn: unknown."
    )


def test_the_machine_and_the_pictures_are_named(record: NetworksRecord) -> None:
    assert next(iter(sentences(record, ()))) == (
        "5 networks on A <fast> CPU, 2 threads: noise, 1 at a time, 1,000 labels; torch 2.15.0."
    )


def test_a_score_published_for_another_size_is_told(record: NetworksRecord) -> None:
    smaller = replace(record, rows=(GOOD, replace(BEST, image_size=128)), left_out=3)
    assert list(cautions(smaller))[1:] == [
        "Of best they are published for pictures of another size than the one measured here.",
        "It was stopped before 3 networks more.",
    ]


def test_times_of_a_busy_machine_are_told(record: NetworksRecord) -> None:
    assert next(cautions(replace(record, load=4.5))).startswith(
        "The machine was busy when this began (4.5 processes for each core): times are longer"
    )


def test_networks_without_scores_need_no_caution(record: NetworksRecord) -> None:
    assert list(cautions(replace(record, rows=(UNKNOWN,)))) == []


def test_the_page_escapes_and_says_why_a_network_has_no_numbers(record: NetworksRecord) -> None:
    page = render_networks(record, generated_at="now")
    assert "A &lt;fast&gt; CPU" in page
    assert "image size must be 224, got 50; use 224" in page
    assert page == render_networks(record, generated_at="now")


def test_every_figure_has_its_data_as_a_table(record: NetworksRecord) -> None:
    for figure in network_contents(record).figures:
        assert figure.table is not None
        assert len(figure.table.rows) == 4


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_without_a_request_and_nothing_overflows(
    browser: Browser, record: NetworksRecord, tmp_path: Path, width: int, scheme: Any
) -> None:
    write_network_page(record, tmp_path / "networks.html")
    size: Any = {"width": width, "height": 800}
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page, asked, complaints = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", _noting(complaints))

    page.goto((tmp_path / "networks.html").as_uri())
    page.wait_for_selector("html[data-drawn]", state="attached")

    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints == []
    assert page.locator(".plot-area[data-drawn]").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") == width
    context.close()


def _noting(complaints: list[str]) -> Callable[[Any], None]:
    return lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
