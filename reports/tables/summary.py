"""The answer first: what won, by how much, at what cost, and what to be careful about."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reports.lineage import Place, Placed, final_winners, path_to, places
from reports.measurements import OUTCOME_ORDER, cells_of, finite, mean, outcome_text, planned_total
from reports.notation import configuration_label, metric_name, setting_name, setting_text
from reports.study_verdict import study_verdict
from reports.tables.answer import certainty_sentence, chosen, cost_sentence, winner_sentence
from reports.tables.confirmation import confirmation_sentence
from reports.tables.flags import Flag, study_flags
from trackers.records import JsonValue, Outcome, StudyRecord


@dataclass(frozen=True, slots=True)
class ChosenSetting:
    """One setting that a stage decided."""

    name: str
    path: str
    base: str
    chosen: str
    stage: str


@dataclass(frozen=True, slots=True)
class WinnerCard:
    """A winner's settings and numbers."""

    group: str  # the class that decided for itself, else ""
    label: str
    stage: str  # the stage that decided last
    settings: tuple[ChosenSetting, ...]
    mean: float | None
    low: float | None
    high: float | None
    replicates: int
    train_macs: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a reader who stops after one screen should know."""

    sentences: tuple[str, ...]
    winners: tuple[WinnerCard, ...]
    flags: tuple[Flag, ...]
    metric: str
    outcomes: tuple[tuple[str, int], ...]  # in `OUTCOME_ORDER`, over known cells and unknown ones
    planned: int
    complete: int
    configurations: int
    seconds: float
    train_macs: float

    @property
    def overall(self) -> float | None:
        """Mean over the winners of all classes; None when one has no value."""
        means = [winner.mean for winner in self.winners]
        return None if None in means else mean(means)


def summarise(study: StudyRecord) -> Summary:
    """Answer the study's question from its decisions."""
    found = places(study)
    winners = final_winners(study, found)
    outcomes = count_outcomes(study)
    seconds = sum(cell.seconds for cell in study.cells.values())
    cost = sum(cell.train_macs for cell in study.cells.values())
    return Summary(
        sentences=(
            winner_sentence(study, winners, found),
            certainty_sentence(study, winners),
            *filter(None, [study_verdict(study).sentence, confirmation_sentence(study)]),
            cost_sentence(outcomes, seconds, cost),
        ),
        winners=tuple(_card(study, winner, found) for winner in winners),
        flags=study_flags(study),
        metric=metric_name(study.metric),
        outcomes=outcomes,
        planned=planned_total(study),
        complete=dict(outcomes).get(str(Outcome.COMPLETE), 0),
        configurations=len(found),
        seconds=seconds,
        train_macs=cost,
    )


def count_outcomes(study: StudyRecord) -> tuple[tuple[str, int], ...]:
    """Count planned cells by outcome; cells of undecided stages count as not run."""
    counts = Counter(outcome_text(cell) for cell in study.cells.values())
    counts["not run"] += planned_total(study) - len(study.cells)
    return tuple((name, counts[name]) for name in OUTCOME_ORDER if counts[name])


def _card(study: StudyRecord, winner: Placed, found: dict[Place, Placed]) -> WinnerCard:
    path = path_to(found, winner.place)
    candidate = winner.candidate
    return WinnerCard(
        group=winner.configuration.group,
        label=configuration_label(chosen(path)),
        stage=winner.stage.name,
        settings=_settings(study, path),
        mean=finite(candidate.mean) if candidate else None,
        low=candidate.low if candidate else None,
        high=candidate.high if candidate else None,
        replicates=len(candidate.values) if candidate else 0,
        train_macs=candidate.train_macs if candidate else 0.0,
        seconds=candidate.seconds if candidate else 0.0,
    )


def _settings(study: StudyRecord, path: tuple[Placed, ...]) -> tuple[ChosenSetting, ...]:
    """Every setting that a stage on the path decided; a later stage supersedes an earlier one."""
    cells = cells_of(study, path[-1].configuration)
    final = cells[0].settings if cells else {}
    decided: dict[str, tuple[JsonValue, str]] = {}
    for placed in path:
        for setting, value in placed.configuration.varied.items():
            decided[setting] = (final.get(setting, value), placed.stage.name)
    return tuple(
        ChosenSetting(
            name=setting_name(setting),
            path=setting,
            base=setting_text(setting, _base_value(study, setting, value)),
            chosen=setting_text(setting, value),
            stage=stage,
        )
        for setting, (value, stage) in decided.items()
    )


def _base_value(study: StudyRecord, setting: str, chosen: JsonValue) -> JsonValue:
    """Return a setting's base value; of a part chosen as a whole, the fields that it names."""
    if setting in study.base:
        return study.base[setting]
    start = f"{setting}."
    fields = {p.removeprefix(start): v for p, v in study.base.items() if p.startswith(start)}
    named = fields if not isinstance(chosen, Mapping) else chosen
    return {name: v for name, v in fields.items() if name in named and v is not None} or None
