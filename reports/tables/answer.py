"""The three sentences that open a report: what won, how sure that is, what it cost."""

from collections.abc import Iterable

from reports.leaky_splits import is_leaky_configuration
from reports.lineage import Place, Placed, path_to
from reports.measurements import finite
from reports.notation import (
    configuration_label,
    duration,
    interval,
    join_words,
    macs,
    metric_name,
    percent,
    plural,
    score,
    sentence_case,
    short_label,
)
from reports.validation_sets import differing_settings, validation_sentence
from trackers.records import CandidateRecord, DecisionRecord, JsonValue, StudyRecord

LEAKY = ", of a leaky split: no estimate for new recordings"


def chosen(path: Iterable[Placed]) -> dict[str, JsonValue]:
    """The settings that the stages on a path decided; later stages supersede."""
    return {
        setting: value for placed in path for setting, value in placed.configuration.shown.items()
    }


def winner_sentence(
    study: StudyRecord, winners: tuple[Placed, ...], found: dict[Place, Placed]
) -> str:
    """Say what won and at what value."""
    metric = metric_name(study.metric)
    if not winners:
        return "No stage has been decided yet, so there is no winner to report."
    if len(winners) == 1:
        label = configuration_label(chosen(path_to(found, winners[0].place)))
        leak = LEAKY if is_leaky_configuration(study, winners[0].configuration) else ""
        return f"Best by {metric}: {label}, at {_value_words(winners[0])}{leak}."
    each = [
        f"{w.configuration.group} {short_label(w.configuration.shown)} "
        f"({score(w.candidate.mean if w.candidate else None)})"
        for w in winners
    ]
    stage = winners[0].stage.name
    return f"Each class keeps its own {stage} by {metric}: {join_words(each)}."


def _value_words(winner: Placed) -> str:
    candidate, decision = winner.candidate, winner.decision
    if candidate is None or decision is None:
        return "an unknown value"
    count = plural(len(candidate.values), "replicate")
    if decision.interval == "folds":
        count += " over folds of the same images"
    if candidate.low is None or candidate.high is None:
        return f"{score(candidate.mean)} ({count}, too few for an interval)"
    span = interval(candidate.low, candidate.high)
    return f"{score(candidate.mean)} ({percent(decision.confidence)} interval {span}, {count})"


def certainty_sentence(study: StudyRecord, winners: tuple[Placed, ...]) -> str:
    """Say whether the winner can be told from the rest of its last stage."""
    if not winners:
        return "The tables below show what has been measured so far."
    stages = {winner.stage.name: winner.stage for winner in winners}.values()
    settings = [
        path for stage in stages for path in differing_settings(study, stage.configurations)
    ]
    caution = validation_sentence(study, dict.fromkeys(settings))
    return f"{_certainty(winners)} {caution}".rstrip()


def _certainty(winners: tuple[Placed, ...]) -> str:
    if len(winners) == 1:
        return _rival_sentence(winners[0])
    tied = [w.configuration.group for w in winners if len(tied_with(w.decision)) > 1]
    stage = winners[0].stage.name
    if not tied:
        return f"In every class the winner is told apart from the other values of {stage}."
    return f"Other values of {stage} cannot be told from the best for {join_words(tied)}."


def tied_with(decision: DecisionRecord | None) -> tuple[CandidateRecord, ...]:
    """The candidates that cannot be told from the best mean, the best among them."""
    candidates = decision.candidates if decision else ()
    return tuple(c for c in candidates if c.is_tied and c.values)


def _rival_sentence(winner: Placed) -> str:
    decision, stage = winner.decision, winner.stage.name
    rivals = [
        c
        for c in (decision.candidates if decision else ())
        if c.configuration != winner.configuration.id and finite(c.mean) is not None and c.values
    ]
    if decision is None or not rivals:
        return f"Nothing else was measured in its last stage, {stage}."
    tied = tied_with(decision)
    if len(tied) > 1:
        return (
            f"In its last stage, {stage}, {len(tied)} of {len(rivals) + 1} configurations "
            f"cannot be told from the best mean. {sentence_case(decision.rule)}"
        )
    sign = -1 if decision.direction == "minimize" else 1
    second = max(rivals, key=lambda c: sign * c.mean)
    return f"In its last stage, {stage}, it leads the next by {_gap(second, decision)}."


def _gap(second: CandidateRecord, decision: DecisionRecord) -> str:
    difference = finite(second.difference)
    if difference is None:
        return "an unknown difference"
    if second.difference_low is None or second.difference_high is None:
        return score(abs(difference))
    ends = sorted((abs(second.difference_low), abs(second.difference_high)))
    return f"{score(abs(difference))} ({percent(decision.confidence)} interval {interval(*ends)})"


def cost_sentence(outcomes: tuple[tuple[str, int], ...], seconds: float, train_macs: float) -> str:
    """Say how much of the plan ran and what that took."""
    counts = dict(outcomes)
    planned = sum(counts.values())
    others = [f"{n} {name}" for name, n in outcomes if name != "complete"]
    rest = f" ({join_words(others)})" if others else ""
    took = f", in {duration(seconds)} of training ({macs(train_macs)})" if seconds else ""
    return (
        f"{counts.get('complete', 0)} of {plural(planned, 'planned cell')} completed{rest}{took}."
    )
