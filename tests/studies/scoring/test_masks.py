"""Label maps score what an independent confusion matrix says, however they are stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import (  # type: ignore[import-untyped]
    confusion_matrix,
    jaccard_score,
)

from studies.scoring.label_pairs import UnusableMasksError
from studies.scoring.legend import Legend
from studies.scoring.masks import MaskScores, Question, score_masks

VOID = 11  # of CamVid
SHIFT = (3, -5)
Bytes = NDArray[np.uint8]
Write = Callable[[Path, Bytes], object]


def silently(*_: int) -> None:
    """Tell nobody."""


def scored(truth: Path, prediction: Path, **wishes: Any) -> MaskScores:
    return score_masks(Question(truth, prediction, **wishes), progress=silently)


def write(folder: Path, **maps: Bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, labels in maps.items():
        Image.fromarray(labels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def camvid(real_data: Path) -> Path:
    return real_data / "camvid_mini" / "valannot"


@pytest.fixture
def shifted(camvid: Path, tmp_path: Path) -> Path:
    """Return a folder of CamVid's validation labels, each moved by a few pixels."""
    maps = {file.stem: np.array(Image.open(file)) for file in camvid.iterdir()}
    return write(
        tmp_path / "shifted",
        **{name: np.roll(labels, SHIFT, axis=(0, 1)) for name, labels in maps.items()},
    )


def test_shifted_labels_score_what_scikit_learn_says(camvid: Path, shifted: Path) -> None:
    scores = scored(camvid, shifted, ignored=(str(VOID),))
    both = [(np.array(Image.open(file)), file.name) for file in sorted(camvid.iterdir())]
    truth = np.concatenate([labels.ravel() for labels, _ in both])
    found = np.concatenate([np.array(Image.open(shifted / name)).ravel() for _, name in both])
    is_scored = truth != VOID
    matrix = confusion_matrix(truth[is_scored], found[is_scored], labels=range(VOID + 1))
    iou = jaccard_score(
        truth[is_scored], found[is_scored], labels=range(VOID), average=None, zero_division=0
    )
    metrics = scores.metrics()

    # A predicted void finds nothing: the first column of ours, the last of theirs.
    assert (scores.confusion()[1:, 1:] == matrix[:VOID, :VOID]).all()
    assert (scores.confusion()[1:, 0] == matrix[:VOID, VOID]).all()
    assert scores.ignored_pixels == (~is_scored).sum()
    assert metrics["iou"] == pytest.approx(iou.mean(), abs=1e-12)
    assert [each.iou for each in scores.classes()] == pytest.approx(iou, abs=1e-12)
    recall = np.diag(matrix)[:VOID] / matrix[:VOID].sum(axis=1)
    assert metrics["class_accuracy"] == pytest.approx(recall.mean(), abs=1e-12)
    assert metrics["pixel_accuracy"] == pytest.approx(np.diag(matrix).sum() / is_scored.sum())
    assert "iou_with_background" not in metrics


def test_the_truth_itself_scores_1_in_everything(camvid: Path) -> None:
    metrics = scored(camvid, camvid, ignored=(str(VOID),), also=("boundary_f1",)).metrics()
    assert set(metrics.values()) == {1.0}
    assert {"iou", "dice", "boundary_f1", "iou_label_8"} <= metrics.keys()


def test_each_picture_has_its_own_scores(camvid: Path, shifted: Path) -> None:
    per_image = dict(scored(camvid, shifted, ignored=(str(VOID),)).per_image())
    name = sorted(per_image)[0]
    truth, found = (np.array(Image.open(folder / f"{name}.png")) for folder in (camvid, shifted))
    is_scored = truth != VOID
    present = [label for label in range(VOID) if ((truth == label) | (found == label)).any()]
    iou = jaccard_score(truth[is_scored], found[is_scored], labels=present, average=None)
    assert len(per_image) == 15
    assert per_image[name]["iou"] == pytest.approx(iou.mean(), abs=1e-12)


LABELS = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 2, 2, 255]], np.uint8)
FOUND = np.array([[0, 1, 1, 1], [0, 2, 0, 1], [2, 2, 2, 2]], np.uint8)
COLOURS = {0: (0, 0, 0), 1: (128, 64, 128), 2: (64, 0, 128), 255: (255, 255, 255)}
LEGEND = Legend(
    {0: "background", 1: "road", 2: "car"},
    {colour: index for index, colour in COLOURS.items()},
)


def as_grey(file: Path, labels: Bytes) -> None:
    Image.fromarray(labels).save(file)


def as_palette(file: Path, labels: Bytes) -> None:
    picture = Image.fromarray(labels)
    picture.putpalette([value for index in range(256) for value in (index, 7, 255 - index)])
    picture.save(file)


def as_colours(file: Path, labels: Bytes) -> None:
    table = np.zeros((256, 3), np.uint8)
    for index, colour in COLOURS.items():
        table[index] = colour
    Image.fromarray(table[labels]).save(file)


def as_16_bits(file: Path, labels: Bytes) -> None:
    Image.fromarray(labels.astype(np.uint16)).save(file)


def as_grey_in_colours(file: Path, labels: Bytes) -> None:
    Image.fromarray(np.repeat(labels[..., np.newaxis], 3, axis=2)).save(file)


