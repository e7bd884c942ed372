"""What is wrong with files of boxes is said in a sentence, with the place and the remedy."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.metrics.coco_files import save_scored_split
from models.metrics.scored_split import ScoredSplit
from studies.scoring.boxes.class_lists import read_class_list
from studies.scoring.boxes.found_files import found_format
from studies.scoring.boxes.records import UnusableBoxesError
from studies.scoring.boxes.scoring import Question, score_boxes
from studies.scoring.boxes.truth_files import truth_format

Write = Callable[[str], Path]


@pytest.mark.parametrize("form", ["coco", "open_images", "voc", "yolo", "text"])
def test_formats_of_truth_are_told_by_content(truth: Write, form: str) -> None:
    assert truth_format(truth(form)) == form


@pytest.mark.parametrize("form", ["coco_results", "visionstudy", "voc_results", "yolo", "text"])
def test_formats_of_detections_are_told_by_content(found: Write, form: str) -> None:
    assert found_format(found(form)) == form


def test_lines_of_numbered_classes_in_pixels_are_no_yolo(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2 0.9\n")
    assert found_format(tmp_path) == "yolo"
    (tmp_path / "b.txt").write_text("0 0.9 10 20 30 40\n")
    assert found_format(tmp_path) == "text"


def test_shares_that_may_be_corners_too_are_not_guessed_at(tmp_path: Path) -> None:
    """One of YOLO's boxes that is no corners says what all are."""
    truth = write(tmp_path / "truth", "0 0.5 0.5 0.2 0.2", "1 0.3 0.3 0.2 0.2")
    found = write(tmp_path / "found", "0 0.9 0.4 0.4 0.6 0.6", "1 0.8 0.2 0.2 0.4 0.4")
    with pytest.raises(UnusableBoxesError, match="'class x y w h' as well as 'class score x1"):
        score_boxes(Question(truth, found, rule="voc10"))
    with pytest.raises(UnusableBoxesError, match="by --found-format yolo, or by --found-format t"):
        found_format(found)
    write(tmp_path / "found", "0 0.9 0.4 0.4 0.6 0.6", "1 0.5 0.5 0.2 0.2 0.9")
    assert found_format(found) == "yolo"


def test_true_shares_that_leave_the_picture_as_yolos_may_be_corners(tmp_path: Path) -> None:
    folder = write(tmp_path / "truth", "0 0.5 0.5 0.9 0.8")
    assert truth_format(folder) == "yolo"  # an object that fills most of the picture
    write(folder, "0 0.5 0.5 0.9 0.8", "0 0.7 0.6 0.8 0.9")
    with pytest.raises(UnusableBoxesError, match="--gt-format text --gt-corners shares"):
        truth_format(folder)


def test_corners_may_be_shares_where_that_is_said(truth: Write, tmp_path: Path) -> None:
    found = write(tmp_path / "found", "car 0.9 0.05 0.1 0.25 0.5", "bus 0.9 0.5 0.2 0.9 0.8")
    question = Question(truth("coco"), found, rule="voc10")
    with pytest.raises(UnusableBoxesError, match=r"none is beyond 0\.9; say --found-corners sha"):
        score_boxes(question)
    scores = score_boxes(replace(question, found_corners="shares"))
    assert {each.name: each.ap for each in scores.classes} == {"bus": 1.0, "car": 0.5}


