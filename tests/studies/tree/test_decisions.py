"""Who wins a stage, how sure that is, and what would have changed it."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from studies.tree.decisions import Candidate, Rule, decide
from studies.tree.intervals import t_interval
from trackers.records import CandidateRecord, DecisionRecord

COSTS = {"a": 3.0, "b": 1.0, "c": 2.0}  # multiply-accumulates
RULE = Rule("lr", "", "val/iou", True, 0.95, True, 1)


def candidate(name: str, values: Sequence[float | None], *, macs: float = 1.0) -> Candidate:
    """Make a candidate with one value per seed; None is a replicate without one."""
    by_seed = {f"seed {seed}": value for seed, value in enumerate(values)}
    return Candidate(
        id=name,
        label=name,
        values={seed: value for seed, value in by_seed.items() if value is not None},
        missing=tuple(seed for seed, value in by_seed.items() if value is None),
        train_macs=macs,
        seconds=macs,
    )


def decision(*candidates: Candidate, rule: Rule = RULE) -> DecisionRecord:
    found = decide(candidates, rule)
    assert found is not None
    return found


def compared(found: DecisionRecord, name: str) -> CandidateRecord:
    return next(each for each in found.candidates if each.configuration == name)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("values", [[0.4, 0.6], [0.1, 0.25, 0.9], list(np.linspace(-3, 8, 11))])
def test_interval_is_students_t(values: list[float], confidence: float) -> None:
    expected = stats.t.interval(
        confidence, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
    )
    found = t_interval(values, confidence)
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.low, found.high) == pytest.approx(expected)


def test_one_value_has_no_interval() -> None:
    found = t_interval([0.5], 0.95)
    assert (found.mean, found.low, found.high) == (0.5, None, None)


def test_difference_is_paired_by_replicate() -> None:
    good, bad = [0.11, 0.52, 0.90, 0.33], [0.10, 0.50, 0.89, 0.31]
    found = decision(candidate("good", good), candidate("bad", bad))
    record = compared(found, "bad")
    reference = stats.ttest_rel(bad, good).confidence_interval(0.95)
    assert record.difference == pytest.approx(np.mean(bad) - np.mean(good))
    assert (record.difference_low, record.difference_high) == pytest.approx(
        (reference.low, reference.high)
    )
    best = compared(found, "good")
    assert record.high is not None
    assert best.low is not None
    assert record.high > best.low, "their own intervals overlap"
    assert not record.is_tied, "and still the seeds agree that one is better"


def test_difference_is_taken_over_shared_replicates_only() -> None:
    found = decision(candidate("best", [0.5, 0.6, 0.7]), candidate("gap", [0.4, None, 0.5]))
    assert compared(found, "gap").difference == pytest.approx(-0.15)


def test_best_mean_has_no_difference_to_itself() -> None:
    record = compared(decision(candidate("a", [0.5, 0.6]), candidate("b", [0.1, 0.2])), "a")
    assert record.difference is None
    assert record.is_tied


@pytest.mark.parametrize(("maximize", "winner"), [(True, "high"), (False, "low")])
def test_direction_says_which_mean_is_best(maximize: bool, winner: str) -> None:
    rule = replace(RULE, maximize=maximize)
    found = decision(candidate("low", [0.1, 0.11]), candidate("high", [0.8, 0.81]), rule=rule)
    assert found.winners == (winner,)
    assert found.direction == ("maximize" if maximize else "minimize")
    assert found.rule == (
        f"{winner} has the {winner}est mean; every other candidate differs at 95% confidence."
    )


@pytest.mark.parametrize(("prefers_cheapest", "winner"), [(True, "cheap"), (False, "dear")])
def test_among_tied_candidates_the_rule_chooses(prefers_cheapest: bool, winner: str) -> None:
    rule = replace(RULE, prefers_cheapest=prefers_cheapest)
    dear = candidate("dear", [0.5, 0.7, 0.6], macs=9.0)
    cheap = candidate("cheap", [0.6, 0.5, 0.65], macs=2.0)
    found = decision(dear, cheap, rule=rule)
    assert compared(found, "cheap").is_tied
    assert found.winners == (winner,)


def test_cheapest_winner_is_said_to_be_that() -> None:
    dear = candidate("dear", [0.5, 0.7, 0.6], macs=9.0)
    cheap = candidate("cheap", [0.6, 0.5, 0.65], macs=2.0)
    worse = candidate("worse", [0.1, 0.3, 0.2], macs=1.0)
    found = decision(dear, cheap, worse)
    assert found.rule == (
        "2 of 3 candidates cannot be told apart at 95% confidence; cheap is the cheapest of them "
        "(the highest mean is dear)."
    )
    assert "Without the tie rule dear would have won." in found.flips


def test_cheap_candidate_that_is_clearly_worse_does_not_win() -> None:
    found = decision(
        candidate("good", [0.8, 0.81, 0.79], macs=9.0), candidate("cheap", [0.1, 0.1, 0.11])
    )
    assert found.winners == ("good",)


def test_among_equally_cheap_ties_the_best_mean_wins() -> None:
    found = decision(candidate("a", [0.5, 0.6, 0.7]), candidate("b", [0.6, 0.55, 0.7]))
    assert compared(found, "a").is_tied
    assert found.winners == ("b",)
    assert found.rule == (
        "b has the highest mean, but 1 other candidate cannot be told from it at 95% confidence."
    )


@pytest.mark.parametrize("prefers_cheapest", [True, False])
def test_of_exactly_equal_means_the_cheaper_one_wins(prefers_cheapest: bool) -> None:
    rule = replace(RULE, prefers_cheapest=prefers_cheapest)
    dear = candidate("dear", [0.1, 0.2, 0.3], macs=2.0)  # the sum in this order is rounded up
    cheap = candidate("cheap", [0.3, 0.2, 0.1], macs=1.0)
    assert decision(dear, cheap, rule=rule).winners == ("cheap",)


def test_candidate_that_misses_a_replicate_does_not_win_against_complete_ones() -> None:
    found = decision(candidate("gap", [0.9, None]), candidate("whole", [0.2, 0.3]))
    assert found.winners == ("whole",)
    assert compared(found, "gap").missing == ("seed 1",)
    assert found.rule == "whole is the only candidate with a complete result."


def test_of_candidates_that_all_miss_replicates_the_most_complete_may_win() -> None:
    found = decision(
        candidate("one left", [0.9, None, None]), candidate("two left", [0.2, 0.3, None])
    )
    assert found.winners == ("two left",)
    assert found.rule.endswith("No candidate has all its replicates.")


def test_candidate_without_any_value_is_recorded_without_a_mean() -> None:
    found = decision(candidate("dead", [None, None]), candidate("alive", [0.2, 0.3]))
    record = compared(found, "dead")
    assert math.isnan(record.mean)
    assert (record.low, record.difference, record.is_tied) == (None, None, False)


@pytest.mark.parametrize("candidates", [[], [candidate("dead", [None, None])]])
def test_no_value_no_decision(candidates: list[Candidate]) -> None:
    assert decide(candidates, RULE) is None


def test_one_replicate_gives_no_interval_and_says_so() -> None:
    found = decision(candidate("a", [0.5]), candidate("b", [0.4], macs=0.1))
    record = compared(found, "b")
    assert (record.low, record.difference_low, record.is_tied) == (None, None, False)
    assert found.winners == ("a",), "what is not measured twice is not called a tie"
    assert found.rule == (
        "a has the highest value; one replicate gives no interval, so this may be chance."
    )


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_identical_values_cannot_be_told_apart(seeds: int) -> None:
    same = [0.5, 0.25, 0.75, 0.5, 0.5][:seeds]
    found = decision(*(candidate(name, same, macs=macs) for name, macs in COSTS.items()))
    assert all(each.is_tied for each in found.candidates)
    assert found.winners == ("b",), "the cheapest"
    assert "2 other candidates cannot be told from it" in found.rule
    assert found.flips == ("c has the same mean.",)


def test_beam_holds_the_winner_then_the_best_means() -> None:
    rule = replace(RULE, beam=3)
    found = decision(
        candidate("third", [0.40, 0.51, 0.59], macs=1.0),
        candidate("best", [0.60, 0.70, 0.80], macs=9.0),
        candidate("cheap", [0.66, 0.62, 0.75], macs=2.0),
        candidate("last", [0.10, 0.11, 0.10], macs=1.0),
        rule=rule,
    )
    assert found.winners == ("cheap", "best", "third")


def test_beam_takes_no_more_than_there_are() -> None:
    rule = replace(RULE, beam=5)
    found = decision(candidate("a", [0.5]), candidate("b", [0.4]), rule=rule)
    assert found.winners == ("a", "b")


def test_flips_name_the_replicate_without_which_another_had_won() -> None:
    rule = replace(RULE, prefers_cheapest=False)
    found = decision(candidate("a", [0.5, 0.5, 0.9]), candidate("b", [0.6, 0.6, 0.1]), rule=rule)
    assert found.winners == ("a",)
    assert "Without seed 2 b would have won." in found.flips
    assert not any("seed 0" in sentence for sentence in found.flips)


@pytest.mark.parametrize(("maximize", "goal"), [(True, "high"), (False, "low")])
def test_flips_name_the_margin_to_the_next_best_mean(maximize: bool, goal: str) -> None:
    rule = replace(RULE, maximize=maximize)
    sign = 1 if maximize else -1
    found = decision(
        candidate("a", [0.5 * sign] * 2),
        candidate("far", [0.1 * sign] * 2),
        candidate("near", [0.375 * sign] * 2),
        rule=rule,
    )
    assert found.flips == (f"near would have the {goal}est mean if its mean were 0.125 {goal}er.",)


def test_single_candidate_has_nothing_to_flip() -> None:
    found = decision(candidate("a", [0.5, 0.6]))
    assert found.flips == ()
    assert found.rule == "a is the only candidate with a complete result."


@pytest.mark.parametrize("prefers_cheapest", [True, False])
def test_decision_does_not_depend_on_the_order_of_candidates(prefers_cheapest: bool) -> None:
    rule = replace(RULE, prefers_cheapest=prefers_cheapest, beam=2)
    candidates = [
        candidate("a", [0.1, 0.2, 0.3], macs=4.0),
        candidate("b", [0.3, 0.2, 0.1], macs=3.0),  # the same mean, but for rounding
        candidate("c", [0.01, 0.02, 0.01], macs=5.0),
        candidate("d", [0.9, None, None], macs=1.0),
    ]
    found = [decision(*order, rule=rule) for order in itertools.permutations(candidates)]
    assert {(each.winners, each.rule, each.flips) for each in found} == {
        (found[0].winners, found[0].rule, found[0].flips)
    }
    assert {each.configuration for each in found[0].candidates} == set("abcd")


def test_candidates_are_recorded_in_the_order_of_the_stage() -> None:
    found = decision(candidate("z", [0.1]), candidate("a", [0.5]), candidate("m", [0.3]))
    assert [each.configuration for each in found.candidates] == ["z", "a", "m"]
