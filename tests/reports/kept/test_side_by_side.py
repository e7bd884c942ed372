"""The same pictures through every detector that a stage compares."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from reports.page import render
from reports.tables.side_by_side import side_by_side
from trackers.records import JsonValue, StudyRecord

Keep = Callable[..., StudyRecord]
ONE_PIXEL = "/9j/4AAQSkZJRg=="  # nothing of it is decoded here


def probes(scores: Sequence[float], images: Sequence[str] = ("0001", "0002")) -> dict[str, Any]:
    boxes = [[10.0 * i, 0.0, 10.0 * i + 5, 8.0] for i in range(len(scores))]
    found = {"boxes_xyxy": boxes, "labels": [1] * len(scores), "scores": list(scores)}
    truth = {"boxes_xyxy": [[1.0, 2.0, 31.0, 22.0]], "labels": [0], "is_ignored": [False]}
    picture = {"height": 48, "width": 64, "jpeg": ONE_PIXEL, "truth": truth, "found": found}
    return {
        "class_names": ["car", "<bus>"],
        "threshold": 0.5,
        "images": [{**picture, "image_id": name} for name in images],
    }


@pytest.fixture
def compared(study: StudyRecord, keep: Keep) -> StudyRecord:
    """A stage whose first two configurations are two models; one seed of each kept its boxes."""
    first, *others = study.stages
    models: list[JsonValue] = [{"name": "faster_rcnn_vgg16"}, {"name": "yolov3", "width": 0.5}]
    named = [
        replace(each, varied={"model": model})
        for each, model in zip(first.configurations, models, strict=False)
    ]
    stage = replace(first, configurations=(*named, *first.configurations[2:]))
    study = replace(study, stages=(stage, *others))
    for configuration, scores in zip(named, ([0.9, 0.4], [0.6]), strict=True):
        for number, name in enumerate(configuration.cells):
            cell = study.cells[name]
            metrics = {**cell.metrics, "val/ap50": 0.25 * (number + 1), "val/ap50_car": 0.5}
            cells = {**study.cells, name: replace(cell, metrics=metrics)}
            study = replace(study, cells=cells)
        study = keep(study, configuration.cells[0], "probe_detections", probes(scores))
    speed = {"median": 0.0125, "device": "cpu"}
    return keep(study, named[1].cells[0], "detection_speed", speed)


def test_each_picture_has_its_truth_and_what_every_detector_found(compared: StudyRecord) -> None:
    (found,) = side_by_side(compared)
    assert [each.label for each in found.detectors] == ["faster_rcnn_vgg16", "yolov3"]
    assert [row.image_id for row in found.rows] == ["0001", "0002"]
    row = found.rows[0]
    assert row.truth.text == "car"
    (box,) = row.truth.boxes
    assert (box.left, box.top, box.width, box.height) == (1, 2, 30, 20)
    assert [picture.text for picture in row.found if picture] == ["<bus> 0.90", "<bus> 0.60"]


def test_numbers_are_means_over_seeds(compared: StudyRecord) -> None:
    (found,) = side_by_side(compared)
    assert found.headers == ("validation AP50", "validation AP50, car")
    assert [each.seeds for each in found.detectors] == [2, 3]  # one of the first failed
    for each in found.detectors:
        assert each.values == pytest.approx((0.5, 0.5))


def test_time_of_an_image_is_there_where_it_was_measured(compared: StudyRecord) -> None:
    (found,) = side_by_side(compared)
    assert [each.milliseconds for each in found.detectors] == [None, 12.5]
    assert [each.device for each in found.detectors] == ["", "cpu"]


def test_a_picture_that_one_detector_did_not_show_leaves_a_gap(
    compared: StudyRecord, keep: Keep
) -> None:
    cell = compared.stages[0].configurations[1].cells[0]
    study = keep(compared, cell, "probe_detections", probes([0.6], images=["0002"]))
    (found,) = side_by_side(study)
    assert [row.found[1] is None for row in found.rows] == [True, False]


def test_a_stage_of_one_network_is_not_shown(study: StudyRecord, compared: StudyRecord) -> None:
    assert side_by_side(study) == ()
    first, *others = compared.stages
    alone = replace(first, configurations=first.configurations[:1])
    assert side_by_side(replace(compared, stages=(alone, *others))) == ()


@pytest.mark.parametrize(
    ("path", "values", "is_shown"),
    [
        ("model.backbone", ["resnet18", "resnet50"], True),
        ("training.transfer.init_from", ["study:cars", None], True),
        ("training.transfer.mode", ["fine_tuning", "feature_extractor"], True),
        ("training.transfer", [None, {"init_from": "study:cars"}], True),
        ("model.backbone", ["resnet18", "resnet18"], False),
        ("modelling", ["one", "two"], False),
        ("training.learning_rate", [0.1, 0.2], False),
    ],
)
def test_a_stage_is_shown_where_networks_differ(
    path: str, values: list[JsonValue], is_shown: bool, compared: StudyRecord
) -> None:
    first, *others = compared.stages
    varied = [
        replace(each, varied={path: value, "training.batch_size": number})
        for number, (each, value) in enumerate(
            zip(first.configurations[:2], values, strict=True), start=1
        )
    ]
    stage = replace(first, configurations=tuple(varied))
    found = side_by_side(replace(compared, stages=(stage, *others)))
    assert len(found) == is_shown
    assert all(len(each.detectors) == 2 for each in found)


def test_of_many_detectors_the_best_are_shown(
    compared: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.tables.side_by_side.MOST_DETECTORS", 1)
    best = max(
        compared.stages[0].configurations[:2],
        key=lambda each: max(
            compared.cells[cell].metrics.get("val/iou", 0) for cell in each.cells
        ),
    )
    (found,) = side_by_side(compared)
    name = best.varied["model"]
    assert isinstance(name, dict)
    assert [each.label for each in found.detectors] == [name["name"]]


def test_objects_that_do_not_count_are_dashed(compared: StudyRecord, keep: Keep) -> None:
    content = probes([0.9], images=["0001"])
    content["images"][0]["truth"] = {
        "boxes_xyxy": [[1.0, 2.0, 31.0, 22.0], [3.0, 4.0, 9.0, 9.0]],
        "labels": [0, 0],
        "is_ignored": [True, False],
    }
    said = "neither right nor wrong to find"
    assert said not in render(compared, generated_at="then")
    cell = compared.stages[0].configurations[0].cells[0]
    study = keep(compared, cell, "probe_detections", content)
    (found,) = side_by_side(study)
    assert found.rows[0].truth.text == "car (not counted); car"
    page = render(study, generated_at="then")
    assert said in page
    assert 'height="20.0" stroke-dasharray="5 4"/>' in page
    assert 'height="5.0"/>' in page


def test_the_page_draws_boxes_and_escapes_names(compared: StudyRecord) -> None:
    page = render(compared, generated_at="then")
    assert '<section id="side-by-side"' in page
    assert '<rect x="1.0" y="2.0" width="30.0" height="20.0"/>' in page
    assert "&lt;bus&gt; 0.90" in page
    assert "<bus>" not in page
    assert "data:image/jpeg;base64,/9j/" in page