def test_true_corners_may_be_shares_where_that_is_said(found: Write, tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", "car 0.05 0.1 0.25 0.47")
    question = Question(truth, write(tmp_path / "found", "car 0.9 0.05 0.1 0.25 0.47"), iou=0.5)
    with pytest.raises(UnusableBoxesError, match="say --gt-corners shares, or --gt-corners edges"):
        score_boxes(question)
    both = replace(question, truth_corners="shares", found_corners="shares")
    assert score_boxes(both).metrics["ap_at_iou"] == pytest.approx(1.0)
    with pytest.raises(UnusableBoxesError, match="must be edges, pixels or pixels_from_1 for VOC"):
        score_boxes(replace(question, found=found("voc_results"), found_corners="shares"))


def test_a_class_may_end_in_a_number(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", "type 2 10 10 50 50")
    found = write(tmp_path / "found", "type 2 0.9 10 10 50 50")
    scores = score_boxes(Question(truth, found))
    assert scores.paired.class_names == ("type 2",)
    assert scores.metrics["ap"] == pytest.approx(1.0)


def test_a_class_may_be_of_several_words(tmp_path: Path) -> None:
    write(tmp_path / "truth", "traffic light 0 0 10 10")
    write(tmp_path / "found", "traffic light 0.5 0 0 10 10")
    scores = score_boxes(Question(tmp_path / "truth", tmp_path / "found"))
    assert scores.paired.class_names == ("traffic light",)
    assert scores.metrics["ap"] == pytest.approx(1.0)


def test_numbered_classes_get_their_names(tmp_path: Path, class_list: Path) -> None:
    write(tmp_path / "truth", "1 0 0 10 10")
    write(tmp_path / "found", "car 0.5 0 0 10 10")
    asked = Question(tmp_path / "truth", tmp_path / "found", class_list=class_list)
    assert score_boxes(asked).metrics["ap"] == pytest.approx(1.0)


def write(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "street.txt").write_text("\n".join(lines))
    return folder


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("car 10 20 30 40", "'class score x1 y1 x2 y2'"),
        ("car 0.9 30 20 10 40", "with x1 <= x2"),
        ("car 0.9 nan 20 30 40", "'class score x1 y1 x2 y2'"),
        ("0.9 10 20 30 40", "'class score x1 y1 x2 y2'"),
    ],
)
def test_a_wrong_detection_is_named_by_its_line(
    truth: Write, tmp_path: Path, line: str, words: str
) -> None:
    folder = write(tmp_path / "found", "car 0.5 1 2 3 4", line)
    with pytest.raises(UnusableBoxesError, match=r"street\.txt:2 must be") as error:
        score_boxes(Question(truth("text"), folder))
    assert words in str(error.value)
    assert "--found-format" in str(error.value)


@pytest.mark.parametrize("line", ["car 0.9 10 20 30 40", "car 10 20", "car 10 20 5 40"])
def test_a_wrong_true_box_is_named_by_its_line(found: Write, tmp_path: Path, line: str) -> None:
    folder = write(tmp_path / "truth", line)
    with pytest.raises(UnusableBoxesError, match=r"street\.txt:1 must be 'class x1 y1 x2 y2'"):
        score_boxes(Question(folder, found("text")))


