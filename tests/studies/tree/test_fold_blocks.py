"""What is told from folds: Nadeau and Bengio's correction, by hand and by simulation."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from studies.tree.decisions import Candidate, Rule, decide
from studies.tree.fold_blocks import Folds
from studies.tree.intervals import chance_of, difference_interval, rivals_of, t_interval
from trackers.records import DecisionRecord

K = 5
NAMES = {f"fold {fold}, seed {seed}": f"fold {fold}" for fold in range(K) for seed in range(3)}
FOLDS = Folds(K, NAMES)
OVER_SEEDS = Rule("lr", "", "val/top1", True, 0.95, False, 1)
OVER_FOLDS = replace(OVER_SEEDS, folds=FOLDS)


def candidate(name: str, values: Sequence[Sequence[float]]) -> Candidate:
    """Make a candidate of a row of folds per seed; NaN is a cell without a value."""
    named = {
        f"fold {fold}, seed {seed}": float(value)
        for seed, row in enumerate(values)
        for fold, value in enumerate(row)
    }
    known = {each: value for each, value in named.items() if not math.isnan(value)}
    missing = tuple(each for each in named if each not in known)
    return Candidate(name, name, known, missing, train_macs=1.0, seconds=1.0)


def decision(*candidates: Candidate, rule: Rule = OVER_FOLDS) -> DecisionRecord:
    found = decide(candidates, rule)
    assert found is not None
    return found


def test_five_folds_by_hand() -> None:
    # mean 0.03, variance 0.00025; (1/5 + 1/4) * 0.00025 = 0.0001125, whose root is 0.0106066;
    # Student's t of 4 degrees of freedom at 97.5 % is 2.776445
    values = [0.02, 0.04, 0.01, 0.03, 0.05]
    found = t_interval(values, 0.95, overlap=1 / 4)
    assert (found.low, found.high) == pytest.approx((0.03 - 0.0294487, 0.03 + 0.0294487), abs=1e-6)
    naive = t_interval(values, 0.95)
    assert naive.high == pytest.approx(0.03 + 0.0196324, abs=1e-6)


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_two_configurations_have_the_corrected_resampled_t(folds: int) -> None:
    rng = np.random.default_rng(folds)
    own, other = rng.normal(size=(2, folds))
    rows = [{f"fold {n}": float(v) for n, v in enumerate(row)} for row in (own, other)]
    overlap = 1 / (folds - 1)
    difference = own - other
    error = math.sqrt((1 / folds + overlap) * difference.var(ddof=1))
    half = stats.t.ppf(0.975, folds - 1) * error
    found = difference_interval([*difference], rivals_of(rows, overlap), 0.95)
    assert found.high == pytest.approx(difference.mean() + half)
    p = 2 * stats.t.sf(abs(difference.mean()) / error, folds - 1)
    assert chance_of([[*difference]], rivals_of(rows, overlap), tried=2) == pytest.approx(p)


def test_many_configurations_are_as_wide_as_the_correction_makes_them() -> None:
    rng = np.random.default_rng(3)
    rows = [{f"fold {n}": float(v) for n, v in enumerate(row)} for row in rng.normal(size=(4, K))]
    pair = [rows[0][name] - rows[1][name] for name in rows[0]]
    once = difference_interval(pair, rivals_of(rows), 0.95)
    folded = difference_interval(pair, rivals_of(rows, 1 / (K - 1)), 0.95)
    assert once.high is not None
    assert folded.high is not None
    assert folded.high - folded.mean == pytest.approx(1.5 * (once.high - once.mean))


def test_seeds_of_a_fold_are_one_value() -> None:
    """Thrice the seeds are no more folds: what was measured thrice alike tells no more."""
    own, other = [0.5, 0.6, 0.7, 0.6, 0.5], [0.4, 0.55, 0.65, 0.5, 0.45]
    once = decision(candidate("a", [own]), candidate("b", [other]))
    thrice = decision(candidate("a", [own] * 3), candidate("b", [other] * 3))
    assert thrice.candidates[1].difference_low == pytest.approx(once.candidates[1].difference_low)
    assert thrice.candidates[0].low == pytest.approx(once.candidates[0].low)
    assert thrice.chance == pytest.approx(once.chance)


def test_a_fold_that_lacks_a_seed_is_compared_with_no_other() -> None:
    whole = [[0.5, 0.6, 0.7, 0.6, 0.5], [0.7, 0.8, 0.9, 0.8, 0.7]]
    gap = [[0.4, 0.5, 0.6, 0.5, 0.4], [math.nan, 0.7, 0.8, 0.7, 0.6]]
    blocks = FOLDS.blocks([candidate("a", whole).values, candidate("b", gap).values])
    assert list(blocks[0]) == [f"fold {fold}" for fold in range(K)]
    assert list(blocks[1]) == [f"fold {fold}" for fold in range(1, K)]
    record = decision(candidate("a", whole), candidate("b", gap)).candidates[1]
    assert record.difference == pytest.approx(-0.1)  # not the -0.1 - 0.1 / 5 of all values
    assert record.missing == ("fold 0, seed 1",)


def test_a_seed_that_nobody_has_takes_no_fold_away() -> None:
    rows = [[0.5, 0.6, 0.7, 0.6, 0.5], [math.nan, 0.8, 0.9, 0.8, 0.7]]
    blocks = FOLDS.blocks([candidate("a", rows).values, candidate("b", rows).values])
    assert [len(each) for each in blocks] == [K, K]


def fold_accuracies(rng: np.random.Generator) -> NDArray[np.float64]:
    """Cross-validate two learners that are equally good on average: (2, folds).

    Both assign to the nearer class mean, each by features of its own that tell as much.
    """
    labels = np.repeat([0, 1], 50)
    features = rng.normal(size=(100, 2, 4)) + 0.35 * labels[:, None, None]
    order = rng.permutation(100)
    scores = np.empty((2, K))
    for fold, held_out in enumerate(np.array_split(order, K)):
        train = np.setdiff1d(order, held_out)
        for learner in range(2):
            own = features[:, learner]
            means = [own[train][labels[train] == label].mean(axis=0) for label in (0, 1)]
            far = [((own[held_out] - mean) ** 2).sum(axis=1) for mean in means]
            scores[learner, fold] = ((far[1] < far[0]) == labels[held_out]).mean()
    return scores


@pytest.fixture(scope="module")
def null_studies() -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(2003)
    return [fold_accuracies(rng) for _ in range(1000)]


def told_apart(studies: Sequence[NDArray[np.float64]], overlap: float) -> NDArray[np.bool_]:
    """Say by the formula alone which studies have an interval without zero."""
    differences = np.array([each[0] - each[1] for each in studies])
    error = np.sqrt((1 / K + overlap) * differences.var(axis=1, ddof=1))
    told: NDArray[np.bool_] = np.abs(differences.mean(axis=1)) > stats.t.ppf(0.975, K - 1) * error
    return told


def test_learners_that_are_equally_good_are_told_apart_in_at_most_5_of_100_data_sets(
    null_studies: list[NDArray[np.float64]],
) -> None:
    assert told_apart(null_studies, FOLDS.overlap).mean() <= 0.05


def test_students_t_over_folds_finds_more_than_there_is(
    null_studies: list[NDArray[np.float64]],
) -> None:
    assert told_apart(null_studies, 0.0).mean() > 0.065  # beyond chance of 1,000 at 5 %


def test_decisions_say_what_the_formula_says(null_studies: list[NDArray[np.float64]]) -> None:
    expected = told_apart(null_studies, FOLDS.overlap)
    shown = [*np.flatnonzero(expected)[:5], *np.flatnonzero(~expected)[:15]]
    for number in shown:
        first, second = null_studies[number]
        found = decision(candidate("a", [first]), candidate("b", [second]))
        assert all(each.is_tied for each in found.candidates) == (not expected[number])
