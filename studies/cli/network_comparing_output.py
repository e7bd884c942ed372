"""Networks beside each other: a table for people, JSON for programs, and how far it is."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from reports.figures.network_costs import network_costs
from reports.network_page import cautions, sentences
from reports.network_record import NetworksRecord
from reports.tables.networks import cell_text, columns, numbers, ordered

FILE_WIDTH = 120  # columns, where the output is no terminal


def print_networks(record: NetworksRecord) -> None:
    """Print the table, which networks are worth what they take, and what cannot be said."""
    console, shown = Console(), columns(record)
    if not console.is_terminal:
        console = Console(width=FILE_WIDTH)  # a name that goes over two lines is hard to search
    table = Table(box=None, pad_edge=False)
    table.add_column("Network", overflow="fold")
    for column in shown:
        table.add_column(column.name, justify="right", no_wrap=True)
    rows = ordered(record)
    for row in rows:
        table.add_row(escape(row.label), *(cell_text(column, row) for column in shown))
    console.print(table)
    lines = [f"{row.label} was not measured: {row.fault}" for row in rows if row.fault]
    lines += [*sentences(record, network_costs(record.measured)), *cautions(record)]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def networks_json(record: NetworksRecord) -> str:
    """Write it as JSON; the fields are those that `visionstudy models compare --help` names."""
    content = {name: value for name, value in asdict(record).items() if name != "rows"}
    rows = [numbers(row) for row in ordered(record)]
    return json.dumps({**content, "networks": rows}, indent=2)


@contextmanager
def measuring_progress(labels: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """Show which network is measured: a bar on a terminal, a line for each elsewhere.

    What is told is how many are done.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done: console.print(
            f"{done} of {len(labels)}: {labels[done - 1]}", markup=False, highlight=False
        )
        return
    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*bars, TimeElapsedColumn(), console=console, transient=True) as progress:
        step = progress.add_task(labels[0] if labels else "", total=len(labels))

        def told(done: int) -> None:
            following = labels[done] if done < len(labels) else ""
            progress.update(step, completed=done, description=following)

        yield told
