"""Verdicts on cited numbers, as the comparison of a study's record tells and draws them."""

import json
import re
from dataclasses import replace

import pytest

from reports.baselines import Standing
from reports.baselines.verdict import Verdict, judge
from reports.figures.forest import forest, forest_figure, forest_table
from reports.page import render
from reports.tables.comparison import ComparedNumber, ComparedTable, comparison
from reports.tables.protocols import measure
from reports.tables.verdict_counts import counts_sentence
from reports.tables.verdict_words import MARKS
from trackers.records import JsonValue, StudyRecord, TestScoreRecord

SPREAD = (-0.004, 0.0, 0.004)


@pytest.fixture
def seeded(class_study: StudyRecord) -> StudyRecord:
    """Table 7's car with three seeds at the cited 0.15, and its traffic sign at 0.47 for 0.57."""
    cells = dict(class_study.cells)
    (configuration,) = class_study.stages[0].configurations
    every = []
    for name, middle in (("car", 0.15), ("stop sign", 0.47)):
        known = cells[f"base=0/{name}/0"]
        for seed, off in enumerate(SPREAD):
            cell = replace(known, id=f"base=0/{name}/{seed}", seed=seed)
            cells[cell.id] = replace(cell, metrics={**cell.metrics, "test/iou": middle + off})
            every.append(cell.id)
    base = replace(configuration, cells=tuple(every))
    stages = (replace(class_study.stages[0], configurations=(base,)),)
    return replace(class_study, cells=cells, stages=stages, baselines=("thesis/table-7",))


def table_of(study: StudyRecord) -> ComparedTable:
    (table,) = comparison(study)
    return table


def iou(study: StudyRecord, row: str) -> ComparedNumber:
    table = table_of(study)
    (found,) = [each for each in table.rows if each.row == row]
    number = found.numbers[table.columns.index("test/iou")]
    assert number is not None
    return number


def verdict_of(number: ComparedNumber) -> Verdict:
    assert number.judgement is not None
    return number.judgement.verdict


def test_a_number_is_judged_from_its_seeds_and_its_printed_digits(seeded: StudyRecord) -> None:
    car = iou(seeded, "Car")
    assert car.judgement == judge([0.15 + off for off in SPREAD], 0.15, rounding=0.005)
    assert verdict_of(iou(seeded, "Traffic sign")) is Verdict.BELOW
    assert iou(seeded, "Traffic sign").difference == pytest.approx(-0.1)


def test_what_may_not_be_compared_has_no_verdict(seeded: StudyRecord) -> None:
    cells = {
        name: replace(cell, settings={**cell.settings, "data.dataset": "camvid"})
        for name, cell in seeded.cells.items()
    }
    table = table_of(replace(seeded, cells=cells))
    assert {verdict_of(number) for number in table.numbers} == {Verdict.CANNOT_SAY}
    assert {number.mark for number in table.numbers} == {""}
    assert counts_sentence([table]) == "Of 25 numbers none may be compared with ours."
    assert forest(table) is None


def test_what_training_took_has_no_verdict(class_study: StudyRecord) -> None:
    table = table_of(replace(class_study, baselines=("thesis/table-8",)))
    hours = [row.numbers[table.columns.index("hours")] for row in table.rows]
    assert [number.judgement for number in hours if number] == [None] * 6
    assert len(table.numbers) == 6 * 5


def steady(study: StudyRecord, learning_rate: float) -> StudyRecord:
    """Have the car's seeds lie closely around the cited 0.15, trained at a rate."""
    cells = dict(study.cells)
    for seed, off in enumerate(SPREAD):
        cell = cells[f"base=0/car/{seed}"]
        settings = {**cell.settings, "training.learning_rate": learning_rate}
        metrics = {"test/iou": 0.15 + off / 10}
        cells[cell.id] = replace(cell, settings=settings, metrics=metrics)
    return replace(study, cells=cells)


def test_nothing_is_reproduced_by_another_protocol(seeded: StudyRecord) -> None:
    assert verdict_of(iou(steady(seeded, 1e-4), "Car")) is Verdict.REPRODUCED
    only_base = replace(seeded, stages=seeded.stages[:1])
    number = iou(steady(only_base, 1e-3), "Car")
    assert number.comparability.standing is Standing.CARE
    assert verdict_of(number) is Verdict.WITHIN_NOISE
    assert "by another protocol" in number.explanation


def test_too_few_seeds_are_said_to_be_too_few(class_study: StudyRecord) -> None:
    table = table_of(replace(class_study, baselines=("thesis/table-7",)))
    assert counts_sentence([table]) == (
        "Of 25 numbers 10 may be compared with ours: 10 cannot say (2 seeds, and a verdict needs "
        "3)."
    )


def test_seeds_of_several_splits_are_not_mixed(seeded: StudyRecord) -> None:
    """One seed was scored on the test split, the others on validation alone."""
    cells = {
        name: replace(cell, metrics={"val/iou": 0.9}) if name.startswith("base") else cell
        for name, cell in seeded.cells.items()
    }
    look = TestScoreRecord("base", "base=0", "base=0/car/1", {"test/iou": 0.2})
    car = iou(replace(seeded, cells=cells, test_scores=(look,)), "Car")
    assert (car.ours, car.seeds, car.split) == (0.2, 1, "test")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "none"),
        ({"model.pretrained": "imagenet"}, "imagenet"),
        ({"model.pretrained": "kinetics400"}, "kinetics"),
        ({"model.pretrained": "none", "training.transfer": None}, "none"),
        ({"training.transfer.init_from": "study:before"}, "a run before"),
    ],
)
def test_pretraining_is_read_from_the_settings(
    study: StudyRecord, settings: dict[str, JsonValue], expected: str
) -> None:
    cell = next(iter(study.cells.values()))
    own = replace(cell, settings={**cell.settings, **settings})
    found = measure(study, own, "person, car", metric="iou", split="val")
    assert found is not None
    assert found.protocol.pretraining == expected


def test_forest_draws_the_interval_that_the_verdict_rests_on(seeded: StudyRecord) -> None:
    plot = forest(table_of(seeded))
    assert plot is not None
    assert [row.label for row in plot.rows] == ["Traffic sign", "Car"]
    drawn = json.loads(forest_figure(plot).to_json())["data"]
    traces = {trace["name"]: trace for trace in drawn}
    assert traces["theirs"]["x"] == [0.57, 0.15]
    below = traces["below"]
    assert (below["x"], below["y"]) == ([pytest.approx(0.47)], [0])
    assert below["error_x"]["array"] == [pytest.approx(plot.rows[0].half, rel=1e-5)]
    assert forest_table(plot).rows[0][:3] == ("Traffic sign", "0.570", "0.470")
    assert "below: Traffic sign" in plot.summary
    assert "Not drawn: 8 numbers" in plot.summary


def test_verdicts_are_words_beside_their_marks(seeded: StudyRecord) -> None:
    page = render(seeded, generated_at="then")
    section = page[page.index('id="comparison"') : page.index('id="predictions"')]
    shown = re.findall(
        r'class="judged [a-z-]+"><span aria-hidden="true">(.)</span> ([a-z ]+)<', section
    )
    assert {(mark, word) for mark, word in shown} >= {(MARKS[Verdict.BELOW], "below")}
    assert all(mark == MARKS[Verdict(word)] for mark, word in shown)
    assert len(set(MARKS.values())) == len(Verdict)
