"""One self-contained HTML file about networks: what does each take, and which are worth it?

`network_contents` computes, `render_networks` draws; the page loads nothing from the network.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reports.figures.embedding import EmbeddedFigure, embed
from reports.figures.network_costs import (
    NetworkCosts,
    network_costs,
    network_costs_figure,
    network_costs_summary,
)
from reports.network_record import NetworkRow, NetworksRecord
from reports.notation import join_words, plural, slug
from reports.tables.environment import moment_text
from reports.tables.networks import (
    Column,
    cell_text,
    columns,
    ordered,
    spread_text,
)
from reports.templating import template_environment, write_page

BUSY = 0.5  # processes for each core, from which on they slow each other down


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A number as it is printed, and as it is sorted by."""

    text: str
    value: float | None
    note: str = ""  # what a pointer resting on it is told


@dataclass(frozen=True, slots=True)
class ShownNetwork:
    """A network as a row of the table."""

    label: str
    cells: tuple[ShownCell, ...]
    source: str
    fault: str


@dataclass(frozen=True, slots=True)
class NetworkContents:
    """The page, section by section."""

    record: NetworksRecord
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]
    figures: tuple[EmbeddedFigure, ...]
    columns: tuple[Column, ...]
    rows: tuple[ShownNetwork, ...]


def render_networks(record: NetworksRecord, *, generated_at: str | None = None) -> str:
    """Return the page; the same record and `generated_at` give the same bytes."""
    moment = generated_at or moment_text(datetime.now(UTC))
    template = template_environment().get_template("networks.html.j2")
    return template.render(page=network_contents(record), generated_at=moment)


def write_network_page(record: NetworksRecord, file: Path) -> None:
    """Write the page; a reader never sees half a file."""
    write_page(render_networks(record), file)


def network_contents(record: NetworksRecord) -> NetworkContents:
    """Compute every section of the page."""
    costs, shown = network_costs(record.measured), columns(record)
    return NetworkContents(
        record=record,
        sentences=tuple(sentences(record, costs)),
        cautions=tuple(cautions(record)),
        figures=tuple(_figure(each) for each in costs),
        columns=shown,
        rows=tuple(_shown(row, shown) for row in ordered(record)),
    )


def sentences(record: NetworksRecord, costs: tuple[NetworkCosts, ...]) -> Iterator[str]:
    """Say what was measured on what, and which networks are worth their cost."""
    devices = join_words(each for each in (record.cpu, record.gpu) if each)
    yield (
        f"{plural(len(record.measured), 'network')} on {devices}: {record.pictures}, "
        f"{record.batch_size} at a time, {plural(record.classes, 'label')}; {record.versions}."
    )
    for each in costs:
        names = join_words(point.label for point in each.front)
        yield f"By {each.cost}, no network is both cheaper and better than {names}."


def cautions(record: NetworksRecord) -> Iterator[str]:
    """Say what a reader may take for more than it is."""
    if record.load > BUSY:
        yield (
            f"The machine was busy when this began ({record.load:.1f} processes for each core): "
            "times are longer than on a quiet one, and not by the same factor for all."
        )
    scored = [row for row in record.measured if row.published is not None]
    if scored:
        yield (
            "Top-1 and top-5 are those that the weights' authors publish for ImageNet, not "
            "measured here: on other pictures the order may be another."
        )
    other = [row for row in scored if not row.is_published_size]
    if other:
        yield (
            f"Of {join_words(row.label for row in other)} they are published for pictures of "
            "another size than the one measured here."
        )
    if record.left_out:
        yield f"It was stopped before {plural(record.left_out, 'network')} more."


def _figure(costs: NetworkCosts) -> EmbeddedFigure:
    return embed(
        network_costs_figure(costs),
        f"networks-{slug(costs.cost)}",
        title=f"Published top-1 against {costs.cost}",
        summary=network_costs_summary(costs),
    )


def _shown(row: NetworkRow, shown: tuple[Column, ...]) -> ShownNetwork:
    timings = {"CPU, ms": row.cpu, "GPU, ms": row.gpu}
    cells = []
    for column in shown:
        timing = timings.get(column.name)
        note = (
            f"{spread_text(timing)} ms, {plural(timing.passes, 'measurement')}" if timing else ""
        )
        cells.append(ShownCell(cell_text(column, row), column.value(row), note))
    source = row.published.source if row.published else ""
    return ShownNetwork(row.label, tuple(cells), source, row.fault)
