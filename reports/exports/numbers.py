"""Which columns of a table hold numbers, which are set to the right."""

import re

from reports.exports.blocks import Table
from reports.notation import MINUS, MISSING

BEGINS_AS_NUMBER = re.compile(rf"[+{MINUS}-]?\d")
MOST_LETTERS = 32  # longer texts are prose that begins with a number
NO_NUMBERS = ("", MISSING, "best")
WORD = re.compile("[A-Za-z]{5,}")  # longer than a unit


def numeric_columns(table: Table) -> tuple[bool, ...]:
    """Say of each column whether its cells are numbers, units aside."""
    return tuple(
        _is_numeric([row[at] for row in table.rows if row[at] not in NO_NUMBERS])
        for at in range(len(table.columns))
    )


def _is_numeric(cells: list[str]) -> bool:
    return bool(cells) and all(
        BEGINS_AS_NUMBER.match(cell) and len(cell) <= MOST_LETTERS and not WORD.search(cell)
        for cell in cells
    )
