"""The papers' numbers, typed here a second time, and how ours stand beside them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports import notation
from reports.baselines import Baseline, known_names, load
from reports.page import render
from reports.tables.comparison import ComparedTable, comparison
from reports.tables.protocols import dataset_of
from trackers.records import JsonValue, StudyRecord

Build = Callable[[int], StudyRecord]
PRINTED = {
    "segnet-2017": {
        "SegNet, CamVid": {
            "pixel_accuracy": 0.904,
            "class_accuracy": 0.712,
            "iou": 0.601,
            "boundary_f1": 0.4684,
        }
    },
    "fcn-2015": {
        "FCN-32s-fixed": {
            "pixel_accuracy": 0.830,
            "class_accuracy": 0.597,
            "iou_with_background": 0.454,
            "frequency_weighted_iou": 0.72,
        },
        "FCN-32s": {
            "pixel_accuracy": 0.891,
            "class_accuracy": 0.733,
            "iou_with_background": 0.594,
            "frequency_weighted_iou": 0.814,
        },
        "FCN-16s": {
            "pixel_accuracy": 0.900,
            "class_accuracy": 0.757,
            "iou_with_background": 0.624,
            "frequency_weighted_iou": 0.83,
        },
        "FCN-8s": {
            "pixel_accuracy": 0.903,
            "class_accuracy": 0.759,
            "iou_with_background": 0.627,
            "frequency_weighted_iou": 0.832,
        },
        "FCN-8s, VOC 2012": {"iou_with_background": 0.622},
        "FCN-8s, VOC 2011 test": {"iou_with_background": 0.627},
    },
    "deeplab": {
        "DeepLab-CRF-LargeFOV (v1)": {"iou_with_background": 0.703},
        "DeepLabv2-CRF, ResNet-101": {"iou_with_background": 0.797},
        "DeepLabv3, ResNet-101": {"iou_with_background": 0.857},
        "DeepLabv3-JFT, ResNet-101": {"iou_with_background": 0.869},
        "DeepLabv3+, Xception": {"iou_with_background": 0.878},
        "DeepLabv3+, Xception-JFT": {"iou_with_background": 0.890},
    },
    "mask-rcnn-2017": {
        "ResNet-101-C4": {"mask_ap": 0.331, "mask_ap50": 0.549, "mask_ap75": 0.348},
        "ResNet-101-FPN": {
            "mask_ap": 0.357,
            "mask_ap50": 0.580,
            "mask_ap75": 0.378,
            "box_ap": 0.382,
            "box_ap50": 0.603,
        },
        "ResNeXt-101-FPN": {
            "mask_ap": 0.371,
            "mask_ap50": 0.600,
            "mask_ap75": 0.394,
            "box_ap": 0.398,
            "box_ap50": 0.623,
        },
    },
    "torchvision-mask-rcnn": {
        "maskrcnn_resnet50_fpn": {"mask_ap": 0.346, "box_ap": 0.379},
        "maskrcnn_resnet50_fpn_v2": {"mask_ap": 0.418, "box_ap": 0.474},
    },
}
TABLE_12 = [0.86, 0.77, 0.68, 0.77, 0.79, 0.75]


@pytest.mark.parametrize("name", PRINTED)
def test_a_paper_s_numbers_are_verbatim(name: str) -> None:
    found: dict[str, dict[str, float]] = {}
    for baseline in load([name]):
        found.setdefault(baseline.row, {})[baseline.protocol.metric] = baseline.value
    assert found == PRINTED[name]


def test_the_pictures_of_table_12_are_verbatim() -> None:
    rows = load(["thesis/table-12"])
    assert [row.value for row in rows] == TABLE_12
    assert [row.protocol.threshold for row in rows] == [0.2, 0.4, 0.6] * 2


def recalled(rows: tuple[Baseline, ...]) -> set[tuple[str, str]]:
    words = "Recalled, not read again"
    return {(r.row, r.protocol.metric) for r in rows if any(words in n for n in r.notes)}


def test_numbers_from_memory_say_so() -> None:
    assert recalled(load(["unet-2015"])) == {
        ("EM segmentation, Rand error", "rand_error"),
        ("EM segmentation, pixel error", "pixel_error"),
    }
    assert recalled(load(["mask-rcnn-2017"])) == {
        ("ResNet-101-FPN", "box_ap50"),
        ("ResNeXt-101-FPN", "box_ap50"),
    }


@pytest.mark.parametrize("name", [n for n in known_names() if not n.startswith("thesis/")])
def test_every_share_is_a_fraction_and_every_row_has_a_source(name: str) -> None:
    for baseline in load([name]):
        assert baseline.value > 0
        assert baseline.value < 1 or baseline.protocol.metric in ("images_per_s", "ms_per_image")
        assert baseline.source


def measured(
    study: StudyRecord, baseline: str, metrics: dict[str, float], settings: dict[str, JsonValue]
) -> ComparedTable:
    """Set a study of one stage, all of whose cells measured the same, beside a baseline."""
    cells = {
        name: replace(cell, metrics=metrics, settings={**cell.settings, **settings}, epochs=())
        for name, cell in study.cells.items()
    }
    (table,) = comparison(replace(study, cells=cells, baselines=(baseline,)))
    return table


def test_an_error_on_isbi_stands_beside_the_challenge_s(build: Build) -> None:
    table = measured(
        build(1),
        "unet-2015",
        {"val/rand_error": 0.09, "val/pixel_error": 0.08},
        {"data.dataset": "isbi2012", "data.classes": ["cell"]},
    )
    row = next(row for row in table.rows if row.row == "EM segmentation, Rand error")
    number = row.numbers[table.columns.index("challenge test/rand_error")]
    assert number is not None
    assert (number.printed, number.split) == ("0.0382", "val")
    assert number.ours == pytest.approx(0.09)
    assert number.shows_difference
    assert number.is_of_another_split
    assert "image size 64, theirs 572" in row.comparability.sentence
    warping = next(row for row in table.rows if row.row == "EM segmentation, warping error")
    assert warping.comparability.sentence == (
        "not comparable because this study measured no warping error"
    )


def test_of_equally_close_configurations_the_studys_answer_stands_beside(
    study: StudyRecord,
) -> None:
    """Not the first that was tried, which may be a reference that learns nothing."""
    alike: dict[str, JsonValue] = {"data.dataset": "isbi2012", "training.optimizer": "sgd"}
    alike |= {"training.batch_size": 4, "training.learning_rate": 0.01}
    table = measured(study, "unet-2015", {"val/rand_error": 0.09}, alike)
    row = next(row for row in table.rows if row.row == "EM segmentation, Rand error")
    last = study.stages[-2]  # the last of all scores saved predictions again
    (winner,) = [c for c in last.configurations if c.id == last.decisions[0].winners[0]]
    assert row.ours == notation.configuration_label(winner.varied)


def test_a_mean_over_all_classes_answers_a_paper_s(build: Build) -> None:
    metrics = {"val/iou": 0.4, "test/iou": 0.35, "test/boundary_f1": 0.2}
    camvid: dict[str, JsonValue] = {"data.dataset": "camvid", "data.classes": []}
    table = measured(build(1), "segnet-2017", metrics, camvid)
    (row,) = table.rows
    ours = [number.ours if number else None for number in row.numbers]
    assert ours == [None, None, pytest.approx(0.35), pytest.approx(0.2)]
    assert "training images 64, theirs 3400" in row.comparability.sentence
    assert "class" not in row.comparability.sentence


def test_a_mean_over_chosen_classes_is_another_question(build: Build) -> None:
    metrics = {"val/iou": 0.4}
    camvid: dict[str, JsonValue] = {"data.dataset": "camvid", "data.classes": ["car", "road"]}
    table = measured(build(1), "segnet-2017", metrics, camvid)
    assert "class car, road, theirs all" in table.rows[0].comparability.sentence


def test_one_network_per_class_answers_no_mean_over_classes(class_study: StudyRecord) -> None:
    found = comparison(replace(class_study, baselines=("torchvision-mask-rcnn",)))
    assert [number.ours for number in found[0].rows[0].numbers if number] == [None, None]


def test_lower_is_better_is_said_of_errors_alone(build: Build) -> None:
    page = render(replace(build(1), baselines=("unet-2015",)), generated_at="then")
    assert page.count("lower is better") == 3  # warping, Rand and pixel error; not IoU
    assert notation.is_lower_better("val/loss")
    assert not notation.is_lower_better("test/mask_ap50")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("val/mask_ap", "validation mask AP"),
        ("mask_ap50", "mask AP50"),
        ("test/box_ap_traffic_light", "test box AP, traffic light"),
        ("box_ar100", "box AR100"),
        ("boundary_f1_car", "boundary F1, car"),
        ("iou_with_background", "IoU with background"),
        ("challenge test/rand_error", "challenge test Rand error"),
        ("val/average_precision", "validation average precision"),
    ],
)
def test_metrics_have_their_papers_names(metric: str, words: str) -> None:
    assert notation.metric_name(metric) == words


def test_resnets_of_cifar_are_those_of_table_6() -> None:
    errors = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43}  # per cent
    rows = [b for b in load(["resnet-2016"]) if b.protocol.dataset == "cifar10"]
    found = {int(b.row.split()[0].removeprefix("ResNet-")): b.value for b in rows}
    assert found == {depth: pytest.approx(1 - error / 100) for depth, error in errors.items()}


def test_the_two_variants_of_cifar_are_two_datasets() -> None:
    assert dataset_of({"data.dataset": "cifar", "data.variant": 10}) == "cifar10"
    assert dataset_of({"data.dataset": "cifar", "data.variant": 100}) == "cifar100"
    assert dataset_of({"data.dataset": "mnist"}) == "mnist"
    assert dataset_of({}) == ""
