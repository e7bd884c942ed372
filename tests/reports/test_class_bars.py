"""Each class with the last winner and with the base."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from scipy import stats

from reports.class_contents import class_contents
from reports.figures.class_bars import (
    MOST_CLASSES,
    class_bars,
    class_bars_figure,
    class_bars_summary,
    class_bars_table,
    class_value,
)
from trackers.records import CellRecord, StudyRecord

Build = Callable[[int], StudyRecord]


def with_classes(study: StudyRecord, names: tuple[str, ...], metric: str = "iou") -> StudyRecord:
    """Give every cell a value of each class: its own, and a hundredth less for each class."""

    def scored(cell: CellRecord) -> CellRecord:
        own = cell.metrics.get("val/iou")
        if own is None:
            return cell
        values = {f"val/{metric}_{name}": own - 0.01 * at for at, name in enumerate(names)}
        slugs = {name: name for name in names}
        return replace(cell, metrics={**cell.metrics, **values}, class_slugs=slugs)

    cells = {name: scored(cell) for name, cell in study.cells.items()}
    return replace(study, cells=cells)


def test_an_interval_is_students_over_seeds() -> None:
    values = [0.31, 0.36, 0.35, 0.40]
    found = class_value(values)
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=sum(values) / 4, scale=stats.sem(values)
    )
    assert (found.low, found.high) == pytest.approx((low, high))
    assert class_value([0.5]).low is None


def test_the_last_winner_stands_beside_the_base(study: StudyRecord) -> None:
    iou, dice = class_bars(with_classes(study, ("person", "car")))
    assert (iou.metric, dice.metric, iou.base) == ("val/iou", "val/dice", "base settings")
    assert [row.name for row in iou.rows] == ["person", "car"]
    winner = study.stages[-1].decisions[0].winners[0]
    final = next(c for c in study.stages[-1].configurations if c.id == winner)
    values = [study.cells[cell].metrics["val/iou"] for cell in final.cells]
    assert iou.rows[0].winner.mean == pytest.approx(sum(values) / 3)
    base = [study.cells[f"le-0.001-{seed}"].metrics["val/iou"] for seed in range(3)]
    assert iou.rows[0].base is not None
    assert iou.rows[0].base.mean == pytest.approx(sum(base) / 3)
    dices = [2 * value / (1 + value) for value in values]
    assert dice.rows[0].winner.mean == pytest.approx(sum(dices) / 3)


def test_a_stage_that_holds_a_setting_has_not_measured_the_base(study: StudyRecord) -> None:
    known = with_classes(study, ("person", "car"))
    first = replace(known.stages[0], held={"training.epochs": 2})
    cells = {
        name: replace(cell, settings={**cell.settings, "training.epochs": 2})
        for name, cell in known.cells.items()
    }
    held = replace(known, stages=(first, *known.stages[1:]), cells=cells)
    assert class_bars(held)[0].base == "winner of learning rate, learning rate 1e-3"


def test_classes_with_their_own_networks_are_set_together(class_study: StudyRecord) -> None:
    def scored(cell: CellRecord) -> CellRecord:
        name = f"test/iou_{cell.group.replace(' ', '_')}"
        return replace(cell, metrics={**cell.metrics, name: cell.metrics["test/iou"]})

    cells = {name: scored(cell) for name, cell in class_study.cells.items()}
    bars = class_bars(replace(class_study, cells=cells))[0]
    assert [row.name for row in bars.rows] == ["stop sign", "car"]
    finals = {decision.group: decision.winners[0] for decision in class_study.stages[-1].decisions}
    won = next(c for c in class_study.stages[-1].configurations if c.id == finals["car"])
    values = [class_study.cells[cell].metrics["test/iou"] for cell in won.cells]
    assert bars.rows[1].winner.mean == pytest.approx(sum(values) / len(values))


def test_detectors_and_actions_have_bars_of_their_own_metrics(study: StudyRecord) -> None:
    for metric in ("ap50", "recall"):
        (bars,) = class_bars(with_classes(study, ("a", "b"), metric))
        assert bars.metric == f"val/{metric}"


def test_classes_have_the_values_of_their_names_in_metrics(study: StudyRecord) -> None:
    slugs = {"\u732b": "class", "\u72ac": "class_1", "Caf\u00e9": "cafe"}
    known = with_classes(study, tuple(slugs.values()), "recall")
    cells = {name: replace(cell, class_slugs=slugs) for name, cell in known.cells.items()}
    (bars,) = class_bars(replace(known, cells=cells))
    assert [row.name for row in bars.rows] == list(slugs)


def test_whiskers_are_cut_where_no_score_can_be(study: StudyRecord) -> None:
    known = with_classes(study, ("person", "car"))
    cells = {
        name: replace(cell, metrics={**cell.metrics, "val/iou_car": 0.02 + 0.4 * cell.seed})
        for name, cell in known.cells.items()
        if cell.metrics
    }
    bars = class_bars(replace(known, cells=cells))[0]
    row = next(row for row in bars.rows if row.name == "car")
    assert row.winner.low is not None
    assert row.winner.low < 0
    figure = class_bars_figure(bars)
    at = list(figure.data[0].y).index("car")
    reach = figure.data[0].error_x.arrayminus[at]
    assert figure.data[0].x[at] - reach == pytest.approx(0.0, abs=1e-6)
    car = class_bars_table(bars).rows[at]
    assert car[2].startswith("\N{MINUS SIGN}")


def test_of_many_classes_the_worst_are_drawn(study: StudyRecord) -> None:
    names = tuple(f"class{number:02d}" for number in range(MOST_CLASSES + 5))
    bars = class_bars(with_classes(study, names))[0]
    assert (len(bars.rows), bars.left_out) == (MOST_CLASSES, 5)
    assert bars.rows[-1].name == names[-1]
    assert "5 classes that score better are not drawn" in class_bars_summary(bars)


def test_a_single_class_and_an_undecided_study_have_no_bars(
    study: StudyRecord, build: Build
) -> None:
    assert class_contents(with_classes(study, ("car",))) == ()
    assert class_contents(build(0)) == ()
