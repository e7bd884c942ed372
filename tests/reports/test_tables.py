import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.catalog import TASKS
from reports.measurements import planned_total
from reports.tables.held_out import held_out_table
from reports.tables.ledger import ledger
from reports.tables.predictions import WITHOUT_THRESHOLD, prediction_strips
from reports.tables.stages import stage_tables
from reports.tables.training import training_tables
from trackers.records import Outcome, StudyRecord

Build = Callable[[int], StudyRecord]


def test_a_stage_shows_every_seed_and_the_decisions_numbers(study: StudyRecord) -> None:
    table = stage_tables(study)[0]
    row = table.rows[1]
    known = study.stages[0].decisions[0].candidates[1]
    assert table.columns == ("seed 0", "seed 1", "seed 2")
    assert [part[0].value for part in row.columns] == list(known.values.values())
    assert (row.mean, row.low, row.high) == (known.mean, known.low, known.high)
    assert row.rank == 0
    assert table.rows[0].difference == known_difference(study)


def known_difference(study: StudyRecord) -> float | None:
    return study.stages[0].decisions[0].candidates[0].difference


def test_a_configuration_proposed_twice_shows_what_was_decided_of_it(study: StudyRecord) -> None:
    stage = study.stages[0]
    again = replace(stage.configurations[0], id="again")
    repeated = replace(stage, configurations=(*stage.configurations, again))
    rows = stage_tables(replace(study, stages=(repeated, *study.stages[1:])))[0].rows
    assert replace(rows[-1], configuration=rows[0].configuration) == rows[0]
    assert rows[-1].configuration == "again"


def test_a_cell_without_result_shows_its_outcome_and_no_value(study: StudyRecord) -> None:
    row = stage_tables(study)[0].rows[0]
    assert [part[0].value is None for part in row.columns] == [False, True, False]
    assert row.columns[1][0].outcome == "infeasible"
    assert row.outcomes == (("infeasible", 1), ("complete", 2))


def test_classes_are_columns_with_their_seeds_inside(class_study: StudyRecord) -> None:
    table = stage_tables(class_study)[1]
    assert (table.by_class, table.columns) == (True, ("car", "stop sign"))
    row = table.rows[1]
    values = [class_study.cells[f"image=256/car/{seed}"].metrics["test/iou"] for seed in range(2)]
    assert [replicate.value for replicate in row.columns[0]] == values
    assert row.column_means[0] == pytest.approx(np.mean(values))


def test_classes_that_decide_for_themselves_are_rows(class_study: StudyRecord) -> None:
    table = stage_tables(class_study)[-1]
    assert table.columns == ("seed 0", "seed 1")
    assert [(row.group, row.rank) for row in table.rows if row.rank is not None] == [
        ("car", 0),
        ("stop sign", 0),
    ]


def test_an_undecided_stage_shows_its_own_means(build: Build) -> None:
    study = build(1)
    open_stage = replace(study.stages[0], decisions=())
    (table, *_) = stage_tables(replace(study, stages=(open_stage, *study.stages[1:])))
    values = [study.cells[f"le-0.001-{seed}"].metrics["val/iou"] for seed in range(3)]
    assert table.rows[1].mean == pytest.approx(np.mean(values))
    assert table.rows[1].rank is None
    assert stage_tables(study)[1].rows == ()


def test_the_axis_of_interval_marks_spans_every_interval(study: StudyRecord) -> None:
    for table in stage_tables(study):
        low, high = table.axis
        lows = [row.low for row in table.rows if row.low is not None]
        highs = [row.high for row in table.rows if row.high is not None]
        assert low < min(lows) < max(highs) < high


def test_a_metric_that_is_not_a_number_is_no_value(study: StudyRecord) -> None:
    cell = study.cells["le-0.001-0"]
    metrics = {"val/iou": math.nan}
    cells = {**study.cells, cell.id: replace(cell, metrics=metrics)}
    row = stage_tables(replace(study, cells=cells))[0].rows[1]
    assert row.columns[0][0].value is None


def test_training_columns_come_from_the_scored_epoch(study: StudyRecord) -> None:
    cell = replace(study.cells["le-0.001-0"], best_epoch=3)
    cells = {**study.cells, cell.id: cell}
    table = training_tables(replace(study, cells=cells))["learning rate"]
    others = [study.cells[f"le-0.001-{seed}"] for seed in (1, 2)]
    expected = [cell.epochs[2].metrics["train/loss"]]
    expected += [other.epochs[-1].metrics["train/loss"] for other in others]
    row = table.rows[1]
    assert row.metrics[table.metrics.index("train/loss")] == pytest.approx(np.mean(expected))
    assert row.epoch == pytest.approx((3 + 8 + 8) / 3)
    assert row.cells == 3


