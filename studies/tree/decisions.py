"""Who wins a stage, and how sure that is.

Candidates are compared on the replicates they share (same class and seed), so that what a seed
does to all of them cancels. The intervals are Student's t; with two or three seeds they are
wide, and that is the point. Candidates whose paired difference to the best mean may be zero are
*tied*; with `ties: cheapest` the tied one with the fewest training multiply-accumulates wins,
and the better mean among equally cheap ones. Of exactly equal means the cheaper one is the better.
The cost is counted, not timed, so that the same results give the same winner on any machine.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from trackers.records import CandidateRecord, DecisionRecord


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration's results in a stage."""

    id: str
    label: str  # for sentences, e.g. "training.learning_rate 0.001"
    values: Mapping[str, float]  # replicate -> objective value, finite
    missing: tuple[str, ...]  # replicates without one
    train_macs: float  # mean over cells
    seconds: float  # mean over cells


@dataclass(frozen=True, slots=True)
class Rule:
    """How a stage decides."""

    stage: str
    group: str
    metric: str
    maximize: bool
    confidence: float
    prefers_cheapest: bool
    beam: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its confidence interval; no interval from fewer than two values."""

    mean: float
    low: float | None
    high: float | None


def t_interval(values: Sequence[float], confidence: float) -> Interval:
    """Return the mean with its two-sided Student t interval."""
    data = np.asarray(values, dtype=np.float64)
    mean = _mean(values)
    if data.size < 2:
        return Interval(mean, None, None)
    quantile = float(stdtrit(data.size - 1, 0.5 + confidence / 2))
    half = quantile * float(data.std(ddof=1)) / math.sqrt(data.size)
    return Interval(mean, mean - half, mean + half)


def decide(candidates: Sequence[Candidate], rule: Rule) -> DecisionRecord | None:
    """Choose a stage's winners; None when no candidate has a value.

    Candidates that miss a replicate may only win when no candidate has them all; then those that
    miss the fewest may.
    """
    eligible = _eligible(candidates)
    if not eligible:
        return None
    best = _ranked(eligible, rule)[0]
    compared = {each.id: _compare(each, best, rule=rule) for each in candidates}
    winners = _order(eligible, compared, rule=rule)[: rule.beam]
    return DecisionRecord(
        stage=rule.stage,
        group=rule.group,
        metric=rule.metric,
        direction="maximize" if rule.maximize else "minimize",
        winners=tuple(each.id for each in winners),
        candidates=tuple(compared[each.id] for each in candidates),
        rule=_sentence(eligible, winners[0], best=best, compared=compared, rule=rule),
        confidence=rule.confidence,
        flips=tuple(_flips(candidates, winners[0], best=best, rule=rule)),
    )


def _eligible(candidates: Sequence[Candidate]) -> list[Candidate]:
    measured = [each for each in candidates if each.values]
    fewest = min((len(each.missing) for each in measured), default=0)
    return [each for each in measured if len(each.missing) == fewest]


def _mean(values: Collection[float]) -> float:
    return math.fsum(values) / len(values)  # rounded once, so that no order of seeds is better


def _ranked(candidates: Sequence[Candidate], rule: Rule) -> list[Candidate]:
    sign = -1.0 if rule.maximize else 1.0
    return sorted(
        candidates, key=lambda each: (sign * _mean(each.values.values()), each.train_macs)
    )


def _compare(candidate: Candidate, best: Candidate, *, rule: Rule) -> CandidateRecord:
    """Measure a candidate against the best mean, on the replicates they share."""
    difference: Interval | None = None
    shared = [key for key in candidate.values if key in best.values]
    if candidate.id != best.id and shared:
        difference = t_interval(
            [candidate.values[key] - best.values[key] for key in shared], rule.confidence
        )
    own = (
        t_interval(list(candidate.values.values()), rule.confidence)
        if candidate.values
        else Interval(math.nan, None, None)
    )
    return CandidateRecord(
        configuration=candidate.id,
        values=dict(candidate.values),
        missing=candidate.missing,
        mean=own.mean,
        low=own.low,
        high=own.high,
        difference=difference.mean if difference else None,
        difference_low=difference.low if difference else None,
        difference_high=difference.high if difference else None,
        train_macs=candidate.train_macs,
        seconds=candidate.seconds,
        is_tied=candidate.id == best.id or (difference is not None and _may_be_zero(difference)),
    )


def _may_be_zero(difference: Interval) -> bool:
    if difference.low is None or difference.high is None:
        return difference.mean == 0.0
    return difference.low <= 0.0 <= difference.high


def _order(
    eligible: Sequence[Candidate], compared: Mapping[str, CandidateRecord], *, rule: Rule
) -> list[Candidate]:
    """Order by who would win; the rest of a beam by mean."""
    ranked = _ranked(eligible, rule)
    if not rule.prefers_cheapest:
        return ranked
    tied = [each for each in ranked if compared[each.id].is_tied]
    winner = min(tied, key=lambda each: each.train_macs)  # the first of equals: the best mean
    return [winner, *(each for each in ranked if each.id != winner.id)]


def _winner(candidates: Sequence[Candidate], rule: Rule) -> Candidate | None:
    eligible = _eligible(candidates)
    if not eligible:
        return None
    best = _ranked(eligible, rule)[0]
    compared = {each.id: _compare(each, best, rule=rule) for each in eligible}
    return _order(eligible, compared, rule=rule)[0]


def _sentence(
    eligible: Sequence[Candidate],
    winner: Candidate,
    *,
    best: Candidate,
    compared: Mapping[str, CandidateRecord],
    rule: Rule,
) -> str:
    """Say how the winner was chosen."""
    tied = [each for each in eligible if compared[each.id].is_tied]
    goal = "highest" if rule.maximize else "lowest"
    level = f"at {100 * rule.confidence:g}% confidence"
    if len(eligible) == 1:
        sentence = f"{winner.label} is the only candidate with a complete result."
    elif winner.id != best.id:
        sentence = (
            f"{len(tied)} of {len(eligible)} candidates cannot be told apart {level}; "
            f"{winner.label} is the cheapest of them (the {goal} mean is {best.label})."
        )
    elif len(tied) > 1:
        others = "1 other candidate" if len(tied) == 2 else f"{len(tied) - 1} other candidates"
        sentence = (
            f"{winner.label} has the {goal} mean, but {others} cannot be told from it {level}."
        )
    elif any(compared[each.id].difference_low is None for each in eligible if each.id != best.id):
        sentence = (
            f"{winner.label} has the {goal} value; one replicate gives no interval, so this may "
            "be chance."
        )
    else:
        sentence = f"{winner.label} has the {goal} mean; every other candidate differs {level}."
    return sentence + (" No candidate has all its replicates." if winner.missing else "")


def _flips(
    candidates: Sequence[Candidate], winner: Candidate, *, best: Candidate, rule: Rule
) -> list[str]:
    """Say what would have made another candidate win."""
    sentences = []
    if winner.id != best.id:
        sentences.append(f"Without the tie rule {best.label} would have won.")
    for replicate in sorted({key for each in candidates for key in each.values}):
        without = _winner([_leave_out(each, replicate) for each in candidates], rule)
        if without is not None and without.id != winner.id:
            sentences.append(f"Without {replicate} {without.label} would have won.")
    rivals = [each for each in _ranked(_eligible(candidates), rule) if each.id != winner.id]
    if rivals and winner.id == best.id:
        sentences.append(_margin(rivals[0], winner, rule))
    return sentences


def _margin(rival: Candidate, winner: Candidate, rule: Rule) -> str:
    gap = abs(_mean(rival.values.values()) - _mean(winner.values.values()))
    if gap == 0.0:
        return f"{rival.label} has the same mean."
    goal, change = ("highest", "higher") if rule.maximize else ("lowest", "lower")
    return f"{rival.label} would have the {goal} mean if its mean were {gap:.4g} {change}."


def _leave_out(candidate: Candidate, replicate: str) -> Candidate:
    return Candidate(
        id=candidate.id,
        label=candidate.label,
        values={key: value for key, value in candidate.values.items() if key != replicate},
        missing=tuple(key for key in candidate.missing if key != replicate),
        train_macs=candidate.train_macs,
        seconds=candidate.seconds,
    )
