"""What a study decided, as its pages in MLflow tell it: which runs won what, and why.

It follows from the record alone, like everything that is stored, and knows no MLflow.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from trackers.folds import fold_count, replicate_name
from trackers.records import (
    CandidateRecord,
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    JsonValue,
    Outcome,
    StageRecord,
    StudyRecord,
)

WINNER, STAGE_WINNER = "winner", "stage winner"
SIGNS = {WINNER: "★", STAGE_WINNER: "☆"}  # in front of a run's name
_FORBIDDEN = re.compile(r"[^\w\-. ()]")  # in names of registered models, or in a search for one


@dataclass(frozen=True, slots=True)
class Mark:
    """What the run of a winner's cell says beside its results."""

    role: str  # `WINNER` or `STAGE_WINNER`
    stages: tuple[str, ...]  # that it won
    note: str  # Markdown


@dataclass(frozen=True, slots=True)
class Champion:
    """What won a study, or one class of it, in the end."""

    model: str  # its name among the registered models
    group: str  # class of a one-model-per-class study, else ""
    stage: str  # the last that it won
    configuration: str  # id
    cells: tuple[CellRecord, ...]  # complete, of all seeds, best first
    label: str  # its settings, of all stages

    @property
    def trained(self) -> tuple[str, ...]:
        """Ids of the cells that were trained, best first: a threshold's cell has no network."""
        return tuple(dict.fromkeys(cell.source or cell.id for cell in self.cells))


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a tracker shows what a note speaks of, as far as it does."""

    runs: Mapping[str, str] = field(default_factory=dict)  # cell -> the page of its run
    curves: Mapping[str, str] = field(default_factory=dict)  # champion's model -> all its seeds'
    report: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """A study's decisions, run by run."""

    study: str
    metric: str
    marks: Mapping[str, Mark]  # cell -> what its run says
    champions: tuple[Champion, ...]


@dataclass(frozen=True, slots=True)
class _Won:
    """One decision's winner of one class."""

    stage: StageRecord
    decision: DecisionRecord
    configuration: ConfigurationRecord
    cells: tuple[CellRecord, ...]


def story_of(study: StudyRecord) -> Story:
    """Collect a study's winners, as far as it has decided."""
    last: dict[str, _Won] = {}
    wins: dict[str, list[_Won]] = {}
    for won in _wins(study):
        for cell in won.cells:
            for each in dict.fromkeys((cell.id, cell.source or cell.id)):
                wins.setdefault(each, []).append(won)
            last[cell.group] = won
    champions = tuple(_champion(study, won, group) for group, won in last.items())
    final = {cell for each in champions for cell in (*_ids(each.cells), *each.trained)}
    marks = {
        cell: _mark(won, WINNER if cell in final else STAGE_WINNER) for cell, won in wins.items()
    }
    return Story(study.name, study.metric, marks, champions)


def study_note(study: StudyRecord, addresses: Addresses | None = None) -> str:
    """Return the winner, the study's description, its stages and decisions as Markdown."""
    outcomes = [_outcome(cell) for cell in study.cells.values()]
    counts = ", ".join(f"{outcomes.count(each)} {each}" for each in sorted(set(outcomes)))
    lines = [
        *_winner_lines(study, addresses or Addresses()),
        study.description,
        "",
        f"**Objective**: {study.direction} `{study.metric}` ({study.select_on} split).  ",
        f"**Cells**: {counts or 'none yet'}.  ",
        "**Report**: `report.html` in the artifacts of the run `summary`.",
        *([f"**Not finished**: {study.note}"] if study.note else []),
        "",
        "| Stage | Winner | How it was chosen |",
        "|---|---|---|",
        *(line for stage in study.stages for line in _stage_lines(stage)),
    ]
    return "\n".join(lines).strip()


def settings_text(settings: Mapping[str, JsonValue]) -> str:
    """Name settings for people: "learning rate 0.001, batch size 4"."""
    return ", ".join(
        f"{path.rsplit('.', 1)[-1].replace('_', ' ')} {_value_text(value)}"
        for path, value in settings.items()
    )


def _wins(study: StudyRecord) -> Iterator[_Won]:
    """Yield the best of each decision, stage by stage, one per class of its cells."""
    for stage in study.stages:
        by_id = {each.id: each for each in stage.configurations}
        for decision in stage.decisions:
            for winner in decision.winners[:1]:
                configuration = by_id[winner]
                found = [study.cells[cell] for cell in configuration.cells if cell in study.cells]
                complete = [cell for cell in found if cell.outcome is Outcome.COMPLETE]
                for group in dict.fromkeys(cell.group for cell in complete):
                    members = (cell for cell in complete if cell.group == group)
                    best_first = sorted(members, key=lambda cell: _rank(study, cell))
                    yield _Won(stage, decision, configuration, tuple(best_first))