def test_what_was_asked_for_beside_the_objective_is_a_column(study: StudyRecord) -> None:
    first = study.cells["le-0.001-0"]
    epochs = [
        replace(e, metrics={**e.metrics, "val/pixel_error": 0.2, "val/rand_error": 0.1})
        for e in first.epochs
    ]
    cells = {**study.cells, first.id: replace(first, epochs=tuple(epochs))}
    table = training_tables(replace(study, cells=cells, metric="val/rand_error"))["learning rate"]
    assert table.metrics[-1] == "val/pixel_error"
    assert "val/rand_error" not in table.metrics  # it has the column of the objective
    assert [row.metrics[-1] for row in table.rows] == [None, pytest.approx(0.2), None]


def test_training_rows_are_per_class_as_the_thesis_prints_them(class_study: StudyRecord) -> None:
    table = training_tables(class_study)["batch size"]
    assert [row.group for row in table.rows] == ["car"] * 3 + ["stop sign"] * 3
    assert table.metrics == (
        "train/pixel_accuracy",
        "train/loss",
        "val/pixel_accuracy",
        "val/loss",
    )
    assert "threshold" not in training_tables(class_study)


def test_the_ledger_holds_every_cell_once_and_trouble_first(study: StudyRecord) -> None:
    book = ledger(study)
    assert sorted(row.cell for row in book.rows) == sorted(study.cells)
    assert [row.outcome for row in book.rows[:4]] == [
        "failed",
        "infeasible",
        "not run",
        "complete",
    ]
    assert book.rows[0].reason == "Image 17.jpg <truncated> cannot be read."
    lost = next(row for row in book.rows if row.cell == "ba-8-2")
    assert lost.attempts == ("lost", "complete")
    assert lost.reason == "Process was killed (signal 9)."
    assert book.retried == 1
    assert book.unknown == ()


def test_cells_of_undecided_stages_are_counted_but_not_invented(build: Build) -> None:
    book = ledger(build(2))
    assert len(book.rows) == 18
    assert {waiting.stage: waiting.count for waiting in book.unknown} == {
        "optimizer": 9,
        "threshold": 12,
    }


def test_a_configuration_proposed_twice_leaves_no_cell_unknown(build: Build) -> None:
    study = build(1)
    stage = study.stages[0]
    first = stage.configurations[0]
    repeated = replace(
        stage,
        configurations=(*stage.configurations, replace(first, id="proposed again")),
        planned_cells=stage.planned_cells + len(first.cells),
    )
    again = replace(study, stages=(repeated,))
    assert ledger(again).unknown == ()
    assert planned_total(again) == len(study.cells)
    (table,) = stage_tables(again)
    assert table.planned == len(study.cells)


def test_a_shared_cell_is_listed_once_with_both_stages(study: StudyRecord) -> None:
    second = study.stages[1]
    shared = replace(second.configurations[0], cells=study.stages[0].configurations[1].cells)
    stages = (
        study.stages[0],
        replace(second, configurations=(shared, *second.configurations[1:])),
        *study.stages[2:],
    )
    rows = {row.cell: row for row in ledger(replace(study, stages=stages)).rows}
    assert rows["le-0.001-0"].stages == ("learning rate", "batch size")


def test_running_cells_are_not_failures(study: StudyRecord) -> None:
    cell = replace(study.cells["op-sgd-2"], is_running=True)
    rows = ledger(replace(study, cells={**study.cells, cell.id: cell})).rows
    assert next(row for row in rows if row.cell == cell.id).outcome == "running"


def test_test_scores_list_each_look(study: StudyRecord) -> None:
    table = held_out_table(study)
    assert (table.metrics, table.class_headers) == (("test/iou",), ("IoU",))
    assert {row.class_name for row in table.class_rows} == {"car"}
    assert [row.stage for row in table.rows] == [stage.name for stage in study.stages]
    assert table.rows[0].values[0] == study.test_scores[0].metrics["test/iou"]
    assert table.summary == "The test split was scored 4 times, for stage winners only."


