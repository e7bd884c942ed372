"""Networks beside each other as printed text: the lecture's table, measured here.

Rows are ordered by the size of the weights, the smallest first; what could not be measured is at
the end, with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reports.exports.blocks import Table
from reports.network_record import NetworkRow, NetworksRecord, Timing
from reports.notation import MISSING, macs

Cell = Callable[[NetworkRow], float | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One number of each network."""

    name: str  # with its unit
    value: Cell  # what is sorted by
    text: Callable[[float], str]


def ordered(record: NetworksRecord) -> tuple[NetworkRow, ...]:
    """Return the rows, the smallest weights first, those with a fault last."""
    return tuple(sorted(record.rows, key=lambda row: (bool(row.fault), row.weights_mb or 0.0)))


def columns(record: NetworksRecord) -> tuple[Column, ...]:
    """Return the columns that at least one network has a number in."""
    every = (
        Column("Pixels", lambda row: row.image_size, _whole),
        Column("Size, MB", lambda row: row.weights_mb, _size),
        Column("Top-1", lambda row: row.top1, _share),
        Column("Top-5", lambda row: row.top5, _share),
        Column("Parameters", lambda row: row.parameters, _whole),
        Column("MACs", lambda row: row.macs, macs),
        Column("CPU, ms", lambda row: row.cpu_ms, ms_text),
        Column("GPU, ms", lambda row: row.gpu_ms, ms_text),
    )
    return tuple(c for c in every if any(c.value(row) is not None for row in record.rows))


def cell_text(column: Column, row: NetworkRow) -> str:
    """Write a network's number, a dash where it has none."""
    value = column.value(row)
    return MISSING if value is None else column.text(value)


def numbers(row: NetworkRow) -> dict[str, str | float | None]:
    """Return everything known of a network, for programs: shares in [0, 1], None where unknown."""
    published = row.published
    return {
        "network": row.label,
        "image_size": row.image_size,
        "weights_mb": row.weights_mb,
        "parameters": row.parameters,
        "macs": row.macs,
        "top1": row.top1,
        "top5": row.top5,
        "published_image_size": None if published is None else published.image_size,
        "published_source": None if published is None else published.source,
        **_times("cpu", row.cpu),
        **_times("gpu", row.gpu),
        "fault": row.fault,
    }


def _times(device: str, timing: Timing | None) -> dict[str, float | None]:
    return {
        f"{device}_ms": None if timing is None else timing.median_ms,
        f"{device}_fastest_ms": None if timing is None else timing.fastest_ms,
        f"{device}_slowest_ms": None if timing is None else timing.slowest_ms,
        f"{device}_passes": None if timing is None else timing.passes,
    }


def csv_table(record: NetworksRecord) -> Table:
    """Return the same as a table, one line for each network."""
    found = [numbers(row) for row in ordered(record)]
    return Table(
        id="networks",
        title="Networks by what they take and reach",
        columns=tuple(numbers(NetworkRow("", 0))),
        rows=tuple(
            tuple("" if value is None else str(value) for value in row.values()) for row in found
        ),
    )


def spread_text(timing: Timing | None) -> str:
    """Write the fastest and the slowest pass: "12.1 to 13.0"."""
    if timing is None:
        return MISSING
    return f"{ms_text(timing.fastest_ms)} to {ms_text(timing.slowest_ms)}"


def ms_text(value: float) -> str:
    """Write milliseconds with three digits that count, or all of those before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _size(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
