"""`visionstudy score detections` as a person or a program uses it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Verb = Callable[..., Result]


def write(folder: Path, **lines: str) -> Path:
    folder.mkdir()
    for name, content in lines.items():
        (folder / f"{name}.txt").write_text(content)
    return folder


@pytest.fixture
def score(visionstudy: Verb, tmp_path: Path) -> Verb:
    """Return a function that scores text files of two pictures."""
    write(tmp_path / "truth", a="car 0 0 10 10\nbus 20 0 40 10", b="car 5 5 25 25")
    write(tmp_path / "found", a="car 0.9 0 0 10 10\ncar 0.4 50 50 60 60", b="car 0.8 5 5 25 25")

    def run(*arguments: str) -> Result:
        folders = (str(tmp_path / "truth"), str(tmp_path / "found"))
        return visionstudy("score", "detections", *folders, *arguments)

    return run


def test_a_table_names_formats_rule_and_classes_and_exits_0(score: Verb) -> None:
    result = score("--rule", "voc10")
    assert result.exit_code == 0, result.output
    assert "truth: text lines of class and corners; predictions: text lines" in result.stdout
    assert "rule voc10, IoU 0.5: 2 pictures, 3 true boxes, 3 detections" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["car", "1.0000", "2", "0", "3"] in rows
    assert ["bus", "0.0000", "1", "0", "0"] in rows
    assert ["voc10_map", "0.5000"] in rows


def test_json_holds_what_help_says(score: Verb, visionstudy: Verb) -> None:
    content = json.loads(score("--json", "--threshold", "0.5", "--errors").stdout)
    words = visionstudy("score", "detections", "--help").stdout
    assert all(f'"{name}"' in words for name in content)
    assert (content["rule"], content["iou"], content["images"]) == ("coco", "0.50:0.95", 2)
    assert content["metrics"]["ap"] == pytest.approx(0.5)
    assert (content["metrics"]["precision"], content["metrics"]["recall"]) == (1.0, 2 / 3)
    assert content["confusion"]["labels"] == ["bus", "car", "background"]
    assert content["confusion"]["counts"] == [[0, 0, 1], [0, 2, 0], [0, 0, 0]]
    assert content["errors"]["errors"][-1] == {
        "kind": "missed",
        "count": 1,
        "ap50_gain": pytest.approx(0.5),
    }


def test_tables_of_decisions_and_errors_are_there_when_asked_for(score: Verb) -> None:
    result = score("--threshold", "0.5", "--errors")
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["car", "1.0000", "1.0000", "1.0000"] in rows
    assert ["background", "1", "0.0000"] in rows


def test_what_has_no_counterpart_is_named_and_exits_1(score: Verb, tmp_path: Path) -> None:
    found = tmp_path / "found"
    (found / "b.txt").rename(found / "c.txt")
    (found / "a.txt").write_text("Car 0.9 0 0 10 10\nbus 0.8 20 0 40 10\nzebra 0.7 0 0 9 9\n")
    result = score()
    assert result.exit_code == 1
    assert "1 picture without a file of detections, scored as nothing found: b" in result.stdout
    assert "detections in 1 picture that the truth does not have, not scored: c" in result.stdout
    assert "1 detection of 'Car', which is no class of the truth" in result.stdout
    assert "did you mean 'car'?" in result.stdout
    assert "classes that the truth does not have, not scored: 'zebra' (1)" in result.stdout
    content = json.loads(score("--json").stdout)
    assert content["missing"] == ["b"]
    assert content["extra"] == ["c"]
    assert content["unknown_classes"][0] == {"name": "Car", "detections": 1, "meant": "car"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rule", "voc7"), "unknown --rule 'voc7'; did you mean 'voc07'?"),
        (("--iou", "0"), "--iou must be above 0 and at most 1, got 0"),
        (("--threshold", "1.5"), "--threshold must be from 0 to 1, got 1.5"),
        (("--found-format", "yolo"), "must be 'class x y w h'"),
        (("--gt-corners", "edge"), "unknown --gt-corners 'edge'; did you mean 'edges'?"),
        (("--classes", "nowhere.names"), "cannot read nowhere.names"),
        (("--found-classes", "nowhere.names"), "--found-classes: cannot read nowhere.names"),
        (("--found-names", "file"), "unknown --found-names 'file'; did you mean 'files'?"),
    ],
)
def test_what_is_wrong_is_a_sentence_and_exits_2(
    score: Verb, arguments: tuple[str, ...], words: str
) -> None:
    result = score(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_yolo_without_scores_is_said(visionstudy: Verb, tmp_path: Path) -> None:
    truth = write(tmp_path / "truth", a="0 0.5 0.5 0.2 0.2")
    found = write(tmp_path / "found", a="0 0.5 0.5 0.2 0.2")
    result = visionstudy("score", "detections", str(truth), str(found), "--rule", "voc07")
    assert result.exit_code == 0, result.output
    assert "1 detection without a score, counted as 1" in result.stdout


def test_a_group_is_scored_by_the_rule_of_open_images(
    real_data: Path, visionstudy: Verb, tmp_path: Path
) -> None:
    """The true boxes of real pictures, fed back as detections, are all found."""
    folder = real_data / "openimages_from_coco"
    rows = (folder / "validation-annotations-bbox.csv").read_text().splitlines()
    names = dict(
        line.split(",", 1)
        for line in (folder / "class-descriptions-boxable.csv").read_text().splitlines()
    )
    found = tmp_path / "found"
    found.mkdir()
    numbers = {label: number for number, label in enumerate(names)}
    for row in rows[1:]:
        name, _, label, _, x1, x2, y1, y2 = row.split(",")[:8]
        left, right, top, bottom = map(float, (x1, x2, y1, y2))
        box = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        with (found / f"{name}.txt").open("a") as stream:
            stream.write(f"{numbers[label]} {' '.join(map(str, box))} 0.9\n")
    classes = tmp_path / "classes.names"
    classes.write_text("\n".join(names.values()))
    arguments = (str(folder / "validation-annotations-bbox.csv"), str(found))
    result = visionstudy(
        "score", "detections", *arguments, "--classes", str(classes), "--rule", "open_images"
    )
    assert result.exit_code == 0, result.output
    assert "open_images_map  1.0000" in result.stdout
