"""A number of one format is never read as that of another."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from studies.scoring.boxes.class_lists import read_class_list
from studies.scoring.boxes.records import UnusableBoxesError
from studies.scoring.boxes.scoring import Question, score_boxes

Write = Callable[[str], Path]


@pytest.fixture
def category_list(tmp_path: Path) -> Path:
    """Write the names of the category ids, which are one above the class numbers."""
    file = tmp_path / "categories.csv"
    file.write_text("index,name\n1,bus\n2,car\n")
    return file


@pytest.mark.parametrize("option", ["class_list", "found_class_list"])
def test_yolos_numbers_are_no_category_ids_of_the_truth(
    truth: Write, found: Write, class_list: Path, option: str
) -> None:
    question = Question(truth("coco"), found("yolo"), rule="voc10")
    with pytest.raises(UnusableBoxesError, match="class numbers of YOLO text must be named"):
        score_boxes(question)
    named = replace(question, **{option: class_list})  # type: ignore[arg-type]
    assert score_boxes(named).metrics["voc10_map"] == pytest.approx(0.5)


def test_category_ids_are_no_numbers_of_yolos_truth(
    truth: Write, found: Write, pictures: Path, class_list: Path, category_list: Path
) -> None:
    file = found("coco_results")
    entries = [
        {**each, "image_id": {7: "street", 8: "square"}[each["image_id"]]}
        for each in json.loads(file.read_text())
    ]
    file.write_text(json.dumps(entries))
    question = Question(truth("yolo"), file, rule="voc10", pictures=pictures)
    for listed in (None, class_list):
        with pytest.raises(UnusableBoxesError, match="name them by --found-classes, such as"):
            score_boxes(replace(question, class_list=listed))
    both = replace(question, class_list=class_list, found_class_list=category_list)
    assert score_boxes(both).metrics["voc10_map"] == pytest.approx(0.5)
    from_coco = replace(both, found_class_list=truth("coco"))
    assert score_boxes(from_coco).metrics["voc10_map"] == pytest.approx(0.5)


def test_categories_of_cocos_truth_are_named_by_it_alone(
    truth: Write, found: Write, class_list: Path, category_list: Path
) -> None:
    question = Question(truth("coco"), found("coco_results"), rule="voc10", class_list=class_list)
    with pytest.raises(UnusableBoxesError, match="--classes has no effect on COCO annotations"):
        score_boxes(question)
    renamed = replace(question, class_list=None, found_class_list=category_list)
    assert score_boxes(renamed).metrics["voc10_map"] == pytest.approx(0.5)


def test_a_class_whose_name_is_a_number_is_no_category_id(found: Write, truth: Write) -> None:
    """Digits are called 0 to 9, and have the ids 1 to 10."""
    file = truth("coco")
    content = json.loads(file.read_text())
    content["categories"] = [{"id": 1, "name": "0"}, {"id": 2, "name": "1"}]
    file.write_text(json.dumps(content))
    folder = found("text")
    for each in folder.iterdir():
        each.write_text(each.read_text().replace("car", "1"))
    assert score_boxes(Question(file, folder, rule="voc10")).metrics["voc10_map"] == 0.5


def test_names_of_numbers_that_detections_have_not_are_refused(
    truth: Write, found: Write, class_list: Path
) -> None:
    question = Question(truth("voc"), found("voc_results"), found_class_list=class_list)
    with pytest.raises(UnusableBoxesError, match="has no effect on format 'voc_results'"):
        score_boxes(question)
    with pytest.raises(UnusableBoxesError, match=r"--found-classes: cannot read nowhere\.names"):
        score_boxes(replace(question, found_class_list=Path("nowhere.names")))


def test_a_list_of_classes_may_be_annotations_of_coco(truth: Write) -> None:
    assert dict(read_class_list(truth("coco"))) == {1: "bus", 2: "car"}
