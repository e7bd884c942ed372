"""Nobody's silence turns a class into nothing, and there is one background."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from studies.scoring.label_pairs import UnusableMasksError
from studies.scoring.legend import Legend
from studies.scoring.masks import MaskScores, Question, score_masks

Bytes = NDArray[np.uint8]
MASK = np.array([[0, 0, 255, 255], [0, 255, 255, 255]], np.uint8)
FOUND = np.array([[0, 255, 255, 255], [0, 0, 255, 255]], np.uint8)
STRAY = np.array([[0, 255, 255, 128], [0, 0, 255, 255]], np.uint8)
LABELS = np.array([[0, 1, 1, 2], [0, 0, 2, 2]], np.uint8)
BINARY = Legend({0: "background", 1: "cell"}, {})
ROADS = Legend({0: "background", 1: "road", 2: "car"}, {})


def scored(folder: Path, truth: Bytes, found: Bytes, **wishes: Any) -> MaskScores:
    for name, labels in (("truth", truth), ("found", found)):
        (folder / name).mkdir(exist_ok=True)
        Image.fromarray(labels).save(folder / name / "a.png")
    question = Question(folder / "truth", folder / "found", **wishes)
    return score_masks(question, progress=lambda *_: None)


@pytest.mark.parametrize("legend", [None, BINARY])
@pytest.mark.parametrize(("found", "value"), [(STRAY, 128), (LABELS, 2)])
def test_a_mask_beside_other_values_is_not_left_out_unasked(
    tmp_path: Path, found: Bytes, value: int, legend: Legend | None
) -> None:
    words = (
        rf"hold 0 and 255 alone, and predicted label map 'a' holds {value}; give it a name by "
        "--classes, or leave it out by --ignore 255"
    )
    with pytest.raises(UnusableMasksError, match=words):
        scored(tmp_path, MASK, found, legend=legend)


def test_what_a_refused_mask_is_told_to_say_is_understood(tmp_path: Path) -> None:
    named = scored(tmp_path, MASK, STRAY, legend=Legend({0: "background", 255: "cell"}, {}))
    assert named.metrics()["iou_cell"] == pytest.approx(3 / 6)
    assert (named.meaning.unknown, named.unknown_pixels) == ((128,), 1)
    left_out = scored(tmp_path, MASK, STRAY, ignored=("255",))
    assert left_out.ignored_pixels == 5


def test_a_truth_of_one_class_and_255_is_not_guessed_at(tmp_path: Path) -> None:
    truth = np.where(MASK == 0, 1, MASK).astype(np.uint8)
    with pytest.raises(UnusableMasksError, match="they hold 1 and 255 alone; give it a name"):
        scored(tmp_path, truth, truth)


@pytest.mark.parametrize("background", ["1", "255"])
def test_the_foreground_of_a_mask_may_be_the_background(tmp_path: Path, background: str) -> None:
    swapped = scored(tmp_path, MASK, FOUND, background=background)
    plain = scored(tmp_path, 255 - MASK, 255 - FOUND)
    assert swapped.meaning.names == ("background", "label 0")
    assert (swapped.confusion() == plain.confusion()).all()
    assert swapped.metrics()["iou"] == pytest.approx(2 / 4)


def test_there_is_one_background_where_another_is_named(tmp_path: Path) -> None:
    scores = scored(tmp_path, LABELS, LABELS, legend=ROADS, background="road")
    assert scores.meaning.names == ("background", "label 0", "car")
    assert [each.index for each in scores.classes()] == [1, 0, 2]


@pytest.mark.parametrize(
    ("truth", "wishes", "words"),
    [
        (LABELS, {"background": "7"}, r"\(0, 1, 2\), got 7"),
        (LABELS, {"background": "3", "legend": ROADS}, r"\(0, 1, 2\), got 3"),
        (LABELS, {"background": "0", "ignored": ("0",)}, r"\(1, 2\), got 0"),
        (MASK, {"background": "7"}, r"\(0, 1\), got 7"),
    ],
)
def test_a_background_that_is_no_label_is_refused(
    tmp_path: Path, truth: Bytes, wishes: dict[str, Any], words: str
) -> None:
    with pytest.raises(
        UnusableMasksError, match=f"--background must be a label that is scored {words}"
    ):
        scored(tmp_path, truth, truth, **wishes)


@pytest.mark.parametrize(("legend", "label"), [(None, "1"), (BINARY, "cell")])
def test_the_foreground_of_a_mask_may_be_left_out(
    tmp_path: Path, legend: Legend | None, label: str
) -> None:
    scores = scored(tmp_path, MASK, FOUND, legend=legend, ignored=(label,))
    assert scores.ignored_pixels == 5
    assert scores.meaning.names == ("background",)
    assert (scores.meaning.unknown, scores.unknown_pixels) == ((255,), 1)


def test_a_predicted_255_that_is_no_class_is_counted(tmp_path: Path) -> None:
    found = np.array([[255, 255, 1, 2], [0, 0, 2, 255]], np.uint8)
    scores = scored(tmp_path, LABELS, found, legend=ROADS)
    assert (scores.meaning.unknown, scores.unknown_pixels) == ((255,), 3)


def test_a_predicted_label_that_is_left_out_is_counted(tmp_path: Path) -> None:
    found = np.array([[2, 1, 1, 2], [0, 0, 2, 2]], np.uint8)
    scores = scored(tmp_path, LABELS, found, legend=ROADS, ignored=("car",))
    assert scores.ignored_pixels == 3
    assert (scores.meaning.unknown, scores.unknown_pixels) == ((2,), 1)
