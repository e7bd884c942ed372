"""Numbers of detectors, as the thesis and the papers print them."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from reports.baselines import load
from reports.notation import is_lower_better, metric_name
from reports.tables.comparison import ComparedTable, comparison
from trackers.records import JsonValue, StudyRecord

THREE = "Person, Traffic light, Traffic sign"
# Row -> accuracy and MSE of training, then of validation, then mAP.
TABLE_3 = {
    "learning rate 1e-4": [0.77, 0.08, 0.71, 0.11, 0.18],
    "learning rate 1e-5": [0.95, 0.02, 0.82, 0.08, 0.35],
    "learning rate 1e-6": [0.88, 0.04, 0.78, 0.09, 0.25],
}
TABLE_4 = {  # the same, then epochs and seconds per epoch
    "batch size 1": [0.84, 0.06, 0.79, 0.07, 0.27, 40, 1040],
    "batch size 5": [0.80, 0.07, 0.79, 0.08, 0.19, 126, 347],
    "batch size 10": [0.81, 0.06, 0.81, 0.08, 0.18, 360, 120],
}
TABLE_6 = {  # overlapping boxes, seconds per epoch
    "150 px": [0.3556, 1150],
    "300 px": [0.6889, 2685],
    "600 px": [0.7778, 3500],
}
TRANSFER = {
    "all": [0.37],
    "person": [0.29],
    "traffic light": [0.17],
    "car": [0.37],
    "bus": [0.58],
    "traffic sign": [0.42],
}
# Some that are known by heart of every work: baseline, words of the row, metric, value.
PAPERS = [
    ("rcnn-2014", ("AlexNet BB", "2010"), "voc10_map", 0.537),
    ("fast-rcnn-2015", ("07+12", "2007"), "voc07_map", 0.700),
    ("faster-rcnn-2015", ("VGG-16, trained on VOC07+12", "2007"), "voc07_map", 0.732),
    ("faster-rcnn-2015", ("COCO's training and validation images",), "ap50", 0.427),
    ("retinanet-2017", ("ResNet-101-FPN",), "ap", 0.391),
    ("ssd-2016", ("SSD300* (zoom-out aug)", "2007"), "voc07_map", 0.772),
    ("ssd-2016", ("SSD512*", "2012"), "voc10_map", 0.785),
    ("yolo-2016", ("YOLOv1, trained on 07+12",), "voc07_map", 0.634),
    ("yolov2-2017", ("YOLOv2 544", "2007"), "voc07_map", 0.786),
    ("yolov3-2018", ("YOLOv3-608",), "ap50", 0.579),
    ("yolov3-2018", ("YOLOv3-608",), "ap", 0.330),
    ("torchvision-detection", ("fasterrcnn_resnet50_fpn_v2",), "ap", 0.467),
    ("torchvision-detection", ("fcos_resnet50_fpn",), "ap", 0.392),
]


def values(name: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for baseline in load([name]):
        found.setdefault(baseline.row, []).append(baseline.value)
    return found


def notes(name: str, row: str = "") -> str:
    return " ".join(note for b in load([name]) if row in b.row for note in b.notes)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("thesis/table-3", TABLE_3),
        ("thesis/table-4", TABLE_4),
        ("thesis/table-6", TABLE_6),
        ("thesis/transfer", TRANSFER),
    ],
)
def test_the_thesis_s_numbers_are_verbatim(name: str, printed: dict[str, list[float]]) -> None:
    assert values(name) == printed


@pytest.mark.parametrize(("name", "words", "metric", "value"), PAPERS)
def test_a_paper_s_number_is_verbatim(
    name: str, words: Iterable[str], metric: str, value: float
) -> None:
    found = {
        b.value
        for b in load([name])
        if b.protocol.metric == metric and all(each in b.row for each in words)
    }
    assert value in found


def test_contradictions_of_the_thesis_stand_beside_the_numbers_that_they_touch() -> None:
    best = "learning rate 1e-5"
    assert "1e-4 as the best learning rate" in notes("thesis/table-3", best)
    assert "prints 0.27 for the same settings" in notes("thesis/table-3", best)
    assert "prints 0.35 for the same settings" in notes("thesis/table-4", "batch size 1")
    assert "prints 0.35" not in notes("thesis/table-4", "batch size 5")
    assert "does not define" in notes("thesis/table-6", "150 px")
    assert "0.27, though the text compares with 0.35" in notes("thesis/transfer")


def test_the_0_42_of_the_abstracts_is_ap50_on_coco() -> None:
    (quoted,) = [b for b in load(["thesis/quoted"]) if b.value == 0.42]
    protocol = quoted.protocol
    assert (protocol.metric, protocol.dataset, protocol.split) == ("ap50", "coco", "test-dev")
    assert "for the same set of images" in notes("thesis/quoted", quoted.row)


def test_numbers_from_memory_say_so() -> None:
    recalled = {
        (name, b.row, b.protocol.metric)
        for name in ("rcnn-2014", "yolov3-2018")
        for b in load([name])
        if any("Recalled, not read again" in note for note in b.notes)
    }
    assert recalled == {
        ("rcnn-2014", "R-CNN AlexNet BB, scored on VOC 2007", "voc07_map"),
        ("rcnn-2014", "R-CNN AlexNet BB, scored on VOC 2012", "voc10_map"),
        ("rcnn-2014", "R-CNN, scored on ILSVRC 2013", "ilsvrc_map"),
        ("yolov3-2018", "YOLOv3-320", "ap50"),
        ("yolov3-2018", "YOLOv3-416", "ap"),
        ("yolov3-2018", "YOLOv3-416", "ap50"),
    }


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("val/ap", "validation AP"),
        ("ap50", "AP50"),
        ("test/ap_traffic_light", "test AP, traffic light"),
        ("ap50_car", "AP50, car"),
        ("ar100", "AR100"),
        ("test/thesis_map", "test mAP (thesis)"),
        ("thesis_ap_bus", "AP (thesis), bus"),
        ("train/box_mse", "training box MSE"),
        ("overlapping_boxes", "overlapping boxes"),
    ],
)
def test_metrics_have_their_usual_names(metric: str, words: str) -> None:
    assert metric_name(metric) == words


def test_less_of_an_error_is_better() -> None:
    assert is_lower_better("val/box_mse")
    assert not is_lower_better("val/region_accuracy")


def beside(
    study: StudyRecord, baseline: str, classes: list[JsonValue], metrics: dict[str, float]
) -> ComparedTable:
    """Give every cell of a study the same numbers, and set it beside a cited table."""
    changes: dict[str, JsonValue] = {"data.classes": classes, "data.dataset": "open_images"}
    cells = {
        name: replace(cell, metrics=metrics, settings={**cell.settings, **changes})
        for name, cell in study.cells.items()
    }
    made = replace(study, task="object_detection", cells=cells, baselines=(baseline,))
    (table,) = comparison(made)
    return table


def test_a_mean_over_the_same_classes_answers_the_thesis_s_in_any_order(
    study: StudyRecord,
) -> None:
    names: list[JsonValue] = ["Traffic sign", "Person", "Traffic light"]
    table = beside(study, "thesis/table-3", names, {"test/thesis_map": 0.5})
    reasons = table.rows[1].comparability.reasons
    assert not any(reason.startswith("class") for reason in reasons)
    numbers = {each.column: each for each in table.rows[1].numbers if each}
    assert (numbers["test/thesis_map"].cited, numbers["test/thesis_map"].ours) == (0.35, 0.5)


def test_a_mean_over_other_classes_is_not_comparable(study: StudyRecord) -> None:
    table = beside(study, "thesis/table-3", ["Person", "Car"], {"test/thesis_map": 0.5})
    row = table.rows[1]
    assert f"class Person, Car, theirs {THREE}" in row.comparability.reasons
    assert not table.is_comparable


def test_epochs_and_their_seconds_stand_beside_the_thesis_s(study: StudyRecord) -> None:
    names: list[JsonValue] = ["Person", "Traffic light", "Traffic sign"]
    table = beside(study, "thesis/table-4", names, {"test/thesis_map": 0.5})
    numbers = {each.column: each for each in table.rows[0].numbers if each}
    last = next(iter(study.cells.values())).epochs[-1]
    assert numbers["epochs"].cited == 40
    assert numbers["epochs"].ours == last.epoch
    assert numbers["epochs"].ours_text == str(last.epoch)
    assert numbers["seconds_per_epoch"].ours is not None


def test_of_equally_close_configurations_one_of_the_same_question_answers(
    study: StudyRecord,
) -> None:
    names: list[JsonValue] = ["Person", "Traffic light", "Traffic sign"]
    for baseline, setting in (
        ("thesis/table-3", "learning rate"),
        ("thesis/table-4", "batch size"),
    ):
        table = beside(study, baseline, names, {"test/thesis_map": 0.5})
        assert all(row.ours.startswith(setting) for row in table.rows)


@pytest.mark.parametrize("name", ["thesis/table-3", "thesis/table-4", "thesis/transfer"])
def test_the_rule_of_the_thesis_s_map_is_named(name: str) -> None:
    assert "every missed object added as a detection of score 0" in notes(name)
