"""The figures of a page and all of their data; the page itself shows the first rows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from reports.exports.blocks import Table
from reports.figures.data_table import data_table
from reports.figures.embedding import EmbeddedFigure


def figures_of(found: object) -> Iterator[EmbeddedFigure]:
    """Yield the figures of a page's contents, in their order."""
    if isinstance(found, EmbeddedFigure):
        yield found
    elif isinstance(found, tuple | list):
        for each in found:
            yield from figures_of(each)
    elif isinstance(found, Mapping):
        yield from figures_of(tuple(found.values()))
    elif is_dataclass(found) and not isinstance(found, type):
        for each in fields(found):
            yield from figures_of(getattr(found, each.name))


def figure_tables(figure: EmbeddedFigure) -> tuple[Table, ...]:
    """Return a figure's data as a table; nothing where none of it can be pointed at."""
    shown = figure.table
    if shown is not None and shown.left_out:
        shown = data_table(json.loads(figure.spec), figure.title, most_rows=None)
    if shown is None:
        return ()
    title = f"{figure.title}: data"
    return (Table(f"{figure.id}-data", title, shown.columns, shown.rows, (figure.summary,)),)
