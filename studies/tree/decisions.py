"""Who wins a stage, and how sure that is.

Candidates are compared on the replicates they share (same class and seed), so that what a seed
does to all of them cancels, by intervals that hold for all pairs of the stage at once; see
`intervals`. With two or three seeds they are wide, and that is the point. Candidates whose
difference to the best mean may be zero are *tied*; with `ties: cheapest` the tied one with the
fewest training multiply-accumulates wins, and the better mean among equally cheap ones. Of exactly
equal means the cheaper one is the better. The cost is counted, not timed, so that the same results
give the same winner on any machine.

Where a study is cross-validated, folds are the replicates: see `fold_blocks`.

A rule may name a candidate that the others are held against; then it wins, whatever they score.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from studies.tree.fold_blocks import Folds
from studies.tree.intervals import (
    Interval,
    Rivals,
    chance_of,
    difference_interval,
    mean_of,
    rivals_of,
    t_interval,
)
from trackers.records import CandidateRecord, DecisionRecord

# Interval of the mean difference of two candidates, by id; None: there is none.
CompareIds = Callable[[str, str], Interval | None]


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
    tried: int = 0  # configurations measured up to here, these among them; fewer: just these
    over_images: bool = False  # differences are over images, not over seeds
    reference: str = ""  # candidate that the others are held against; "": the best mean
    folds: Folds | None = None  # where differences are over folds; None: over seeds, or images

    @property
    def interval(self) -> str:
        """What a difference must hold for, where not for other images."""
        return "folds" if self.folds else "seeds"

    @property
    def overlap(self) -> float:
        """Of the replicates' training sets."""
        return self.folds.overlap if self.folds else 0.0


def decide(
    candidates: Sequence[Candidate], rule: Rule, *, by_images: CompareIds | None = None
) -> DecisionRecord | None:
    """Choose a stage's winners; None when no candidate has a value.

    Candidates that miss a replicate may only win when no candidate has them all; then those that
    miss the fewest may.

    Args:
        candidates: Of one stage, and group where groups decide for themselves.
        rule: How to choose.
        by_images: The interval of a difference over other images; None: over other seeds.
    """
    eligible = _eligible(candidates)
    if not eligible:
        return None
    best = _held_against(candidates, rule) or _ranked(eligible, rule)[0]
    compared = _compare_all(candidates, candidates, best, rule=rule, by_images=by_images)
    winners = _order(eligible, compared, rule=rule)[: rule.beam]
    if best.id == rule.reference:
        winners = [best]
    return DecisionRecord(
        stage=rule.stage,
        group=rule.group,
        metric=rule.metric,
        direction="maximize" if rule.maximize else "minimize",
        winners=tuple(each.id for each in winners),
        candidates=tuple(compared[each.id] for each in candidates),
        rule=_sentence(eligible, winners[0], best=best, compared=compared, rule=rule),
        confidence=rule.confidence,
        flips=() if by_images else tuple(_flips(candidates, winners[0], best=best, rule=rule)),
        interval="images" if by_images else rule.interval,
        chance=None if by_images else _chance(candidates, best, rule=rule),
        reference=best.id,
    )


def _held_against(candidates: Sequence[Candidate], rule: Rule) -> Candidate | None:
    """Return the candidate that the rule names, if it has a value."""
    return next((each for each in candidates if each.id == rule.reference and each.values), None)


def _blocks(candidates: Sequence[Candidate], rule: Rule) -> dict[str, Mapping[str, float]]:
    """Return what is compared of each: its values by replicate, or their means by fold."""
    values = [each.values for each in candidates]
    found = rule.folds.blocks(values) if rule.folds else values
    return {each.id: own for each, own in zip(candidates, found, strict=True)}


def _by_seeds(blocks: Mapping[str, Mapping[str, float]], rule: Rule) -> CompareIds:
    """Return what finds the interval of a difference over the replicates that two share."""
    rivals = rivals_of(list(blocks.values()), rule.overlap)

    def find(own: str, other: str) -> Interval | None:
        differences = _differences(blocks[own], blocks[other])
        if not differences:
            return None
        return difference_interval(differences, rivals, rule.confidence)

    return find


def _chance(candidates: Sequence[Candidate], best: Candidate, *, rule: Rule) -> float | None:
    """Return the chance of a difference as large as the largest, if there were none."""
    blocks = _blocks(candidates, rule)
    rivals: Rivals = rivals_of(list(blocks.values()), rule.overlap)
    tried = max(rule.tried, rivals.count)
    others = [own for name, own in blocks.items() if name != best.id]
    pairs = [_differences(each, blocks[best.id]) for each in others]
    return chance_of(pairs, rivals, tried=tried)


def _differences(own: Mapping[str, float], other: Mapping[str, float]) -> list[float]:
    """Return what two differ by on each replicate that both have."""
    return [value - other[key] for key, value in sorted(own.items()) if key in other]


def _eligible(candidates: Sequence[Candidate]) -> list[Candidate]:
    measured = [each for each in candidates if each.values]
    fewest = min((len(each.missing) for each in measured), default=0)
    return [each for each in measured if len(each.missing) == fewest]


def _ranked(candidates: Sequence[Candidate], rule: Rule) -> list[Candidate]:
    sign = -1.0 if rule.maximize else 1.0
    return sorted(
        candidates, key=lambda each: (sign * mean_of([*each.values.values()]), each.train_macs)
    )


