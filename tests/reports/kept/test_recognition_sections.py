"""Sections of classified images, from a study of two seeds whose trials kept their files."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reports.contents import contents
from reports.figures.calibration import (
    FAINTEST,
    calibration_figure,
    calibration_panels,
    calibration_summary,
)
from reports.figures.class_recall import (
    MOST_CLASSES,
    ClassRecall,
    recall_figure,
    recall_panels,
    recall_summary,
)
from reports.notation import is_lower_better, metric_name
from reports.page import render
from reports.winners import winners
from trackers.records import StudyRecord

Keep = Callable[..., StudyRecord]
CLASSES = ["ant", "bee"]


def bins(*filled: tuple[int, int, float, float]) -> dict[str, Any]:
    """Return calibration of 15 bins; those named are (bin, count, confidence, accuracy)."""
    content: list[dict[str, Any]] = [
        {
            "from": index / 15,
            "to": (index + 1) / 15,
            "count": 0,
            "confidence": None,
            "accuracy": None,
        }
        for index in range(15)
    ]
    for index, count, confidence, accuracy in filled:
        content[index] |= {"count": count, "confidence": confidence, "accuracy": accuracy}
    total = sum(count for _, count, *_ in filled)
    error = sum(count * abs(right - sure) for _, count, sure, right in filled) / total
    return {"images": total, "ece": error, "bins": content}


def scores(ant: float) -> dict[str, Any]:
    return {
        "images": 20,
        "classes": {
            "ant": {"images": 12, "recall": ant, "precision": 0.5, "f1": 0.6},
            "bee": {"images": 8, "recall": 0.5, "precision": None, "f1": 0.0},
        },
    }


@pytest.fixture
def cells(study: StudyRecord) -> list[str]:
    """Return the cells of one winner, by seed."""
    found = next(each for each in winners(study) if len(each.cells) > 1)
    return [cell.id for cell in found.cells]


@pytest.fixture
def kept(study: StudyRecord, cells: list[str], keep: Keep) -> StudyRecord:
    """Two seeds of a winner kept the files of validation."""
    study = replace(study, task="image_classification")
    calibrated = (bins((8, 5, 0.58, 0.4), (14, 5, 1.0, 0.8)), bins((14, 10, 0.98, 0.9)))
    matrices = ([[9, 3], [1, 7]], [[10, 2], [3, 5]])
    for seed, (name, matrix) in enumerate(zip(cells, matrices, strict=False)):
        content = {"labels": CLASSES, "matrix": matrix, "unit": "images"}
        study = keep(study, name, "confusion_val", content)
        study = keep(study, name, "class_scores_val", scores(0.9 - 0.2 * seed))
        study = keep(study, name, "calibration_val", calibrated[seed])
    return study


def test_bins_of_seeds_are_put_together_and_their_errors_averaged(kept: StudyRecord) -> None:
    (panel,) = calibration_panels(kept)
    assert (panel.split, panel.networks) == ("val", 2)
    assert [each.count for each in panel.bins] == [5, 15]
    assert panel.bins[1].confidence == pytest.approx((5 * 1.0 + 10 * 0.98) / 15)
    assert panel.bins[1].accuracy == pytest.approx((5 * 0.8 + 10 * 0.9) / 15)
    first, second = (5 * 0.18 + 5 * 0.2) / 10, 0.08
    assert panel.error == pytest.approx((first + second) / 2)


def test_diagram_has_a_bar_per_bin_at_its_place_and_the_diagonal(kept: StudyRecord) -> None:
    (panel,) = calibration_panels(kept)
    bars, diagonal = calibration_figure(panel).data
    assert tuple(bars.x) == pytest.approx((8.5 / 15, 14.5 / 15), abs=1e-4)
    assert tuple(bars.y) == pytest.approx((0.4, 13 / 15), abs=1e-4)
    assert tuple(bars.marker.opacity) == pytest.approx((FAINTEST + 0.8 / 3, 1), abs=0.01)
    assert (tuple(diagonal.x), tuple(diagonal.y)) == ((0, 1), (0, 1))


def test_side_on_which_the_network_errs_is_said(kept: StudyRecord) -> None:
    (panel,) = calibration_panels(kept)
    assert "on the whole it is surer than it is right" in calibration_summary(panel)
    timid = replace(panel, bins=tuple(replace(each, confidence=0.1) for each in panel.bins))
    assert "on the whole it is less sure than it is right" in calibration_summary(timid)


def test_recalls_are_of_images(kept: StudyRecord) -> None:
    (panel,) = recall_panels(kept)
    assert panel.unit == "images"
    assert [(each.name, each.samples) for each in panel.classes] == [("bee", 8), ("ant", 12)]
    assert (
        "2 networks, each scored on at most 20 images: mean of 2 classes 0.650"
        in recall_summary(panel)
    )
    bars = recall_figure(panel).data[0]
    assert list(bars.customdata[0]) == [8, "\N{EN DASH}", "0.000"], "bee was never predicted"


def test_of_many_classes_the_least_recognised_are_drawn(kept: StudyRecord) -> None:
    (panel,) = recall_panels(kept)
    classes = tuple(
        ClassRecall(f"class {number:03d}", 4, number / 1000, 0.5, 0.5)
        for number in range(MOST_CLASSES + 60)
    )
    many = replace(panel, classes=classes)
    figure = recall_figure(many)
    assert list(figure.data[0].y) == [each.name for each in classes[:MOST_CLASSES]]
    assert figure.layout.height < 1000
    summary = recall_summary(many)
    assert f"mean of {MOST_CLASSES + 60} classes 0.050; least class 000" in summary
    assert "most class 099 (0.099)" in summary
    assert summary.endswith("60 classes that are recognised better are not drawn.")


def test_of_few_classes_all_are_drawn(kept: StudyRecord) -> None:
    (panel,) = recall_panels(kept)
    assert "drawn" not in recall_summary(panel)
    one_more = replace(panel, classes=panel.classes[:1] * (MOST_CLASSES + 1))
    assert recall_summary(one_more).endswith("1 class that is recognised better is not drawn.")


def test_section_has_bars_calibration_and_confused_pairs(kept: StudyRecord) -> None:
    section = contents(kept).recognition
    assert section.title == "Recognition"
    (panel,) = section.recalls
    assert [figure.title.partition(",")[0] for figure in panel.figures] == [
        "Recall by class",
        "Calibration",
    ]
    (table,) = section.confused
    assert table.unit == "images"
    first = table.pairs[0]
    assert (first.truth, first.prediction, first.count, first.of) == ("bee", "ant", 4, 16)


def test_page_speaks_of_images(kept: StudyRecord) -> None:
    text = render(kept)
    for words in (
        '<section id="recognition"',
        'href="#recognition">Recognition<',
        "Most confused pairs",
        "each column what its images were taken for",
        "expected calibration error",
        "a row of the surest mistakes",
    ):
        assert words in text, words
    assert "videos" not in text


def test_figures_of_the_section_have_their_own_ids(kept: StudyRecord) -> None:
    ids = [figure.id for panel in contents(kept).recognition.recalls for figure in panel.figures]
    assert len(set(ids)) == len(ids) == 2


def test_study_without_such_files_has_no_section(study: StudyRecord) -> None:
    assert '<section id="recognition"' not in render(study)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("val/ece", "validation ECE"),
        ("val/f1", "validation F1"),
        ("test/precision_bee", "test precision, bee"),
        ("test/f1_bee", "test F1, bee"),
    ],
)
def test_metrics_have_words(metric: str, words: str) -> None:
    assert metric_name(metric) == words


def test_less_calibration_error_is_better() -> None:
    assert is_lower_better("val/ece")