def test_a_wrong_line_of_yolo_is_named(truth: Write, found: Write, class_list: Path) -> None:
    labels = found("yolo")
    (labels / "street.txt").write_text("1 0.5 0.5 0.1\n")
    question = Question(truth("yolo"), labels, class_list=class_list, found_format="yolo")
    with pytest.raises(UnusableBoxesError, match=r"street\.txt:1 must be 'class x y w h'"):
        score_boxes(question)
    truths = truth("yolo")
    (truths / "street.txt").write_text("1 0.5 0.5 0.1\n")
    question = Question(truths, found("yolo"), class_list=class_list, truth_format="yolo")
    with pytest.raises(UnusableBoxesError, match=r"street\.txt:1 must be 'class x y w h'"):
        score_boxes(question)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[{]", r"results\.json:1:3 must be JSON"),
        ('[{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3]}]', "entry 0 .* must be"),
        (
            '[{"image_id": 7, "category_id": 1, "bbox": [1, 2, -3, 4], "score": 1}]',
            "no side below",
        ),
        ('{"images": [], "annotations": []}', "COCO results are a JSON list"),
    ],
)
def test_wrong_coco_results_are_named_by_their_entry(
    truth: Write, tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "results.json"
    file.write_text(content)
    with pytest.raises(UnusableBoxesError, match=words):
        score_boxes(Question(truth("coco"), file))


def test_a_damaged_truth_is_not_scored(truth: Write, found: Write) -> None:
    file = truth("coco")
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"] = [1, 2, 3]
    file.write_text(json.dumps(content))
    with pytest.raises(UnusableBoxesError, match="bbox must be x, y, width and height"):
        score_boxes(Question(file, found("coco_results")))


def test_an_object_of_voc_without_a_box_is_named(truth: Write, found: Write) -> None:
    folder = truth("voc")
    (folder / "Annotations" / "street.xml").write_text(
        "<annotation><object><name>car</name></object></annotation>"
    )
    with pytest.raises(UnusableBoxesError, match=r"street\.xml must have a name and a bndbox"):
        score_boxes(Question(folder, found("text")))


def test_pictures_must_have_names_in_common(truth: Write, tmp_path: Path) -> None:
    folder = write(tmp_path / "found", "car 0.5 1 2 3 4")
    (folder / "street.txt").rename(folder / "elsewhere.txt")
    with pytest.raises(UnusableBoxesError, match="first are 'square' and 'elsewhere'"):
        score_boxes(Question(truth("voc"), folder))


def test_classes_must_have_names_in_common(truth: Write, tmp_path: Path) -> None:
    folder = write(tmp_path / "found", "zebra 0.5 1 2 3 4")
    with pytest.raises(
        UnusableBoxesError, match="a class in common, got 'bus', 'car' and 'zebra'"
    ):
        score_boxes(Question(truth("text"), folder))


def test_boxes_of_another_size_of_picture_are_refused(
    truth: Write, found: Write, tmp_path: Path
) -> None:
    file = truth("coco")
    content = json.loads(file.read_text())
    for image in content["images"]:
        image["width"] *= 2
    from_trial = saved(truth, found, tmp_path)
    file.write_text(json.dumps(content))
    with pytest.raises(UnusableBoxesError, match=re.escape("GT's is 100 x 400")):
        score_boxes(Question(file, from_trial))


def saved(truth: Write, found: Write, folder: Path) -> Path:

    scores = score_boxes(Question(truth("coco"), found("text")))
    images = tuple(scores.paired.images)
    file = folder / "predictions_val.json.gz"
    split = ScoredSplit(scores.paired.class_names, images, np.zeros(2), measures={})
    save_scored_split(file, split, kind="bbox", metrics={})
    return file


@pytest.mark.parametrize("name", ["nowhere", "notes.md", "archive.gz"])
def test_what_is_no_truth_and_no_detections_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    if name != "nowhere":
        place.write_bytes(b"words")
    with pytest.raises(UnusableBoxesError, match=r"GT .* must be COCO annotations"):
        truth_format(place)
    with pytest.raises(UnusableBoxesError, match=r"PREDICTIONS .* must be COCO results"):
        found_format(place)


def test_corners_are_asked_only_where_a_format_leaves_them_open(
    truth: Write, found: Write
) -> None:
    with pytest.raises(
        UnusableBoxesError, match=r"--gt-corners .* has no effect on format 'coco'"
    ):
        score_boxes(Question(truth("coco"), found("text"), truth_corners="edges"))
    with pytest.raises(UnusableBoxesError, match="must be edges or pixels_from_1"):
        score_boxes(Question(truth("voc"), found("text"), truth_corners="pixels"))


def test_corners_of_text_may_be_pixels(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", "car 0 0 9 9")
    found = write(tmp_path / "found", "car 0.5 1 1 10 10")
    asked = Question(truth, found, truth_corners="pixels", found_corners="pixels_from_1")
    assert score_boxes(asked).metrics["ap"] == pytest.approx(1.0)


def test_a_list_of_classes_may_be_yaml_json_csv_or_lines(tmp_path: Path) -> None:
    contents = {
        "a.yaml": "names: [bus, car]",
        "b.json": '["bus", "car"]',
        "c.csv": "index,name\n0,bus\n1,car\n",
        "d.names": "bus\ncar\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        assert dict(read_class_list(tmp_path / name)) == {0: "bus", 1: "car"}
    (tmp_path / "e.names").write_text("bus\nbus\n")
    with pytest.raises(UnusableBoxesError, match="each once, got 2 lines with 1 names"):
        read_class_list(tmp_path / "e.names")
