"""Verdicts on numbers beside ours: the formulas, their level and what they find."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from reports.baselines.verdict import (
    ERROR,
    Judgement,
    Verdict,
    judge,
    judge_difference,
    rounding_of,
)
from reports.several.comparison import compare_studies
from reports.tables.comparison import comparison
from trackers.records import (
    CandidateRecord,
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    Outcome,
    StudyRecord,
)

Build = Callable[[int], StudyRecord]
SEEDS, SIGMA, LEVEL = 6, 0.005, 0.4
MANY, ASKED = 2000, 100  # simulations of the formulas, and of whole comparisons
DIFFERENT = (Verdict.BELOW, Verdict.ABOVE)
SAME = (Verdict.WITHIN_NOISE, Verdict.REPRODUCED)
STEADY = (0.400, 0.402, 0.398, 0.401, 0.399, 0.400)


def draws(seed: int, shape: tuple[int, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return LEVEL + SIGMA * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(
    ("values", "cited", "rounding", "verdict"),
    [
        (STEADY, 0.40, 0.005, Verdict.REPRODUCED),
        (STEADY, 0.42, 0.005, Verdict.BELOW),
        (STEADY, 0.39, 0.0005, Verdict.ABOVE),
        (STEADY, 0.403, 0.0, Verdict.WITHIN_NOISE),  # two standard deviations off
        ((0.1, 0.7, 0.4, 0.5, 0.2, 0.6), 0.4, 0.005, Verdict.WITHIN_NOISE),  # of an unsteady one
        (STEADY[:3], 0.402, 0.0, Verdict.WITHIN_NOISE),  # three seeds leave it open
        (STEADY[:3], 0.80, 0.005, Verdict.BELOW),
        (STEADY[:2], 0.80, 0.005, Verdict.CANNOT_SAY),
        (STEADY[:1], 0.40, 0.005, Verdict.CANNOT_SAY),
        ((), 0.40, 0.005, Verdict.CANNOT_SAY),
        ((0.4, 0.4, 0.4), 0.40, 0.005, Verdict.REPRODUCED),  # its digits
        ((0.4, 0.4, 0.4), 0.45, 0.005, Verdict.CANNOT_SAY),  # how much a seed moves is unknown
    ],
)
def test_every_verdict_has_its_case(
    values: Sequence[float], cited: float, rounding: float, verdict: Verdict
) -> None:
    assert judge(values, cited, rounding=rounding).verdict is verdict


def test_interval_is_that_of_one_more_number_and_of_the_mean_of_several() -> None:
    values = draws(1, (SEEDS,))
    spread = float(np.std(values, ddof=1))
    for runs in (1, 6):
        expected = stats.t.ppf(1 - ERROR / 2, SEEDS - 1) * spread * math.sqrt(1 / SEEDS + 1 / runs)
        found = judge(list(values), LEVEL, rounding=0.005, runs=runs)
        assert found.half == pytest.approx(expected + 0.005)
        assert found.mean == pytest.approx(float(values.mean()))


def test_margin_is_two_standard_deviations_and_at_most_a_twentieth() -> None:
    wide = judge((0.30, 0.34, 0.38), 0.34, rounding=0.005)
    narrow = judge((0.339, 0.340, 0.341), 0.34, rounding=0.005)
    assert wide.margin == pytest.approx(0.005 + 0.017)
    assert narrow.margin == pytest.approx(0.005 + 0.002)


@pytest.mark.parametrize(
    ("printed", "half"),
    [
        ("0.26", 0.005),
        ("0.10", 0.005),
        ("0.732", 0.0005),
        ("3.25", 0.005),
        ("40", 0.5),
        ("1e-3", 5e-4),
    ],
)
def test_rounding_is_half_a_unit_of_the_last_digit(printed: str, half: float) -> None:
    assert rounding_of(printed) == pytest.approx(half)


def test_what_is_no_number_leaves_no_rounding() -> None:
    assert rounding_of("about 0.3") == rounding_of("nan") == 0.0


def test_differences_are_welchs_and_students() -> None:
    first, second = draws(2, (SEEDS,)), draws(3, (SEEDS + 3,))
    welch = stats.ttest_ind(first, second, equal_var=False).confidence_interval(1 - ERROR)
    found = judge_difference(list(first), list(second))
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))
    paired = stats.ttest_rel(first, second[:SEEDS]).confidence_interval(1 - ERROR)
    found = judge_difference(list(first), list(second[:SEEDS]), is_paired=True)
    assert (found.low, found.high) == pytest.approx((paired.low, paired.high))


def test_two_systems_need_three_seeds_each_and_some_noise() -> None:
    few = judge_difference((0.1, 0.2), (0.5, 0.6, 0.7))
    assert (few.verdict, few.reason) == (Verdict.CANNOT_SAY, "2 seeds, and a verdict needs 3")
    still = judge_difference((0.1, 0.1, 0.1), (0.2, 0.2, 0.2))
    assert (still.verdict, still.low) == (Verdict.CANNOT_SAY, None)
    assert judge_difference((0.1,) * 3, (0.1,) * 3).verdict is Verdict.WITHIN_NOISE
    assert judge_difference((), (0.1,) * 3).difference is None


def test_pairs_of_other_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="must be of the same seeds, got 3 and 4"):
        judge_difference((1, 2, 3), (1, 2, 3, 4), is_paired=True)


def within(found: int, share: float) -> bool:
    """Whether so many of `MANY` are what a share makes, within four standard errors."""
    return abs(found / MANY - share) < 4 * math.sqrt(share * (1 - share) / MANY)


def found_by_theory(noncentrality: float, freedom: int) -> float:
    critical = stats.t.ppf(1 - ERROR / 2, freedom)
    far = stats.nct(freedom, noncentrality)
    return float(far.sf(critical) + far.cdf(-critical))


@pytest.mark.parametrize("is_paired", [False, True])
def test_null_differences_and_planted_ones_are_as_often_found_as_theory_says(
    is_paired: bool,
) -> None:
    pairs = draws(10 + is_paired, (MANY, 2, SEEDS)).tolist()
    null = sum(judge_difference(a, b, is_paired=is_paired).is_found for a, b in pairs)
    moved = [([x + 3 * SIGMA for x in a], b) for a, b in pairs]
    found = sum(
        judge_difference(a, b, is_paired=is_paired).verdict is Verdict.ABOVE for a, b in moved
    )
    power = found_by_theory(3 / math.sqrt(2 / SEEDS), SEEDS - 1 if is_paired else 2 * SEEDS - 2)
    assert power > 0.9
    if is_paired:
        assert within(null, ERROR)
        assert within(found, power)
    else:  # Welch gives up freedom that equal variances would not cost
        assert null / MANY < ERROR + 0.01
        assert power - 0.02 < found / MANY < power + 0.01


@pytest.mark.parametrize(("runs", "least"), [(1, 0.35), (6, 0.9)])
def test_cited_numbers_are_as_often_told_apart_as_theory_says(runs: int, least: float) -> None:
    ours = draws(20 + runs, (MANY, SEEDS)).tolist()
    theirs = draws(30 + runs, (MANY, runs)).mean(axis=1).tolist()
    null = sum(
        judge(a, b, runs=runs).verdict in DIFFERENT for a, b in zip(ours, theirs, strict=True)
    )
    found = sum(
        judge(a, b + 3 * SIGMA, runs=runs).verdict is Verdict.BELOW
        for a, b in zip(ours, theirs, strict=True)
    )
    power = found_by_theory(3 / math.sqrt(1 / SEEDS + 1 / runs), SEEDS - 1)
    assert within(null, ERROR)
    assert within(found, power)
    assert power > least


@pytest.mark.parametrize("seeds", [4, 6, 12])
def test_what_is_off_by_the_margin_is_seldom_called_reproduced(seeds: int) -> None:
    margin = 2 * SIGMA  # less than 5 % of the cited number
    values = draws(40 + seeds, (MANY, seeds)).tolist()
    wrong = sum(judge(a, LEVEL + margin).verdict is Verdict.REPRODUCED for a in values)
    assert wrong / MANY < ERROR + 0.01


@pytest.mark.parametrize("seeds", [4, 12])
def test_what_is_off_by_a_twentieth_is_seldom_called_reproduced(seeds: int) -> None:
    cited = 8 * SIGMA  # a twentieth of it is less than the noise
    values = (draws(45 + seeds, (MANY, seeds)) - LEVEL + 1.05 * cited).tolist()
    wrong = sum(judge(a, cited).verdict is Verdict.REPRODUCED for a in values)
    assert wrong / MANY < ERROR + 0.01


def test_closeness_is_the_noncentral_t_s() -> None:
    values = draws(51, (SEEDS,))
    spread, noise = float(np.std(values, ddof=1)), stats.nct(SEEDS - 1, 2 * math.sqrt(SEEDS))
    edge = float(noise.ppf(ERROR)) * spread / math.sqrt(SEEDS)
    mean = float(values.mean())
    assert judge(list(values), mean - 0.999 * edge).verdict is Verdict.REPRODUCED
    assert judge(list(values), mean - 1.001 * edge).verdict is Verdict.WITHIN_NOISE


def test_a_steady_system_is_reproduced() -> None:
    values = draws(50, (MANY, 10)).tolist()
    assert sum(judge(a, LEVEL).verdict is Verdict.REPRODUCED for a in values) / MANY > 0.75


def measured(study: StudyRecord, values: Sequence[float], *, first_seed: int = 0) -> StudyRecord:
    """Give a study one configuration with a value per seed."""
    known = next(iter(study.cells.values()))
    cells: dict[str, CellRecord] = {}
    for seed, value in enumerate(values, first_seed):
        name = f"only-{seed}"
        metrics = {"val/iou": value, "test/iou": value}
        complete = replace(known, outcome=Outcome.COMPLETE, metrics=metrics)
        cells[name] = replace(complete, id=name, seed=seed)
    only = ConfigurationRecord("only", None, {}, "", tuple(cells))
    named = {f"seed {cell.seed}": cell.metrics["val/iou"] for cell in cells.values()}
    mean, nothing = sum(values) / len(values), (None,) * 5
    candidate = CandidateRecord("only", named, (), mean, *nothing, 1.0, 1.0, is_tied=True)
    decision = DecisionRecord(
        "base", "", "val/iou", "maximize", ("only",), (candidate,), "it is alone", 0.95, ()
    )
    stage = replace(study.stages[0], name="base", configurations=(only,), decisions=(decision,))
    return replace(study, stages=(stage,), cells=cells, test_scores=())


def beside(study: StudyRecord, values: Sequence[float], cited: float, runs: int) -> Judgement:
    """Judge a study's values through its record and the text of a CSV."""
    text = (
        "baseline,row,system,task,dataset,class_name,split,metric,value,source,runs\n"
        'own.csv,only,ours,semantic_segmentation,street_scenes,"person, car",test,iou,'
        f"{cited:.4f},a test,{runs}\n"
    )
    made = replace(measured(study, values), baselines=("own.csv",), cited_files={"own.csv": text})
    (table,) = comparison(made)
    (number,) = table.rows[0].numbers
    assert number is not None
    assert number.judgement is not None
    assert number.comparability.sentence == "same protocol"
    return number.judgement


