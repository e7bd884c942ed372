"""`visionstudy score masks` as a person or a program uses it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import Result

Verb = Callable[..., Result]
TRUTH = np.array([[0, 0, 1, 1], [2, 2, 1, 1]], np.uint8)
FOUND = np.array([[0, 1, 1, 1], [2, 2, 1, 0]], np.uint8)
COLOURS = np.array([(0, 0, 0), (128, 64, 128), (64, 0, 128)], np.uint8)


def write(folder: Path, **maps: NDArray[np.uint8]) -> Path:
    folder.mkdir()
    for name, labels in maps.items():
        Image.fromarray(labels).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def score(visionstudy: Verb, tmp_path: Path) -> Verb:
    """Return a function that scores coloured maps against indices, by a legend."""
    write(tmp_path / "truth", a=TRUTH, b=TRUTH)
    write(tmp_path / "found", a=COLOURS[FOUND], b=COLOURS[TRUTH])
    legend = tmp_path / "legend.csv"
    legend.write_text("name,r,g,b\nbackground,0,0,0\nroad,128,64,128\ncar,64,0,128\n")

    def run(*arguments: str) -> Result:
        folders = (str(tmp_path / "truth"), str(tmp_path / "found"))
        return visionstudy("score", "masks", *folders, "--classes", str(legend), *arguments)

    return run


def test_a_table_names_each_class_and_metric_and_exits_0(score: Verb) -> None:
    result = score()
    assert result.exit_code == 0, result.output
    [row] = [line.split() for line in result.stdout.splitlines() if " road " in line]
    assert row == ["1", "road", "0.7778", "0.8750", "0.8750", "0.8750", "8", "8"]
    [metric] = [line.split() for line in result.stdout.splitlines() if line.startswith("iou ")]
    assert metric == ["iou", "0.8889"]
    assert "2 pictures, 0 pixels not scored" in result.stdout


def test_json_holds_what_help_says(score: Verb, visionstudy: Verb) -> None:
    content = json.loads(score("--json", "--also", "boundary_f1").stdout)
    words = visionstudy("score", "masks", "--help").stdout
    assert all(f'"{name}"' in words for name in content)
    assert content["images"] == 2
    assert content["metrics"]["iou_car"] == 1.0
    assert 0 < content["metrics"]["boundary_f1"] < 1
    assert content["labels"] == ["background", "road", "car"]
    assert content["confusion"] == [[3, 1, 0], [1, 7, 0], [0, 0, 4]]
    assert content["classes"][1]["true_pixels"] == 8


def test_each_pictures_scores_are_a_row(score: Verb, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    assert f"wrote {file}" in score("--per-image", str(file)).stdout
    with file.open(encoding="utf-8", newline="") as stream:
        rows = {row["image"]: row for row in csv.DictReader(stream)}
    assert float(rows["b"]["iou"]) == 1.0
    assert float(rows["a"]["iou_road"]) == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("missing/dir/x.csv", "must be in a folder that is there; make"),
        ("truth", "--per-image must be a file, got the folder"),
        ("x" * 300, "File name too long; name another place"),
    ],
)
def test_a_place_for_scores_that_cannot_be_is_said_before_any_label_map_is_read(
    score: Verb, tmp_path: Path, place: str, words: str
) -> None:
    (tmp_path / "truth" / "b.png").write_bytes(b"no picture, which nobody gets to see")
    result = score("--per-image", str(tmp_path / place))
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_scores_are_printed_where_the_disk_is_full(score: Verb) -> None:
    result = score("--json", "--per-image", "/dev/full")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["images"] == 2
    assert result.stderr.startswith("cannot write --per-image /dev/full: No space left on device")
    assert Path("/dev/full").is_char_device()


def test_scores_behind_a_link_are_written_where_it_points(score: Verb, tmp_path: Path) -> None:
    link, file = tmp_path / "link.csv", tmp_path / "scores.csv"
    link.symlink_to(file)
    assert score("--per-image", str(link)).exit_code == 0
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8").startswith("image,")


def test_two_label_maps_of_one_name_are_refused(score: Verb, tmp_path: Path) -> None:
    (tmp_path / "found" / "a.tif").write_bytes((tmp_path / "found" / "a.png").read_bytes())
    result = score()
    assert result.exit_code == 2
    assert "must hold one label map of a name, but holds a.tif and a.png" in result.stderr


def test_a_label_map_that_was_not_predicted_is_named_and_exits_1(
    score: Verb, tmp_path: Path
) -> None:
    (tmp_path / "found" / "b.png").rename(tmp_path / "found" / "c.png")
    result = score()
    assert result.exit_code == 1
    assert "1 not predicted and not scored: b" in result.stdout
    assert "1 predicted without a true label map: c" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--also", "boundary"), "unknown --also 'boundary'; did you mean 'boundary_f1'?"),
        (("--ignore", "raod"), "--ignore must be an index from 0 to 255, or a name of the legend"),
        (("--classes", "nowhere.csv"), "legend nowhere.csv must be a CSV"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exits_2(
    score: Verb, arguments: tuple[str, ...], words: str
) -> None:
    result = score(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_predictions_file_is_a_legend(visionstudy: Verb, tmp_path: Path) -> None:
    truth, found = write(tmp_path / "truth", a=TRUTH), write(tmp_path / "found", a=FOUND)
    legend = tmp_path / "predictions.json"
    names = ["background", "person", "car"]
    classes = [
        {"index": index, "name": name, "color": [index, 0, 0]} for index, name in enumerate(names)
    ]
    legend.write_text(json.dumps({"format": 1, "classes": classes, "none": 255}))
    result = visionstudy("score", "masks", str(truth), str(found), "--classes", str(legend))
    assert result.exit_code == 0, result.output
    assert "person" in result.stdout
    assert "iou_with_background" in result.stdout
