"""Cited tables as their source prints them: its rows and columns, its digits, and ours below.

`reports.tables.comparison` decides which of our numbers answers a cited one and whether the two
may be compared; here each goes to the place that it has in the source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.baselines import Baseline, Comparability, Standing, load
from reports.baselines.citations import Place
from reports.baselines.comparability import MEASURED_NO
from reports.notation import join_words
from reports.tables.comparison import ComparedNumber, ComparedTable, column_of, rows_of
from trackers.records import StudyRecord

Key = tuple[str, str]  # row and column of a `ComparedTable`
OF_THEIR_OWN = "in single columns more, as the comparison above says"
NOT_MEASURED = "not comparable because this study did not measure it"


@dataclass(frozen=True, slots=True)
class PrintedCell:
    """One cell of a source's table."""

    text: str  # as the source prints it
    label: str  # what the number really is, where the source calls it something else
    number: ComparedNumber | None  # with ours; None in a cell that only goes on with another's


@dataclass(frozen=True, slots=True)
class PrintedRow:
    """One row of a source's table."""

    heads: tuple[str, ...]  # as `PrintedTable.headers`
    cells: tuple[PrintedCell | None, ...]  # as `PrintedTable.columns`; None: empty there
    standing: Standing  # of the number that may best be compared
    is_in_part: bool  # whether others of the row stand worse
    remarks: tuple[str, ...]  # why; () where the reason is that of the whole table


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """One table of a source, in its layout."""

    name: str  # as a study lists it
    title: str
    headers: tuple[str, ...]  # over the columns that name a row
    columns: tuple[str, ...]
    rows: tuple[PrintedRow, ...]
    shared: str  # how every number of the table stands to ours; "" where they differ


def printed_tables(
    study: StudyRecord, compared: Sequence[ComparedTable]
) -> tuple[PrintedTable, ...]:
    """Lay out every cited table whose source's layout is known, in the order of `compared`."""
    cited = load(study.baselines, study.cited_files)
    found = []
    for table in compared:
        rows = rows_of([b for b in cited if b.name == table.name])
        placed = [(row, b, b.place) for row, members in rows.items() for b in members if b.place]
        if placed:
            found.append(_table(table, placed))
    return tuple(found)


def _table(compared: ComparedTable, placed: Sequence[tuple[str, Baseline, Place]]) -> PrintedTable:
    numbers: Mapping[Key, ComparedNumber] = {
        (row.row, number.column): number
        for row in compared.rows
        for number in row.numbers
        if number
    }
    columns = tuple(dict.fromkeys(name for _, _, place in placed for name in place.columns))
    rows: dict[tuple[str, ...], dict[str, PrintedCell]] = {}
    for row, baseline, place in placed:
        number = numbers[row, column_of(baseline)]
        rows.setdefault(place.row, {}).update(_cells(baseline, place, number))
    sentences = {number.comparability.sentence for number in numbers.values()}
    shared = next(iter(sentences)) if len(sentences) == 1 else ""
    return PrintedTable(
        name=compared.name,
        title=placed[0][2].title,
        headers=placed[0][2].headers,
        columns=columns,
        rows=tuple(_row(heads, cells, columns, shared) for heads, cells in rows.items()),
        shared=shared,
    )


def _cells(baseline: Baseline, place: Place, number: ComparedNumber) -> dict[str, PrintedCell]:
    """Put a number into its cell, and the rest of its text into those beside it."""
    first, *rest = zip(place.columns, place.texts, strict=True)
    cells = {first[0]: PrintedCell(first[1], baseline.label, number)}
    return cells | {column: PrintedCell(text, "", None) for column, text in rest}


def _row(
    heads: tuple[str, ...], cells: Mapping[str, PrintedCell], columns: Sequence[str], shared: str
) -> PrintedRow:
    numbers = {column: cells[column].number for column in columns if column in cells}
    found = {column: number.comparability for column, number in numbers.items() if number}
    standings = [each.standing for each in found.values()]
    return PrintedRow(
        heads=heads,
        cells=tuple(cells.get(column) for column in columns),
        standing=min(standings, key=list(Standing).index),
        is_in_part=len(set(standings)) > 1,
        remarks=() if shared else _remarks(found),
    )


def _remarks(found: Mapping[str, Comparability]) -> tuple[str, ...]:
    """Say why, for all columns together that stand alike."""
    alike: dict[tuple[Standing, bool], list[str]] = {}
    for column, each in found.items():
        is_unmeasured = bool(each.reasons) and all(r.startswith(MEASURED_NO) for r in each.reasons)
        alike.setdefault((each.standing, is_unmeasured), []).append(column)
    remarks = []
    for (_, is_unmeasured), columns in alike.items():
        text = NOT_MEASURED if is_unmeasured else _in_common([found[name] for name in columns])
        remarks.append(text if len(alike) == 1 else f"{join_words(columns)}: {text}")
    return tuple(remarks)


def _in_common(alike: Sequence[Comparability]) -> str:
    """Return what holds for all of several numbers; that single ones have more is said too."""
    first = alike[0]
    common = [r for r in first.reasons if all(r in each.reasons for each in alike)]
    has_more = any(len(each.reasons) > len(common) for each in alike)
    own = [OF_THEIR_OWN] if has_more else []
    return Comparability(first.standing, (*common, *own), ()).sentence