@pytest.mark.parametrize("runs", [1, 6])
def test_a_system_beside_its_own_cited_number_is_within_noise(build: Build, runs: int) -> None:
    study, ours = build(1), draws(60 + runs, (ASKED, SEEDS)).tolist()
    theirs = draws(70 + runs, (ASKED, runs)).mean(axis=1).tolist()
    found = [beside(study, a, b, runs).verdict for a, b in zip(ours, theirs, strict=True)]
    assert sum(verdict in SAME for verdict in found) >= 95


def test_a_cited_mean_of_six_that_is_three_sigma_off_is_told_apart(build: Build) -> None:
    study, ours = build(1), draws(80, (ASKED, SEEDS)).tolist()
    theirs = (draws(81, (ASKED, SEEDS)).mean(axis=1) + 3 * SIGMA).tolist()
    found = [beside(study, a, b, SEEDS).verdict for a, b in zip(ours, theirs, strict=True)]
    assert found.count(Verdict.BELOW) >= 90


@pytest.mark.parametrize(("sigmas", "least"), [(0, 95), (3, 90)])
def test_two_studies_of_other_seeds_are_told_apart_only_where_they_differ(
    build: Build, sigmas: int, least: int
) -> None:
    study, right = build(1), 0
    for first, second in draws(90 + sigmas, (ASKED, 2, SEEDS)).tolist():
        before = measured(study, first)
        now = measured(study, [x + sigmas * SIGMA for x in second], first_seed=SEEDS)
        difference = compare_studies(before, now).difference
        assert difference is not None
        assert difference.method == "Welch's t"
        right += difference.is_found == bool(sigmas)
    assert right >= least
