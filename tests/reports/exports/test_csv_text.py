"""CSV that programs read back as it was, and spreadsheets never run."""

import csv
from io import StringIO

import pytest

from reports.exports.blocks import Table
from reports.exports.csv_text import cell_text, csv_text
from reports.exports.documents import Page
from reports.exports.page_blocks import tables_in


def read_back(text: str) -> list[tuple[str, ...]]:
    return [tuple(row) for row in csv.reader(StringIO(text, newline=""), strict=True)]


def test_every_table_of_a_page_is_read_back_as_it_is_printed(page: Page) -> None:
    for table in tables_in(page.markup, page.figures):
        printed = [tuple(map(cell_text, row)) for row in (table.columns, *table.rows)]

        assert read_back(csv_text(table)) == printed


def test_hostile_names_come_back_letter_by_letter(hostile_table: Table) -> None:
    names = [row[0] for row in read_back(csv_text(hostile_table))[1:]]

    assert names[:-1] == [row[0] for row in hostile_table.rows[:-1]]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(1)", "+cmd|' /C calc'!A0", "-x"])
def test_a_spreadsheet_runs_no_cell(text: str) -> None:
    assert cell_text(text) == f"'{text}"


@pytest.mark.parametrize(
    ("printed", "written"),
    [
        ("\N{MINUS SIGN}0.034", "-0.034"),
        ("+0.034", "+0.034"),
        ("a\N{MINUS SIGN}b", "a\N{MINUS SIGN}b"),
    ],
)
def test_numbers_have_signs_that_programs_read(printed: str, written: str) -> None:
    assert cell_text(printed) == written