def _compare_all(
    wanted: Sequence[Candidate],
    candidates: Sequence[Candidate],
    best: Candidate,
    *,
    rule: Rule,
    by_images: CompareIds | None = None,
) -> dict[str, CandidateRecord]:
    """Measure some of the candidates against the best mean."""
    blocks = _blocks(candidates, rule)
    find = by_images or _by_seeds(blocks, rule)
    return {
        each.id: _compare(each, best, rule=rule, find=find, blocks=blocks[each.id])
        for each in wanted
    }


def _compare(
    candidate: Candidate,
    best: Candidate,
    *,
    rule: Rule,
    find: CompareIds,
    blocks: Mapping[str, float],
) -> CandidateRecord:
    """Measure a candidate against the best mean."""
    is_other = candidate.id != best.id and bool(candidate.values)
    difference = find(candidate.id, best.id) if is_other else None
    own = _own_interval(candidate, blocks, rule)
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
        is_tied=candidate.id == best.id or (difference is not None and difference.may_be_zero),
    )


def _own_interval(candidate: Candidate, blocks: Mapping[str, float], rule: Rule) -> Interval:
    """Return the mean of all values, with the interval that replicates, or folds, give it."""
    if not candidate.values:
        return Interval(math.nan, None, None)
    if rule.folds is None:
        return t_interval([*candidate.values.values()], rule.confidence)
    mean = mean_of([*candidate.values.values()])
    if not blocks:  # not one fold is whole
        return Interval(mean, None, None)
    own = t_interval([*blocks.values()], rule.confidence, rule.overlap)
    if own.low is None or own.high is None:
        return Interval(mean, None, None)
    return Interval(mean, mean - (own.mean - own.low), mean + (own.high - own.mean))


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
    compared = _compare_all(eligible, candidates, best, rule=rule)
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
    if rule.reference:
        return _reference_sentence(eligible, best, compared=compared, rule=rule)
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
        sentence = f"{winner.label} has the {goal} value; {_too_few(rule)}, so this may be chance."
    else:
        sentence = f"{winner.label} has the {goal} mean; every other candidate differs {level}."
    return sentence + (" No candidate has all its replicates." if winner.missing else "")


def _too_few(rule: Rule) -> str:
    return (
        "so few images, or so many candidates, give no interval"
        if rule.over_images
        else "one replicate gives no interval"
    )


def _reference_sentence(
    eligible: Sequence[Candidate],
    best: Candidate,
    *,
    compared: Mapping[str, CandidateRecord],
    rule: Rule,
) -> str:
    """Say how the others stand against the candidate that the rule names."""
    if best.id != rule.reference:
        return f"What the others were to be held against has no result; {best.label} is the best."
    sign = 1.0 if rule.maximize else -1.0
    others = [each for each in eligible if each.id != best.id]
    if not others:
        return f"{best.label} has no rival here."
    better = [each.label for each in others if sign * (compared[each.id].difference or 0.0) > 0]
    told = [each.label for each in others if not compared[each.id].is_tied]
    if any(compared[each.id].difference_low is None for each in others):
        return f"{len(better)} of {len(others)} score better; {_too_few(rule)}."
    sure = [label for label in better if label in told]
    level = f"at {100 * rule.confidence:g}% confidence"
    if sure:
        return f"{', '.join(sure)} is better {level}."
    return f"{len(better)} of {len(others)} score better, none of them surely {level}."


def _flips(
    candidates: Sequence[Candidate], winner: Candidate, *, best: Candidate, rule: Rule
) -> list[str]:
    """Say what would have made another candidate win."""
    if winner.id == rule.reference:
        return []
    sentences = []
    if winner.id != best.id:
        sentences.append(f"Without the tie rule {best.label} would have won.")
    for name, left_out in _left_out_in_turn(candidates, rule).items():
        without = _winner([_leave_out(each, left_out) for each in candidates], rule)
        if without is not None and without.id != winner.id:
            sentences.append(f"Without {name} {without.label} would have won.")
    rivals = [each for each in _ranked(_eligible(candidates), rule) if each.id != winner.id]
    if rivals and winner.id == best.id:
        sentences.append(_margin(rivals[0], winner, rule))
    return sentences


def _margin(rival: Candidate, winner: Candidate, rule: Rule) -> str:
    gap = abs(mean_of([*rival.values.values()]) - mean_of([*winner.values.values()]))
    if gap == 0.0:
        return f"{rival.label} has the same mean."
    goal, change = ("highest", "higher") if rule.maximize else ("lowest", "lower")
    return f"{rival.label} would have the {goal} mean if its mean were {gap:.4g} {change}."


def _left_out_in_turn(candidates: Sequence[Candidate], rule: Rule) -> dict[str, frozenset[str]]:
    """Return each replicate by itself, or the replicates of each fold, by what they are called."""
    names = sorted({key for each in candidates for key in each.values})
    if rule.folds is None:
        return {name: frozenset({name}) for name in names}
    of = rule.folds.of
    folds = dict.fromkeys(of[name] for name in names)
    return {fold: frozenset(name for name in names if of[name] == fold) for fold in folds}


def _leave_out(candidate: Candidate, replicates: frozenset[str]) -> Candidate:
    kept = {key: value for key, value in candidate.values.items() if key not in replicates}
    missing = tuple(key for key in candidate.missing if key not in replicates)
    return replace(candidate, values=kept, missing=missing)
