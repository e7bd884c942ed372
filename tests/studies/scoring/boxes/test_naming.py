"""Pictures of a set are all named by their files, or all by their ids."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data_pipeline.datasets.records import ImageRecord
from studies.scoring.boxes.naming import NamedBy, NameRule, places_of
from studies.scoring.boxes.records import UnusableBoxesError
from studies.scoring.boxes.scoring import BoxScores, Question, score_boxes

COUNT = 4
SHIFTED = [ImageRecord(str(1 + each), f"{each}.jpg", None, ()) for each in range(COUNT)]


def box_of(place: int) -> tuple[int, int, int, int]:
    return 10 * place, 0, 10 * place + 10, 20


@pytest.fixture
def shifted(tmp_path: Path) -> Path:
    """Write a truth of 0.jpg, 1.jpg … whose ids are 1, 2 …, with a car in each."""
    images = [
        {"id": 1 + each, "file_name": f"{each}.jpg", "width": 99, "height": 99}
        for each in range(COUNT)
    ]
    annotations = [
        {"id": 1 + each, "image_id": 1 + each, "category_id": 1, "bbox": [10 * each, 0, 10, 20]}
        for each in range(COUNT)
    ]
    file = tmp_path / "shifted.json"
    content = {"images": images, "annotations": annotations}
    file.write_text(json.dumps({**content, "categories": [{"id": 1, "name": "car"}]}))
    return file


@pytest.fixture
def score(shifted: Path, tmp_path: Path) -> Callable[..., BoxScores]:
    """Return a function that scores right boxes of some pictures, in files of some names."""

    def run(places: range, *, first: int, **wishes: object) -> BoxScores:
        folder = tmp_path / "found"
        folder.mkdir(exist_ok=True)
        for place in places:
            line = f"car 0.9 {' '.join(map(str, box_of(place)))}"
            (folder / f"{first + place}.txt").write_text(line)
        return score_boxes(Question(shifted, folder, rule="voc10", **wishes))  # type: ignore[arg-type]

    return run


def results_of(file: Path, names: dict[int, int | str]) -> Path:
    """Write COCO results with the right box of each place, under the name of its picture."""
    entries = [
        {"image_id": name, "category_id": 1, "bbox": [10 * place, 0, 10, 20], "score": 0.9}
        for place, name in names.items()
    ]
    file.write_text(json.dumps(entries))
    return file


def test_text_files_are_called_as_pictures_are(score: Callable[..., BoxScores]) -> None:
    scores = score(range(1, COUNT), first=0)  # nothing was found in 0.jpg
    assert scores.metrics["voc10_map"] == pytest.approx(0.75)
    assert scores.paired.missing == ["1"]


def test_text_files_that_only_ids_explain_are_not_guessed_at(
    score: Callable[..., BoxScores],
) -> None:
    with pytest.raises(UnusableBoxesError) as error:
        score(range(COUNT), first=1)
    assert str(error.value) == (
        "PREDICTIONS must name pictures by their files or by their ids in GT, but both fit: '1' "
        "is the id of '0.jpg' and the name of '1.jpg' (by files 3 of 4 are known, by ids 4); say "
        "which by --found-names files or --found-names ids"
    )
    scores = score(range(COUNT), first=1, found_names="ids")
    assert scores.metrics["voc10_map"] == pytest.approx(1.0)


def test_coco_results_name_ids(shifted: Path, tmp_path: Path) -> None:
    file = results_of(tmp_path / "r.json", {place: 1 + place for place in range(COUNT)})
    scores = score_boxes(Question(shifted, file, rule="voc10"))
    assert scores.metrics["voc10_map"] == pytest.approx(1.0)


@pytest.mark.parametrize("first", [0, 1])
def test_coco_results_that_fit_ids_and_files_are_not_guessed_at(
    shifted: Path, tmp_path: Path, first: int
) -> None:
    """YOLO's tools write the number of the file as an id."""
    file = results_of(tmp_path / "r.json", {place: place for place in range(first, COUNT)})
    with pytest.raises(UnusableBoxesError, match="say which by --found-names files"):
        score_boxes(Question(shifted, file, rule="voc10"))
    scores = score_boxes(Question(shifted, file, rule="voc10", found_names="files"))
    assert scores.metrics["voc10_map"] == pytest.approx((COUNT - first) / COUNT)


def test_coco_results_may_name_files(shifted: Path, tmp_path: Path) -> None:
    file = results_of(tmp_path / "r.json", {place: f"{place}.jpg" for place in range(COUNT)})
    scores = score_boxes(Question(shifted, file, rule="voc10"))
    assert scores.metrics["voc10_map"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "kind", "place"),
    [
        ("0.jpg", "files", 0),
        ("val/0.png", "files", 0),
        ("0003", "files", 3),
        ("0003", "ids", 2),
        ("3.jpg", "ids", None),
        ("4", "files", None),
        ("three", "ids", None),
    ],
)
def test_a_picture_is_known_by_its_file_or_its_number(
    name: str, kind: NamedBy, place: int | None
) -> None:
    assert places_of([(name,)], SHIFTED, NameRule("files", "", "", kind)) == [place]


def test_the_exact_name_overrules_a_number_and_a_name_of_two_is_of_none() -> None:
    files = ("1.jpg", "01.jpg", "a/2.jpg", "b/2.jpg")
    records = [ImageRecord(file, file, None, ()) for file in files]
    names = [(name,) for name in ("1", "01", "001", "a/2", "2")]
    rule = NameRule("files", "", "")
    assert places_of(names, records, rule) == [0, 1, None, 2, None]


def test_only_takes_a_whole_line_before_its_first_word(tmp_path: Path) -> None:
    for folder, score in (("truth", ""), ("found", "0.9 ")):
        (tmp_path / folder).mkdir()
        for name in ("holiday photo 1", "holiday photo 2", "000012"):
            (tmp_path / folder / f"{name}.txt").write_text(f"cat {score}10 10 50 50")
    only = tmp_path / "test.txt"
    only.write_text("holiday photo 1\n000012  -1\n")
    scores = score_boxes(Question(tmp_path / "truth", tmp_path / "found", only=only))
    assert [each.image_id for each in scores.paired.images] == ["000012", "holiday photo 1"]


def test_only_names_files_unless_ids_fit_better(shifted: Path, tmp_path: Path) -> None:
    results = results_of(tmp_path / "r.json", {place: 1 + place for place in range(COUNT)})
    only = tmp_path / "test.txt"
    question = Question(shifted, results, rule="voc10", only=only)
    only.write_text("1\n2\n")
    assert [each.image_id for each in score_boxes(question).paired.images] == ["2", "3"]
    only.write_text("1\n4\n")
    with pytest.raises(UnusableBoxesError, match=r"--only must name .* files with their endings"):
        score_boxes(question)
