"""Curves, errors and confusions of detections, from what the winners' trials kept."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reports.figures.confusion import confusion_summary, object_confusions
from reports.figures.detection_curves import (
    MEAN,
    detection_curves_figure,
    detection_curves_summary,
    detection_panels,
)
from reports.figures.detection_errors import error_breakdowns, errors_figure, errors_summary
from reports.page import render
from reports.tables.held_out import held_out_table
from trackers.records import StudyRecord

Keep = Callable[..., StudyRecord]
RECALLS = [0.0, 0.5, 1.0]


def curves(car: list[float] | None, bus: list[float] | None) -> dict[str, Any]:
    classes = [
        {"name": name, "truths": 0 if line is None else 4, "at_recalls": line}
        for name, line in (("car", car), ("bus", bus))
    ]
    return {"rule": "coco", "iou": 0.5, "recalls": RECALLS, "classes": classes}


def errors(missed: int, gain: float | None) -> dict[str, Any]:
    kinds = [
        {"kind": "background", "count": 3, "ap50_gain": 0.05},
        {"kind": "missed", "count": missed, "ap50_gain": gain},
    ]
    return {"ap50": 0.4, "right": 7, "errors": kinds}


@pytest.fixture
def detected(study: StudyRecord, keep: Keep) -> StudyRecord:
    """Two of three seeds of the winning batch size kept what they found."""
    study = keep(study, "ba-8-0", "detection_curves_val", curves([1.0, 0.6, 0.0], None))
    study = keep(study, "ba-8-1", "detection_curves_val", curves([0.8, 0.2, 0.2], None))
    study = keep(study, "ba-8-0", "detection_errors_val", errors(4, 0.3))
    study = keep(study, "ba-8-1", "detection_errors_val", errors(6, 0.1))
    matrix = {"labels": ["car", "background"], "counts": [[6, 2], [3, 0]]}
    study = keep(study, "ba-8-0", "detection_confusion_val", matrix)
    return keep(study, "ba-8-1", "detection_confusion_val", matrix)


def test_curves_are_averaged_over_seeds(detected: StudyRecord) -> None:
    panels = {panel.class_name: panel for panel in detection_panels(detected)}
    (curve,) = panels["car"].curves
    assert curve.precision == pytest.approx((0.9, 0.4, 0.1))
    assert curve.ap == pytest.approx(1.4 / 3)
    assert (curve.split, curve.seeds, curve.truths) == ("val", 2, 4)
    assert list(detection_curves_figure(panels["car"]).data[0].x) == RECALLS
    assert "AP 0.467" in detection_curves_summary(panels["car"])


def test_a_class_without_objects_has_no_curve_and_counts_in_no_mean(
    detected: StudyRecord,
) -> None:
    panels = {panel.class_name: panel for panel in detection_panels(detected)}
    assert set(panels) == {MEAN, "car"}
    assert panels[MEAN].curves[0].precision == panels["car"].curves[0].precision


def test_the_test_split_is_shown_where_it_was_scored(detected: StudyRecord, keep: Keep) -> None:
    study = keep(detected, "ba-8-0", "detection_curves_test", curves([0.5] * 3, [0.7] * 3))
    panels = {panel.class_name: panel for panel in detection_panels(study)}
    assert {panel.curves[0].split for panel in panels.values()} == {"test"}
    assert panels[MEAN].curves[0].ap == pytest.approx(0.6)


def test_errors_are_averaged_over_seeds_and_the_costliest_is_named(
    detected: StudyRecord,
) -> None:
    breakdowns = error_breakdowns(detected)
    (only,) = breakdowns
    assert [(kind.kind, kind.count) for kind in only.kinds] == [("background", 3), ("missed", 5)]
    assert only.kinds[1].gain == pytest.approx(0.2)
    assert list(errors_figure(breakdowns).data[0].y) == ["background", "missed"]
    assert errors_summary(breakdowns).endswith("would gain most without missed errors: +0.200.")


def test_objects_have_a_confusion_of_their_own(detected: StudyRecord) -> None:
    (found,) = object_confusions(detected)
    assert found.matrix.tolist() == [[12, 4], [6, 0]]
    assert confusion_summary(found) == (
        "Validation split, 2 networks: 0.750 of the objects are right; mistaken most: car for "
        "background (0.250 of its objects)."
    )


def test_the_section_is_there_only_with_something_to_show(
    study: StudyRecord, detected: StudyRecord
) -> None:
    bare, full = (render(each, generated_at="then") for each in (study, detected))
    for words in ('<section id="detection"', '<section id="object-confusion"', "#detection"):
        assert words not in bare
        assert words in full


def test_test_scores_of_classes_have_a_table_of_their_own(study: StudyRecord) -> None:
    slugs = {"car": "car", "traffic light": "traffic_light"}
    cells = {name: replace(cell, class_slugs=slugs) for name, cell in study.cells.items()}
    metrics = {"test/ap": 0.3, "test/ap_small": 0.1, "test/ap_car": 0.4, "test/ap50_car": 0.6}
    scores = tuple(replace(each, metrics=metrics) for each in study.test_scores[:1])
    table = held_out_table(replace(study, cells=cells, test_scores=scores))
    assert table.metrics == ("test/ap", "test/ap_small")
    assert table.class_headers == ("AP", "AP50")
    (row,) = table.class_rows
    assert (row.class_name, row.values) == ("car", (0.4, 0.6))
