"""What a study cost, what its budget buys, and where its cells fit."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from reports.cost_contents import cost_contents
from reports.figures.cost_accuracy import cost_accuracy, cost_accuracy_figure, pareto_front
from reports.figures.expected_best import expected_best, expected_curves, expected_figure
from reports.page import render
from reports.tables.costs import cost_table
from reports.tables.ledger import ledger
from reports.tables.memory import memory_table
from trackers.memory_records import MemoryRecord
from trackers.records import CellRecord, ConfigurationRecord, JsonValue, StudyRecord

COSTS: dict[str, JsonValue] = {
    "seconds": 60.0,
    "device_s": 30.0,
    "epochs": 4,
    "steps": 40,
    "images": 80,
}
PRICED: dict[str, JsonValue] = {
    "money": 0.25,
    "currency": "USD",
    "provider": "Lambda",
    "price_per_hour": 30.0,
}


def with_costs(study: StudyRecord, **more: JsonValue) -> StudyRecord:
    def priced(cell: CellRecord) -> CellRecord:
        trials = [replace(each, costs={**COSTS, **more}) for each in cell.trials]
        return replace(cell, trials=tuple(trials))

    return replace(study, cells={name: priced(cell) for name, cell in study.cells.items()})


def with_rising_times(study: StudyRecord, *, step_s: float = 40.0) -> StudyRecord:
    """Return the study with a device time for every cell that is longer than the one before."""
    cells = {}
    for number, (name, cell) in enumerate(study.cells.items(), start=1):
        costs: dict[str, JsonValue] = {**COSTS, **PRICED, "device_s": step_s * number}
        trials = tuple(replace(each, costs=costs) for each in cell.trials)
        cells[name] = replace(cell, trials=trials)
    return replace(study, cells=cells)


@pytest.fixture
def make_search(build: Callable[[int], StudyRecord]) -> Callable[[int], StudyRecord]:
    """Return a study of one stage with so many configurations, of a cell each."""

    def make(count: int) -> StudyRecord:
        study = build(1)
        cell = next(iter(study.cells.values()))
        cells, configurations = {}, []
        for number in range(count):
            name = f"cell-{number}"
            cells[name] = replace(cell, id=name, metrics={"val/iou": 0.5 + number / 100})
            varied = {"training.learning_rate": 0.1 * (number + 1)}
            configurations.append(ConfigurationRecord(name, None, varied, "", (name,)))
        stage = replace(study.stages[0], configurations=tuple(configurations), decisions=())
        return replace(study, stages=(stage,), cells=cells, test_scores=())

    return make


@pytest.mark.parametrize("maximize", [True, False])
def test_expected_best_is_the_mean_over_all_draws(maximize: bool) -> None:
    values = [0.3, 0.9, 0.3, 0.5]
    best = max if maximize else min
    for count, found in enumerate(expected_best(values, maximize=maximize), start=1):
        drawn = itertools.product(values, repeat=count)
        assert found == pytest.approx(fmean(best(each) for each in drawn))


def test_expected_best_counts_what_has_no_value_as_the_worst() -> None:
    found = expected_best([None, 0.5, 0.7], maximize=True)
    assert found == pytest.approx(expected_best([0.5, 0.5, 0.7], maximize=True))
    fewer = expected_best([None, 0.5, 0.7], maximize=False)
    assert fewer == pytest.approx(expected_best([0.7, 0.5, 0.7], maximize=False))


def test_pareto_front_is_what_none_beats_in_both() -> None:
    points = [(1.0, 0.5), (2.0, 0.5), (2.0, 0.9), (3.0, 0.8), (1.0, 0.5)]
    assert pareto_front(points, less_cost=True, more_value=True) == (
        True, False, True, False, True,
    )  # fmt: skip
    assert pareto_front(points, less_cost=False, more_value=False) == (
        False, True, False, True, False,
    )  # fmt: skip


def test_costs_are_summed_by_stage_and_by_outcome(study: StudyRecord) -> None:
    table = cost_table(with_costs(study, **PRICED))
    assert table is not None
    trials = [trial for cell in study.cells.values() for trial in cell.trials]
    assert table.total.trials == len(trials)
    assert table.total.device_s == 30.0 * len(trials)
    assert table.total.money == pytest.approx(0.25 * len(trials))
    for rows in (table.stages, table.outcomes):
        assert sum(row.costs.images for row in rows) == table.total.images
    assert {row.name: row.costs.trials for row in table.outcomes} == {
        "failed": 1, "infeasible": 1, "lost": 1, "complete": len(trials) - 3,
    }  # fmt: skip
    assert table.providers == ("Lambda: 30 USD/h",)


def test_trials_without_costs_count_by_their_time(study: StudyRecord) -> None:
    table = cost_table(study)
    assert table is not None
    assert table.total.device_s == 60.0 * table.total.trials
    assert (table.has_money, table.has_energy) == (False, False)


def test_a_sum_of_which_parts_are_unknown_says_so(study: StudyRecord) -> None:
    priced = with_costs(study, **PRICED)
    name, cell = next(iter(priced.cells.items()))
    bare = replace(cell, trials=tuple(replace(each, costs=COSTS) for each in cell.trials))
    mixed = cost_table(replace(priced, cells={**priced.cells, name: bare}))
    whole = cost_table(priced)
    assert mixed is not None
    assert whole is not None
    assert (mixed.total.is_partial, whole.total.is_partial) == (True, False)


def test_score_is_set_against_time_compute_and_money(
    make_search: Callable[[int], StudyRecord],
) -> None:
    study = with_rising_times(make_search(4))
    cells = {
        name: replace(
            cell,
            train_macs=4e9 * number,
            trials=tuple(
                replace(each, costs={**each.costs, "money": 0.1 * number}) for each in cell.trials
            ),
        )
        for number, (name, cell) in enumerate(study.cells.items(), start=1)
    }
    found = {each.cost: each for each in cost_accuracy(replace(study, cells=cells))}
    assert list(found) == ["device minutes per cell", "training GMAC per cell", "USD per cell"]
    compute = found["training GMAC per cell"]
    assert [point.cost for point in compute.points] == pytest.approx([4, 8, 12, 16])
    best = max(compute.points, key=lambda point: point.value)
    assert best.is_front
    names = [trace.name for trace in cost_accuracy_figure(compute).data]
    assert names == ["others", "front"]


def test_a_cost_that_is_the_same_for_all_decides_nothing(
    make_search: Callable[[int], StudyRecord],
) -> None:
    assert cost_accuracy(with_costs(make_search(4), **PRICED)) == ()


@pytest.mark.parametrize(
    ("step_s", "unit", "size"),
    [(0.01, "seconds", 1.0), (40.0, "minutes", 60.0), (4000.0, "hours", 3600.0)],
)
def test_times_are_in_the_unit_that_suits_the_longest(
    make_search: Callable[[int], StudyRecord], step_s: float, unit: str, size: float
) -> None:
    (times, *_) = cost_accuracy(with_rising_times(make_search(4), step_s=step_s))
    assert times.cost == f"device {unit} per cell"
    expected = [step_s * number / size for number in (1, 2, 3, 4)]
    assert [point.cost for point in times.points] == pytest.approx(expected)


def test_a_second_objective_has_a_front_of_its_own(study: StudyRecord) -> None:
    second = {"joint": {"second": {"metric": "val/loss", "direction": "minimize"}}}
    found = cost_accuracy(replace(study, settings={**study.settings, "search": second}))
    assert found[-1].cost == "validation loss"
    assert found[-1].less_is_better


def test_second_objectives_of_stages_are_drawn_too(study: StudyRecord) -> None:
    second = {"metric": "val/loss", "direction": "minimize"}
    stages = [{"stage": "a"}, {"stage": "b", "second": second}, {"stage": "c", "second": second}]
    found = cost_accuracy(replace(study, settings={**study.settings, "search": {"tree": stages}}))
    assert [each.cost for each in found].count("validation loss") == 1
    assert found[-1].less_is_better


def test_configurations_of_one_label_are_points_of_their_own(
    make_search: Callable[[int], StudyRecord],
) -> None:
    study = make_search(4)
    (stage,) = study.stages
    alike = {"training.learning_rate": 0.1}
    first, second, *rest = [replace(each, varied=alike) for each in stage.configurations]
    above = replace(stage, configurations=(first, replace(second, varied={"data.seed": 1})))
    beam = [replace(each, parent=of.id) for each, of in zip(rest, (first, second), strict=True)]
    below = replace(stage, name="below", configurations=(*beam, replace(beam[0], id="again")))
    study = with_rising_times(replace(study, stages=(above, below)))
    (times, *_) = cost_accuracy(study)
    labels = [point.label for point in times.points if point.stage == "below"]
    assert labels == ["learning rate 0.1 from learning rate 0.1", "learning rate 0.1 from seed 1"]
    classes = [
        replace(each, group=group)
        for each, group in zip((first, second, *rest), "abcd", strict=True)
    ]
    per_class = replace(stage, configurations=tuple(classes))
    (times, *_) = cost_accuracy(replace(study, stages=(per_class,)))
    assert sorted(point.label for point in times.points) == [
        f"{group}: learning rate 0.1" for group in "abcd"
    ]


def test_expected_best_needs_five_configurations(
    make_search: Callable[[int], StudyRecord],
) -> None:
    assert expected_curves(make_search(4)) == ()
    epochs, times = expected_curves(make_search(6))
    assert (epochs.unit, times.unit) == ("epochs", "device minutes")
    assert epochs.budgets == pytest.approx(8.0 * np.arange(1, 7))
    assert np.all(np.diff(epochs.values) > 0)
    (trace,) = expected_figure(epochs).data
    assert list(trace.x) == [8, 16, 24, 32, 40, 48]


def test_memory_says_what_fits_with_which_micro_batch(study: StudyRecord) -> None:
    small = MemoryRecord({"data.image_size": 64}, (1, 8), 1000.0, 1000.0, "cuda:0", True)
    large = replace(small, settings={"data.image_size": 512}, fixed_mb=20_000.0)
    table = memory_table(replace(study, memory=(small, large)))
    assert table is not None
    assert table.is_measured
    assert [row.label for row in table.rows[::2]] == ["image size 64", "image size 512"]
    assert [fit.text for fit in table.rows[1].fits] == [
        "micro-batch 4", "micro-batch 4", "fits", "fits", "fits", "fits",
    ]  # fmt: skip
    assert [fit.kind for fit in table.rows[2].fits] == [*["too-large"] * 4, "fits", "fits"]
    assert [fit.text for fit in table.rows[3].fits][-2:] == ["micro-batch 4", "fits"]


def test_page_shows_costs_and_memory(study: StudyRecord) -> None:
    memory = (MemoryRecord({}, (2,), 100.0, 10.0, "<cpu>", False),)
    page = render(replace(with_costs(study, **PRICED), memory=memory), generated_at="now")
    for part in ('id="costs"', 'id="cost-table"', 'id="memory-table"', "Lambda: 30 USD/h"):
        assert part in page
    assert "<cpu>" not in page


def test_nothing_is_said_of_costs_before_a_trial_ended(study: StudyRecord) -> None:
    cells = {name: replace(cell, trials=()) for name, cell in study.cells.items()}
    contents = cost_contents(replace(study, cells=cells))
    assert contents.table is None
    assert contents.memory is None


def test_cells_left_over_say_why_they_did_not_run(study: StudyRecord) -> None:
    note = "budget.study.money: 5 USD used"
    stopped = ledger(replace(study, is_finished=False, note=note))
    reasons = {row.cell: row.reason for row in stopped.rows if row.outcome == "not run"}
    assert reasons == {"op-sgd-2": note}
