"""What the greedy path missed: neighbours of earlier choices, with the final settings."""

from dataclasses import dataclass

from reports.measurements import finite
from reports.notation import configuration_label, join_words, metric_name, plural
from trackers.records import CandidateRecord, StageRecord, StudyRecord

BETTER, MAYBE, NOT, UNKNOWN = "missed", "better, may be chance", "not better", "no result"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One step beside what a stage chose."""

    stage: str
    group: str  # class that decided for itself, else ""
    label: str
    value: float | None  # mean over replicates
    difference: float | None  # paired mean, to the final settings
    low: float | None  # of the difference; holds for all pairs of the stage's probe at once
    high: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class ProbeTable:
    """The neighbours of every probed stage."""

    metric: str
    confidence: float | None  # None: nothing is measured yet
    final: float | None  # mean of the final settings; None: classes have their own, or unknown
    rows: tuple[Neighbour, ...]
    planned: int  # cells
    answer: str


def probe_table(study: StudyRecord) -> ProbeTable | None:
    """Tabulate the probes; None where the study asks for none."""
    stages = [each for each in study.afterwards if each.kind == "probe"]
    if not stages:
        return None
    rows = tuple(row for stage in stages for row in _rows(study, stage))
    decided = [decision for stage in stages for decision in stage.decisions]
    finals = {
        finite(c.mean) for d in decided for c in d.candidates if c.configuration == d.reference
    }
    return ProbeTable(
        metric=study.metric,
        confidence=decided[0].confidence if decided else None,
        final=finals.pop() if len(finals) == 1 else None,
        rows=rows,
        planned=sum(stage.planned_cells for stage in stages),
        answer=_answer(study, rows, is_decided=all(stage.decisions for stage in stages)),
    )


def _rows(study: StudyRecord, stage: StageRecord) -> list[Neighbour]:
    known: dict[str, CandidateRecord] = {
        candidate.configuration: candidate
        for decision in stage.decisions
        for candidate in decision.candidates
    }
    firsts: dict[str, str] = {}  # of each class: the final settings themselves
    for each in stage.configurations:
        firsts.setdefault(each.group, each.id)
    rows = []
    for each in stage.configurations:
        if each.id == firsts[each.group]:
            continue
        candidate = known.get(each.id)
        rows.append(
            Neighbour(
                stage=stage.about,
                group=each.group,
                label=configuration_label(each.shown),
                value=finite(candidate.mean) if candidate and candidate.values else None,
                difference=candidate.difference if candidate else None,
                low=candidate.difference_low if candidate else None,
                high=candidate.difference_high if candidate else None,
                verdict=_verdict(study, candidate),
            )
        )
    return rows


def _verdict(study: StudyRecord, candidate: CandidateRecord | None) -> str:
    if candidate is None or candidate.difference is None:
        return UNKNOWN
    sign = -1.0 if study.direction == "minimize" else 1.0
    if sign * candidate.difference <= 0:
        return NOT
    is_sure = candidate.difference_low is not None and not candidate.is_tied
    return BETTER if is_sure else MAYBE


def _answer(study: StudyRecord, rows: tuple[Neighbour, ...], *, is_decided: bool) -> str:
    """Say what the greedy path missed."""
    if not is_decided:
        return "The neighbours are not measured yet."
    missed = [row for row in rows if row.verdict == BETTER]
    if missed:
        found = join_words(f"{row.label} (stage {row.stage})" for row in missed)
        verb = "is" if len(missed) == 1 else "are"
        return (
            f"The greedy path missed something: with the final settings {found} {verb} better. "
            "An earlier stage chose while later settings were still at their base values; search "
            "these settings together."
        )
    maybe = sum(row.verdict == MAYBE for row in rows)
    metric = metric_name(study.metric)
    rest = f"; {plural(maybe, 'neighbour')} scored better, which may be chance" if maybe else ""
    return f"No neighbour of an earlier choice is surely better by {metric}{rest}."
