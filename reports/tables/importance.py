"""How much each setting of a search matters, side by side as two evaluators see it."""

from dataclasses import dataclass

from reports.notation import join_words, plural, setting_name
from trackers.records import ImportanceRecord, StudyRecord

FEW = 50  # configurations; of fewer, shares change much from one more


@dataclass(frozen=True, slots=True)
class ImportanceRow:
    """One setting."""

    label: str
    shares: tuple[float | None, ...]  # as `ImportanceTable.evaluators`; None: not evaluated


@dataclass(frozen=True, slots=True)
class ImportanceTable:
    """The settings of one search, the most important first."""

    search: str
    evaluators: tuple[str, ...]
    rows: tuple[ImportanceRow, ...]
    configurations: int  # that the shares are of
    cautions: tuple[str, ...]


def importance_tables(study: StudyRecord) -> tuple[ImportanceTable, ...]:
    """Tabulate the importance of settings in every search that has it."""
    searches: dict[str, list[ImportanceRecord]] = {}
    for each in study.importance:
        searches.setdefault(each.search, []).append(each)
    return tuple(_table(search, records) for search, records in searches.items())


def _table(search: str, records: list[ImportanceRecord]) -> ImportanceTable:
    names = dict.fromkeys(name for each in records for name in each.shares)
    rows = [
        ImportanceRow(_label(name), tuple(each.shares.get(name) for each in records))
        for name in names
    ]
    rows.sort(key=lambda row: -(row.shares[0] or 0.0))
    return ImportanceTable(
        search=search,
        evaluators=tuple(each.evaluator for each in records),
        rows=tuple(rows),
        configurations=records[0].configurations,
        cautions=tuple(_cautions(records, rows)),
    )


def _label(parameter: str) -> str:
    """Name a setting; one that varies only with a choice says with which."""
    path, _, condition = parameter.partition(" [")
    return setting_name(path) + (f" [{condition}" if condition else "")


def _cautions(records: list[ImportanceRecord], rows: list[ImportanceRow]) -> list[str]:
    first = records[0]
    said = []
    if not rows:
        said.append("Every configuration scored the same, so that no setting matters here.")
    elif first.configurations < FEW:
        said.append(
            f"Only {plural(first.configurations, 'configuration')} with a value: shares may "
            "change much with a few more."
        )
    if first.left_out:
        said.append(
            f"{plural(first.left_out, 'configuration')} without a value (pruned, infeasible or "
            "failed) do not count, so that what made them fail is not seen."
        )
    leaders = {
        max(each.shares, key=lambda name: each.shares[name]) for each in records if each.shares
    }
    if len(leaders) > 1:
        names = join_words(each.evaluator for each in records)
        said.append(f"{names} disagree on which setting matters most.")
    unseen = [row.label for row in rows if None in row.shares]
    if unseen:
        said.append(
            f"fANOVA sees no setting that varies only with a choice: {join_words(unseen)}."
        )
    return said
