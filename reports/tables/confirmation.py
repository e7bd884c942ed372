"""Finalists on seeds that chose nothing: what their selection had flattered them by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from reports.measurements import cells_of, finite, value_of
from reports.notation import configuration_label, plural, score, signed
from trackers.records import (
    CandidateRecord,
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    StageRecord,
    StudyRecord,
)


@dataclass(frozen=True, slots=True)
class Finalist:
    """One configuration, as selected and as confirmed."""

    label: str
    group: str  # class that decided for itself, else ""
    selected: float | None  # mean over the seeds that chose
    confirmed: float | None  # mean over fresh seeds
    low: float | None  # of `confirmed`
    high: float | None
    difference: float | None  # on fresh seeds, to the tree's winner; None for that
    difference_low: float | None
    difference_high: float | None
    is_winner: bool  # of the tree
    seeds: tuple[int, ...]  # fresh ones with a value

    @property
    def drop(self) -> float | None:
        """What the fresh seeds score less than those that chose; negative: more."""
        if self.selected is None or self.confirmed is None:
            return None
        return self.selected - self.confirmed


@dataclass(frozen=True, slots=True)
class ConfirmationTable:
    """The finalists of a stage, in the order of the selection."""

    stage: str
    metric: str
    confidence: float | None  # None: not measured yet
    rows: tuple[Finalist, ...]
    planned: int  # cells
    overtaken: tuple[str, ...]  # sentences: a runner-up scored better on fresh seeds


def confirmation_table(study: StudyRecord) -> ConfirmationTable | None:
    """Tabulate the confirmation; None where the study asks for none."""
    stage = next((each for each in study.afterwards if each.kind == "confirmation"), None)
    if stage is None:
        return None
    rows = _rows(study, stage)
    return ConfirmationTable(
        stage=stage.about,
        metric=study.metric,
        confidence=stage.decisions[0].confidence if stage.decisions else None,
        rows=rows,
        planned=stage.planned_cells,
        overtaken=tuple(_overtaken(study, rows)) if stage.decisions else (),
    )


def confirmation_sentence(study: StudyRecord) -> str:
    """Say what the winner scores on fresh seeds; "" where that is not asked for or known."""
    table = confirmation_table(study)
    known = [row for row in table.rows if row.is_winner and row.drop is not None] if table else []
    if table is None or not known or table.confidence is None:
        return ""
    said = []
    for row in known:
        who = f"the winner of {row.group}" if row.group else "the winner"
        said.append(
            f"On {plural(len(row.seeds), 'fresh seed')} {who} scores {score(row.confirmed)}, "
            f"{signed(-(row.drop or 0.0))} to the {score(row.selected)} it was chosen for."
        )
    return " ".join([*said, *table.overtaken])


def _rows(study: StudyRecord, stage: StageRecord) -> tuple[Finalist, ...]:
    known: dict[str, tuple[DecisionRecord, CandidateRecord]] = {
        candidate.configuration: (decision, candidate)
        for decision in stage.decisions
        for candidate in decision.candidates
    }
    firsts: dict[str, str] = {}
    for each in stage.configurations:
        firsts.setdefault(each.group, each.id)
    return tuple(
        _row(study, each, known, is_winner=firsts[each.group] == each.id)
        for each in stage.configurations
    )


def _row(
    study: StudyRecord,
    configuration: ConfigurationRecord,
    known: Mapping[str, tuple[DecisionRecord, CandidateRecord]],
    *,
    is_winner: bool,
) -> Finalist:
    cells = cells_of(study, configuration)
    first = _replicates(study)
    found = known.get(configuration.id)
    candidate = found[1] if found else None
    fresh = [cell for cell in cells if cell.seed >= first]
    return Finalist(
        label=configuration_label(configuration.shown),
        group=configuration.group,
        selected=_mean(study, [cell for cell in cells if cell.seed < first]),
        confirmed=finite(candidate.mean) if candidate and candidate.values else None,
        low=candidate.low if candidate else None,
        high=candidate.high if candidate else None,
        difference=candidate.difference if candidate else None,
        difference_low=candidate.difference_low if candidate else None,
        difference_high=candidate.difference_high if candidate else None,
        is_winner=is_winner,
        seeds=tuple(
            sorted({cell.seed for cell in fresh if value_of(cell, study.metric) is not None})
        ),
    )


def _overtaken(study: StudyRecord, rows: Sequence[Finalist]) -> list[str]:
    """Say loudly where the fresh seeds turn the order around."""
    sign = -1.0 if study.direction == "minimize" else 1.0
    said = []
    for row in rows:
        if row.difference is None or sign * row.difference <= 0:
            continue
        ends = (row.difference_low, row.difference_high)
        is_sure = None not in ends and not (ends[0] or 0.0) <= 0.0 <= (ends[1] or 0.0)
        how = "surely" if is_sure else "though that may be chance"
        where = f" for {row.group}" if row.group else ""
        said.append(
            f"The order turns{where}: on fresh seeds {row.label} is better than the winner by "
            f"{score(abs(row.difference))}, {how}; the winner stays what the tree chose."
        )
    return said


def _replicates(study: StudyRecord) -> int:
    """Return how many seeds took part in the selection."""
    search = study.settings.get("search")
    replicates = search.get("replicates", 1) if isinstance(search, Mapping) else 1
    return int(replicates)


def _mean(study: StudyRecord, cells: Sequence[CellRecord]) -> float | None:
    values = [value_of(cell, study.metric) for cell in cells]
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
