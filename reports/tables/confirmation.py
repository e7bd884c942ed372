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
    selected: float | None  # mean over the seeds that chose, or what the stage decided by
    confirmed: float | None  # mean over fresh seeds
    low: float | None  # of `confirmed`
    high: float | None
    difference: float | None  # on fresh seeds, to the tree's winner; None for that
    difference_low: float | None
    difference_high: float | None
    is_winner: bool  # of the tree
    seeds: tuple[int, ...]  # fresh ones with a value
    is_comparable: bool  # both scores are of the same settings

    @property
    def drop(self) -> float | None:
        """What the fresh seeds score less than those that chose; negative: more."""
        if self.selected is None or self.confirmed is None or not self.is_comparable:
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
    caution: str  # that the stage chose under other settings than are confirmed; "": it did not


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
        caution=_caution(study, stage, rows),
    )


def confirmation_sentence(study: StudyRecord) -> str:
    """Say what the winner scores on fresh seeds; "" where that is not asked for or known."""
    table = confirmation_table(study)
    if table is None or table.confidence is None:
        return ""
    known = [row for row in table.rows if row.is_winner and row.confirmed is not None]
    said = [_winner_sentence(row) for row in known if row.drop is not None or table.caution]
    cautions = [table.caution] if said and table.caution else []
    return " ".join([*said, *cautions, *table.overtaken]) if said else ""


def _winner_sentence(row: Finalist) -> str:
    who = f"the winner of {row.group}" if row.group else "the winner"
    said = f"On {plural(len(row.seeds), 'fresh seed')} {who} scores {score(row.confirmed)}"
    if row.drop is None:
        return f"{said}."
    return f"{said}, {signed(-row.drop)} to the {score(row.selected)} it was chosen for."


def _caution(study: StudyRecord, stage: StageRecord, rows: Sequence[Finalist]) -> str:
    if all(row.is_comparable for row in rows):
        return ""
    held = next((each.held for each in study.stages if each.name == stage.about), {})
    return (
        f"Stage {stage.about} chose with {configuration_label(held)} and fresh seeds are trained "
        "without that, so the two scores do not show what was luck."
    )


def _rows(study: StudyRecord, stage: StageRecord) -> tuple[Finalist, ...]:
    known: dict[str, tuple[DecisionRecord, CandidateRecord]] = {
        candidate.configuration: (decision, candidate)
        for decision in stage.decisions
        for candidate in decision.candidates
    }
    firsts: dict[str, str] = {}
    for each in stage.configurations:
        firsts.setdefault(each.group, each.id)
    chosen_for = _chosen_for(study, stage.about)
    return tuple(
        _row(study, each, known, chosen_for, is_winner=firsts[each.group] == each.id)
        for each in stage.configurations
    )


def _chosen_for(study: StudyRecord, name: str) -> dict[str, float | None]:
    """Return what a stage decided by: configuration -> mean."""
    decisions = [d for each in study.stages if each.name == name for d in each.decisions]
    return {c.configuration: finite(c.mean) for d in decisions for c in d.candidates if c.values}


def _row(
    study: StudyRecord,
    configuration: ConfigurationRecord,
    known: Mapping[str, tuple[DecisionRecord, CandidateRecord]],
    chosen_for: Mapping[str, float | None],
    *,
    is_winner: bool,
) -> Finalist:
    cells = cells_of(study, configuration)
    first = _replicates(study)
    found = known.get(configuration.id)
    candidate = found[1] if found else None
    fresh = [cell for cell in cells if cell.seed >= first]
    old = [cell for cell in cells if cell.seed < first]
    return Finalist(
        label=configuration_label(configuration.shown),
        group=configuration.group,
        selected=_mean(study, old) if old else chosen_for.get(configuration.parent or ""),
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
        is_comparable=bool(old) or not fresh,
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