def _rank(study: StudyRecord, cell: CellRecord) -> tuple[float, int]:
    value = cell.metrics.get(study.metric, float("-inf"))
    return (-value if study.direction == "maximize" else value, cell.seed)


def _champion(study: StudyRecord, won: _Won, group: str) -> Champion:
    return Champion(
        model=_FORBIDDEN.sub("_", f"{study.name} ({group})" if group else study.name),
        group=group,
        stage=won.stage.name,
        configuration=won.configuration.id,
        cells=won.cells,
        label=settings_text(_settings_of(study, won)) or "base settings",
    )


def _settings_of(study: StudyRecord, won: _Won) -> dict[str, JsonValue]:
    """Return what the stages chose on the way to a winner, the last stage's choice last."""
    known = {each.id: each for stage in study.stages for each in stage.configurations}
    way, at = [won.configuration], won.configuration.parent
    while at in known and known[at] not in way:
        way.append(known[at])
        at = known[at].parent
    return {path: value for each in reversed(way) for path, value in each.shown.items()}


def _mark(won: list[_Won], role: str) -> Mark:
    lines = ["**Winner of the study.**" if role == WINNER else "**Winner of a stage.**", ""]
    for each in won:
        lines.append(f"- **{each.stage.name}**: {each.decision.rule}")
        lines += [f"    - {flip}" for flip in each.decision.flips]
    return Mark(role, tuple(dict.fromkeys(each.stage.name for each in won)), "\n".join(lines))


def _winner_lines(study: StudyRecord, addresses: Addresses) -> list[str]:
    """Name the winners; links come first, because MLflow shows little more than half a line."""
    lines: list[str] = []
    for each in story_of(study).champions:
        group = f" ({each.group})" if each.group else ""
        curves = (("curves", addresses.curves.get(each.model)), ("report", addresses.report))
        names = {cell.source or cell.id: replicate_name(study, cell) for cell in each.cells}
        runs = ((name, addresses.runs.get(cell)) for cell, name in names.items())
        lines += [
            f"**{SIGNS[WINNER]} Winner{group}**{_links(curves, ' — ')}: {each.label}; "
            f"{_score_text(study, each)}{_links(runs, ': ')}",
            "",
        ]
    return lines


def _score_text(study: StudyRecord, champion: Champion) -> str:
    found = _candidate(study, champion)
    values = [
        cell.metrics[study.metric] for cell in champion.cells if study.metric in cell.metrics
    ]
    folds = fold_count(study)
    seeds = f"{len(values)} seed{'' if len(values) == 1 else 's'}"
    seeds = seeds if folds is None else f"{len(values)} cells on {folds} folds"
    mean = f"`{study.metric}` {sum(values) / len(values):.4g}" if values else f"`{study.metric}` ?"
    if found is None or found.low is None or found.high is None or champion.group:
        return f"{mean} ({seeds})"
    return f"{mean} ({found.low:.4g} to {found.high:.4g}, {seeds})"


def _candidate(study: StudyRecord, champion: Champion) -> CandidateRecord | None:
    candidates = (
        candidate
        for stage in study.stages
        if stage.name == champion.stage
        for decision in stage.decisions
        for candidate in decision.candidates
        if candidate.configuration == champion.configuration
    )
    return next(candidates, None)


def _links(named: Iterable[tuple[str, str | None]], before: str) -> str:
    links = [f"[{name}]({url})" for name, url in named if url]
    return f"{before}{' · '.join(links)}" if links else ""


def _stage_lines(stage: StageRecord) -> list[str]:
    varied = {each.id: each.varied for each in stage.configurations}
    lines = []
    for decision in stage.decisions:
        winners = "; ".join(settings_text(varied.get(each, {})) for each in decision.winners)
        name = f"{stage.name} ({decision.group})" if decision.group else stage.name
        lines.append(f"| {name} | {winners or 'none'} | {decision.rule} |")
    return lines or [f"| {stage.name} |  | undecided |"]


def _ids(cells: tuple[CellRecord, ...]) -> tuple[str, ...]:
    return tuple(cell.id for cell in cells)


def _outcome(cell: CellRecord) -> str:
    if cell.outcome is not None:
        return cell.outcome.value
    return "running" if cell.is_running else "planned"


def _value_text(value: JsonValue) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return str(value.get("name", "")) or settings_text(value)
    return ", ".join(map(_value_text, value)) if isinstance(value, list) else str(value)