@pytest.mark.parametrize("store", [as_grey, as_palette, as_colours, as_16_bits])
def test_the_way_labels_are_stored_makes_no_difference(tmp_path: Path, store: Write) -> None:
    truth = write(tmp_path / "truth", a=LABELS)
    (tmp_path / "found").mkdir()
    store(tmp_path / "found" / "a.png", FOUND)
    scores = scored(truth, tmp_path / "found", legend=LEGEND)

    assert scores.metrics()["iou_road"] == pytest.approx(3 / 4)
    assert scores.metrics()["iou_car"] == pytest.approx(3 / 5)
    assert scores.metrics()["iou"] == pytest.approx((3 / 4 + 3 / 5) / 2)
    assert scores.metrics()["iou_with_background"] == pytest.approx((3 / 4 + 3 / 5 + 2 / 5) / 3)
    assert scores.ignored_pixels == 1


def test_grey_values_stored_in_three_channels_are_indices(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    as_grey_in_colours(tmp_path / "found" / "a.png", FOUND)
    truth = write(tmp_path / "truth", a=LABELS)
    assert scored(truth, tmp_path / "found", background="0").metrics()["iou_label_1"] == 0.75


@pytest.mark.parametrize("true_one", [1, 255])
@pytest.mark.parametrize("found_one", [1, 255])
def test_0_and_255_are_background_and_foreground(
    tmp_path: Path, true_one: int, found_one: int
) -> None:
    mask = np.array([[0, 0, 1, 1]], np.uint8)
    truth = write(tmp_path / "truth", a=mask * np.uint8(true_one))
    found = write(tmp_path / "found", a=mask[:, ::-1] * np.uint8(found_one), b=mask)
    metrics = scored(truth, truth, legend=None).metrics()
    assert set(metrics.values()) == {1.0}
    names = {0: "background", 1: "cell"}
    legend = None if {true_one, found_one} == {255} else Legend(names, {})
    scores = scored(truth, found, legend=legend)
    assert scores.metrics()["iou_with_background"] == 0.0
    assert scores.ignored_pixels == 0


def test_a_binary_truth_whose_255_is_ignored_is_no_mask(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", a=np.array([[0, 0, 255]], np.uint8))
    scores = scored(truth, truth, ignored=("255",))
    assert scores.ignored_pixels == 1
    assert [each.name for each in scores.classes()] == ["label 0"]


def test_a_value_without_a_class_finds_nothing_and_is_said(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", a=LABELS)
    found = write(tmp_path / "found", a=np.where(FOUND == 2, 9, FOUND).astype(np.uint8))
    scores = scored(truth, found, legend=LEGEND)
    assert scores.metrics()["iou_car"] == 0.0
    assert scores.meaning.unknown == (9,)
    assert scores.unknown_pixels == 4


def test_outlines_and_objects_are_scored_where_asked_for(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "isbi2012" / "train" / "label"
    first = sorted(folder.iterdir())[0]
    cells = np.array(Image.open(first))[:96, :96]
    truth = write(tmp_path / "truth", a=cells)
    assert scored(truth, truth, also=("rand_error",)).metrics()["rand_error"] == 0.0
    merged = write(tmp_path / "found", a=np.full_like(cells, 255))
    metrics = scored(truth, merged, also=("rand_error", "boundary_f1")).metrics()
    assert metrics["rand_error"] > 0.3
    assert metrics["boundary_f1"] < 0.5


@pytest.mark.parametrize(
    ("found", "legend", "words"),
    [
        ({"a": FOUND[:2]}, None, r"truth/a.png has \(3, 4\) and .*found/a.png \(2, 4\)"),
        ({"b": FOUND}, None, "must have the same names, but no two do: the first are 'a' and 'b'"),
        ({}, None, "PREDICTION_DIR .* must hold a label map"),
        ({"a": FOUND}, Legend({0: "sky", 1: "road"}, {}), r"in the legend \(0, 1\), got 2"),
        (
            {"a": np.zeros((3, 4, 3), np.uint8) + np.arange(3, dtype=np.uint8)},
            LEGEND,
            r"only colours of the legend, got \(0, 1, 2\) at 12 pixels",
        ),
        (
            {"a": np.zeros((3, 4, 3), np.uint8) + np.arange(3, dtype=np.uint8)},
            None,
            "holds colours, whose classes nobody said",
        ),
    ],
)
def test_what_cannot_be_compared_is_named(
    tmp_path: Path, found: dict[str, Bytes], legend: Legend | None, words: str
) -> None:
    truth = write(tmp_path / "truth", a=LABELS)
    with pytest.raises(UnusableMasksError, match=words):
        scored(truth, write(tmp_path / "found", **found), legend=legend)


def test_what_has_no_partner_is_named(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", a=LABELS, b=LABELS)
    found = write(tmp_path / "found", a=LABELS, c=LABELS)
    scores = scored(truth, found, legend=LEGEND)
    assert scores.pairs.missing == ("b",)
    assert scores.pairs.extra == ("c",)
    assert scores.metrics()["iou"] == 1.0


def test_an_unknown_label_to_ignore_says_what_was_meant(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", a=LABELS)
    with pytest.raises(
        UnusableMasksError, match=r"--ignore must be .*'raod'; did you mean 'road'"
    ):
        scored(truth, truth, legend=LEGEND, ignored=("raod",))
    without = scored(truth, truth, legend=LEGEND, ignored=("road",))
    assert [each.name for each in without.classes()] == ["background", "car"]
