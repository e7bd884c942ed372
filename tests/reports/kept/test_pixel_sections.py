"""Threshold curves, confusions and pictures at thresholds, from what the winners' trials kept."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reports.figures.confusion import (
    confusion_figure,
    confusion_summary,
    confusions,
    found_rows,
)
from reports.figures.thresholds import (
    MEAN,
    iou_figure,
    precision_recall_figure,
    threshold_panels,
    thresholds_summary,
)
from reports.page import render
from reports.tables.predictions import threshold_strips
from reports.tables.thresholds import threshold_table
from reports.winners import final_winners, winners
from trackers.records import StudyRecord

THRESHOLDS = [0.25, 0.5, 0.75]
Keep = Callable[..., StudyRecord]


def curves(iou: list[float | None], *, names: tuple[str, ...] = ("car",)) -> dict[str, Any]:
    curve: dict[str, Any] = {"precision": [0.2, 0.4, None], "recall": [0.9, 0.5, 0.0], "iou": iou}
    curve |= {"f1": iou, "average_precision": 0.4, "auc": 0.8}
    by_class = {name: curve for name in names}
    return {"thresholds": THRESHOLDS, "classes": by_class, "mean": curve, "is_softmax": False}


@pytest.fixture
def curved(study: StudyRecord, keep: Keep) -> StudyRecord:
    """Two of three seeds of the winning batch size kept their curves, one its test curves."""
    study = keep(study, "ba-8-0", "curves_val", curves([0.1, 0.3, 0.4]))
    study = keep(study, "ba-8-1", "curves_val", curves([0.1, 0.5, 0.2]))
    return keep(study, "ba-8-0", "curves_test", curves([0.2, 0.25, 0.3]))


def test_a_winner_is_named_once_with_every_training_stage_that_it_won(study: StudyRecord) -> None:
    named = {winner.label: winner.stages for winner in winners(study)}
    assert named["batch size 8"] == ("batch size",)
    assert named["optimizer adamw"] == ("optimizer",)
    assert [w.label for w in final_winners(study)] == ["optimizer adamw"]


def test_each_class_has_its_own_last_winner(class_study: StudyRecord) -> None:
    found = {winner.group: winner for winner in final_winners(class_study)}
    assert set(found) == {"car", "stop sign"}
    assert {cell.group for cell in found["car"].cells} == {"car"}
    assert found["car"].stages == ("batch size",)


def test_the_threshold_is_chosen_on_validation_and_reported_on_test(curved: StudyRecord) -> None:
    panels = threshold_panels(curved)
    series = panels[0].series[0]
    assert series.val is not None
    assert series.val.iou == pytest.approx((0.1, 0.4, 0.3))  # means over two seeds
    assert (series.best, series.val.seeds) == (1, 2)
    table = threshold_table(panels)
    assert table is not None
    row = dict(zip(table.columns, table.rows[0].values, strict=True))
    assert row["Best threshold"] == 0.5
    assert row["Validation IoU"] == pytest.approx(0.4)
    assert row["Test IoU"] == 0.25  # at 0.5, although 0.75 would be better there
    assert row["AP, test"] == 0.4


def test_curves_are_lines_of_both_splits_with_a_star_at_the_best(curved: StudyRecord) -> None:
    panel = threshold_panels(curved)[0]
    val, test, star = iou_figure(panel).data
    assert (val.name.split(", ")[-1], test.name.split(", ")[-1]) == ("validation", "test")
    assert list(star.x) == [0.5]
    assert list(star.y) == pytest.approx([0.4])
    line, *_ = precision_recall_figure(panel).data
    assert (list(line.x), list(line.y)) == ([0.9, 0.5, 0.0], [0.2, 0.4, None])
    assert "best validation IoU 0.400 at 0.5, test IoU there 0.250" in thresholds_summary(panel)


def test_several_classes_have_a_panel_each_after_their_mean(
    study: StudyRecord, keep: Keep
) -> None:
    kept = keep(study, "ba-8-0", "curves_val", curves([0.1, 0.2, 0.1], names=("car", "bus")))
    assert [panel.class_name for panel in threshold_panels(kept)] == [MEAN, "car", "bus"]


def test_no_threshold_is_chosen_for_a_softmax(study: StudyRecord, keep: Keep) -> None:
    content = curves([0.1, 0.2, 0.1]) | {"is_softmax": True}
    panels = threshold_panels(keep(study, "ba-8-0", "curves_val", content))
    table = threshold_table(panels)
    assert table is not None
    assert table.columns == ("AP, validation", "AUC, validation")
    assert list(iou_figure(panels[0]).data) == []
    assert len(precision_recall_figure(panels[0]).data) == 1


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"thresholds": [0.5'])
def test_a_torn_file_is_as_none(study: StudyRecord, keep: Keep, content: str) -> None:
    assert threshold_panels(keep(study, "ba-8-0", "curves_val", content)) == ()


def matrix(rows: list[list[int]]) -> dict[str, Any]:
    return {"labels": ["cell", "membrane"], "matrix": rows}


def test_matrices_of_the_seeds_are_added_up_of_the_test_split_if_there(
    study: StudyRecord, keep: Keep
) -> None:
    study = keep(study, "ba-8-0", "confusion_val", matrix([[9, 9], [9, 9]]))
    study = keep(study, "ba-8-0", "confusion_test", matrix([[6, 2], [0, 2]]))
    study = keep(study, "ba-8-1", "confusion_test", matrix([[3, 1], [0, 6]]))
    (found,) = confusions(study)
    assert (found.split, found.seeds) == ("test", 2)
    assert found.matrix.tolist() == [[9, 3], [0, 8]]
    assert found.shares.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    heat = confusion_figure(found).data[0]
    assert (heat.type, list(heat.x)) == ("heatmap", ["cell", "membrane"])
    assert confusion_summary(found) == (
        "Test split, 2 networks: 0.850 of the pixels are right; mistaken most: cell for membrane "
        "(0.250 of its pixels)."
    )


def test_sigmoids_have_rows_of_right_and_wrong_decisions(study: StudyRecord, keep: Keep) -> None:
    table: Mapping[str, int] = {"tp": 10, "fp": 20, "fn": 30, "tn": 140}
    content = {"threshold": 0.5, "classes": {"car": table}}
    study = keep(study, "ba-8-0", "confusion_val", content)
    study = keep(study, "ba-8-1", "confusion_val", content)
    (row,) = found_rows(study)
    assert (row.class_name, row.split, row.threshold) == ("car", "val", 0.5)
    assert (row.tp, row.tn) == (20, 280)
    assert row.shares == pytest.approx((0.05, 0.1, 0.15, 0.7))
    assert confusions(study) == ()


def test_only_the_last_winner_is_shown_at_several_thresholds(
    study: StudyRecord, tmp_path: Path
) -> None:
    file = tmp_path / "thresholds.png"
    cv2.imwrite(str(file), np.zeros((8, 8, 3), np.uint8))
    role = {"predictions_thresholds": str(file)}
    cells = {
        name: replace(cell, files={**cell.files, **role}) for name, cell in study.cells.items()
    }
    (strip,) = threshold_strips(replace(study, cells=cells))
    assert strip.source.startswith("data:image/png;base64,")
    # Its threshold was chosen later: the picture is of the one that it was trained with.
    assert strip.caption.startswith("Winner of optimizer: optimizer adamw, seed 0")
    assert strip.caption.endswith("at threshold 0.5).")


def test_sections_are_there_only_with_something_to_show(
    study: StudyRecord, curved: StudyRecord
) -> None:
    bare, full = (render(each, generated_at="then") for each in (study, curved))
    for words in ('<section id="thresholds"', '<section id="confusion"', "#thresholds"):
        assert words not in bare
    assert '<section id="thresholds"' in full
    assert "chosen on validation, reported on test" in full