def test_test_scores_of_classes_follow_their_names_in_metrics(study: StudyRecord) -> None:
    slugs = {"\u732b": "class", "\u72ac": "class_1", "a b": "a_b", "a_b": "a_b_3"}
    cells = {name: replace(cell, class_slugs=slugs) for name, cell in study.cells.items()}
    values = {f"test/recall_{slug}": 0.1 * place for place, slug in enumerate(slugs.values())}
    metrics = {"test/class_recall": 0.5, **values}
    scores = (replace(study.test_scores[0], metrics=metrics),)
    table = held_out_table(replace(study, cells=cells, test_scores=scores))
    assert table.metrics == ("test/class_recall",)
    found = {row.class_name: row.values for row in table.class_rows}
    assert found == {name: (0.1 * place,) for place, name in enumerate(slugs)}


def test_test_scores_of_many_classes_are_not_compared_with_every_class(
    study: StudyRecord,
) -> None:
    compared = []

    class Counted(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return super().__eq__(other)

        def removeprefix(self, prefix: str, /) -> str:
            return Counted(super().removeprefix(prefix))

    slugs = {f"class {number}": f"class_{number}" for number in range(200)}
    cells = {name: replace(cell, class_slugs=slugs) for name, cell in study.cells.items()}
    metrics: dict[str, float] = {Counted(f"test/recall_{slug}"): 0.5 for slug in slugs.values()}
    scores = (replace(study.test_scores[0], metrics=metrics),)
    table = held_out_table(replace(study, cells=cells, test_scores=scores))
    assert len(table.class_rows) == 200
    assert len(compared) < 200 * 20


def test_a_strip_is_shown_once_and_only_if_it_is_a_picture(study: StudyRecord) -> None:
    (strip,) = prediction_strips(study)
    assert strip.source.startswith("data:image/png;base64,iVBOR")
    assert strip.caption.startswith("Winner of batch size: batch size 8, seed 0")
    gone = replace(study.cells["ba-8-0"], files={"predictions_strip": "/nowhere/strip.png"})
    assert prediction_strips(replace(study, cells={**study.cells, "ba-8-0": gone})) == ()


def test_winners_strips_stand_in_the_order_of_their_stages(study: StudyRecord) -> None:
    picture = study.cells["ba-8-0"].files
    kept = {
        name: replace(study.cells[name], files=picture) for name in ("op-adamw-0", "le-0.001-0")
    }
    captions = [
        each.caption for each in prediction_strips(replace(study, cells={**study.cells, **kept}))
    ]
    stages = ("learning rate", "batch size", "optimizer")
    assert [caption.partition(":")[0] for caption in captions] == [
        f"Winner of {stage}" for stage in stages
    ]


def test_the_strips_of_a_class_stand_together(
    class_study: StudyRecord, study: StudyRecord
) -> None:
    picture = study.cells["ba-8-0"].files
    cells = {
        name: replace(cell, files=picture) if cell.seed == 0 else cell
        for name, cell in class_study.cells.items()
    }
    strips = prediction_strips(replace(class_study, cells=cells))
    assert [strip.group for strip in strips] == [*["car"] * 3, *["stop sign"] * 3]


def test_only_where_a_threshold_decides_it_is_named_with_a_strip(study: StudyRecord) -> None:
    cell = study.cells["ba-8-0"]
    cells = {**study.cells, cell.id: replace(cell, settings={"evaluation.threshold": 0.5})}
    captions = {
        task: prediction_strips(replace(study, task=task, cells=cells))[0].caption
        for task in ("semantic_segmentation", *WITHOUT_THRESHOLD)
    }
    assert captions["semantic_segmentation"].endswith(" at threshold 0.5).")
    for task in WITHOUT_THRESHOLD:
        assert "threshold" not in captions[task]


def test_tasks_without_a_threshold_are_those_that_make_nothing_of_one() -> None:
    idle = {name for name, task in TASKS.items() if "evaluation.threshold" in task.idle_settings}
    assert idle == set(WITHOUT_THRESHOLD) & set(TASKS)


def test_losers_show_no_strip(study: StudyRecord) -> None:
    picture = study.cells["ba-8-0"].files
    loser = replace(study.cells["ba-4-0"], files=picture)
    strips = prediction_strips(replace(study, cells={**study.cells, "ba-4-0": loser}))
    assert len(strips) == 1


def test_a_pruned_cell_is_no_value(study: StudyRecord) -> None:
    cell = replace(study.cells["le-0.001-0"], outcome=Outcome.PRUNED)
    row = stage_tables(replace(study, cells={**study.cells, cell.id: cell}))[0].rows[1]
    assert row.columns[0][0].value is None
    assert row.outcomes == (("pruned", 1), ("complete", 2))
