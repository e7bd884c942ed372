"""A table as CSV (RFC 4180) that a spreadsheet reads as numbers and never as a formula."""

import csv
import re
from io import StringIO

from reports.exports.blocks import Table
from reports.notation import MINUS

NEGATIVE = re.compile(rf"{MINUS}(?=[\d.])")
NUMBER = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?\s*%?", re.IGNORECASE)
FORMULA_STARTS = ("=", "+", "-", "@")


def csv_text(table: Table) -> str:
    """Return a table as CSV, UTF-8, one line of heads."""
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerows([cell_text(cell) for cell in row] for row in (table.columns, *table.rows))
    return stream.getvalue()


def cell_text(text: str) -> str:
    """Return a cell with ASCII minus signs; an apostrophe goes before what would be a formula."""
    plain = NEGATIVE.sub("-", text)
    is_formula = plain.startswith(FORMULA_STARTS) and not NUMBER.match(plain)
    return f"'{plain}" if is_formula else plain
