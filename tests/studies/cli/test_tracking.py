"""`visionstudy track` and `visionstudy score tracks` as a person or a program uses them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Verb = Callable[..., Result]


def walk(identity: int, frames: range, x: float = 1.0) -> str:
    rows = (f"{frame},{identity},{x + 2 * frame},10,20,60,0.9,-1,-1,-1\n" for frame in frames)
    return "".join(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "det.txt").write_text(walk(-1, range(1, 11)) + walk(-1, range(1, 11), x=90))
    for name in ("A", "B"):
        (tmp_path / "truth" / name / "gt").mkdir(parents=True)
        (tmp_path / "truth" / name / "gt" / "gt.txt").write_text(walk(1, range(1, 11)))
    (tmp_path / "found").mkdir()
    for name in ("A", "B"):
        (tmp_path / "found" / f"{name}.txt").write_text(walk(5, range(1, 9)))
    return tmp_path


def test_tracks_are_written_and_counted(visionstudy: Verb, folder: Path) -> None:
    output = folder / "tracks.txt"
    result = visionstudy("track", str(folder / "det.txt"), "-o", str(output))
    assert result.exit_code == 0, result.output
    assert "2 tracks of 20 boxes, from 20 detections in 10 frames" in result.stdout
    lines = output.read_text().splitlines()
    assert lines[:2] == [
        "1,1,3.00,10.00,20.00,60.00,0.9,-1,-1,-1",
        "1,2,92.00,10.00,20.00,60.00,0.9,-1,-1,-1",
    ]


def test_deepsort_says_that_it_saw_no_pictures(visionstudy: Verb, folder: Path) -> None:
    arguments = ("-o", str(folder / "t.txt"), "--method", "deepsort", "--set", "n_init=1")
    result = visionstudy("track", str(folder / "det.txt"), *arguments)
    assert result.exit_code == 0, result.output
    assert "motion alone was compared" in result.stdout
    assert len((folder / "t.txt").read_text().splitlines()) == 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--method", "deep"), "unknown --method 'deep'; did you mean 'deepsort'?"),
        (("--set", "maxage=2"), "unknown setting of sort 'maxage'; did you mean 'max_age'?"),
        (("--weights", "w.pt"), "--weights has no effect without --pictures"),
        (("--method", "deepsort", "--pictures", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_followed_is_a_sentence_and_exits_2(
    visionstudy: Verb, folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    output = folder / "t.txt"
    result = visionstudy("track", str(folder / "det.txt"), "-o", str(output), *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not output.exists()


def test_a_least_score_that_nothing_reaches_is_said(visionstudy: Verb, folder: Path) -> None:
    arguments = ("-o", str(folder / "t.txt"), "--set", "least_score=50")
    result = visionstudy("track", str(folder / "det.txt"), *arguments)
    assert result.exit_code == 0, result.output
    words = "no detection was followed: least_score is 50, and the largest confidence in "
    assert result.stdout.splitlines()[-1].startswith(words)
    assert " 0.9; lower it by --set" in result.stdout


@pytest.mark.parametrize("name", ["det.txt", "link.txt"])
def test_detections_are_not_written_over(visionstudy: Verb, folder: Path, name: str) -> None:
    (folder / "link.txt").symlink_to(folder / "det.txt")
    before = (folder / "det.txt").read_bytes()
    result = visionstudy("track", str(folder / "det.txt"), "-o", str(folder / name))
    assert result.exit_code == 2
    assert "--output must be another file than" in result.stderr
    assert (folder / "det.txt").read_bytes() == before


def test_a_table_has_a_row_per_sequence_and_one_of_all(visionstudy: Verb, folder: Path) -> None:
    (folder / "found" / "B.txt").write_text(walk(5, range(1, 6)) + walk(6, range(6, 11)))
    result = visionstudy("score", "tracks", str(folder / "truth"), str(folder / "found"))
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["sequence"][:5] == ["MOTA", "MOTP", "IDF1", "recall", "precision"]
    assert rows["sequence"][5:] == ["FP", "FN", "IDs", "FM", "MT", "ML"]
    assert rows["A"][-6:] == ["0", "2", "0", "0", "1", "0"]
    assert rows["B"][0] == "0.9000"
    assert rows["B"][-6:] == ["0", "0", "1", "0", "1", "0"]
    assert rows["all"][0] == "0.8500"


def test_json_holds_what_help_says(visionstudy: Verb, folder: Path) -> None:
    arguments = ("score", "tracks", str(folder / "truth"), str(folder / "found"), "--json")
    content = json.loads(visionstudy(*arguments).stdout)
    words = visionstudy("score", "tracks", "--help").stdout
    assert all(f'"{name}"' in words for name in content)
    assert (content["iou"], content["true_boxes"], content["objects"]) == (0.5, 20, 2)
    assert content["metrics"]["mota"] == pytest.approx(0.8)
    assert [each["name"] for each in content["sequences"]] == ["A", "B"]
    assert content["sequences"][0]["metrics"]["misses"] == 2


def test_a_file_is_scored_against_a_file(visionstudy: Verb, folder: Path) -> None:
    truth = str(folder / "truth" / "A" / "gt" / "gt.txt")
    result = visionstudy("score", "tracks", truth, str(folder / "found" / "B.txt"), "--json")
    assert [each["name"] for each in json.loads(result.stdout)["sequences"]] == ["A"]
    assert result.exit_code == 0


def test_what_has_no_counterpart_is_named_and_exits_1(visionstudy: Verb, folder: Path) -> None:
    (folder / "found" / "B.txt").rename(folder / "found" / "C.txt")
    arguments = ("score", "tracks", str(folder / "truth"), str(folder / "found"))
    result = visionstudy(*arguments)
    assert result.exit_code == 1
    assert "without a file of tracks, scored as nothing found: B" in result.stdout
    assert "tracks of no sequence of the truth, not scored: C" in result.stdout
    content = json.loads(visionstudy(*arguments, "--json").stdout)
    assert (content["missing"], content["extra"]) == (["B"], ["C"])
    assert content["metrics"]["recall"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("truth", "found", "words"),
    [
        ("truth", "found/A.txt", "must be a folder with a file for each of the 2 sequences"),
        ("truth", "truth", "must be a file of tracks or a folder of SEQUENCE.txt, got neither"),
        ("nowhere", "found", "must be a file of true objects, or a folder of SEQUENCE/gt/gt.txt"),
        ("truth/A", "wrong.txt", "wrong.txt:1 must be numbers"),
        ("truth/A", "others", "must hold tracks of a sequence of"),
        ("empty.txt", "found/A.txt", "must hold a box whose confidence is not 0, got none"),
    ],
)
def test_what_cannot_be_scored_is_a_sentence_and_exits_2(
    visionstudy: Verb, folder: Path, truth: str, found: str, words: str
) -> None:
    (folder / "wrong.txt").write_text("no numbers\n")
    (folder / "empty.txt").write_text("")
    (folder / "others").mkdir()
    (folder / "others" / "Z.txt").write_text("")
    result = visionstudy("score", "tracks", str(folder / truth), str(folder / found))
    assert result.exit_code == 2, result.output
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_iou_that_cannot_be_is_refused(visionstudy: Verb, folder: Path) -> None:
    folders = (str(folder / "truth"), str(folder / "found"))
    result = visionstudy("score", "tracks", *folders, "--iou", "0")
    assert result.exit_code == 2
    assert "--iou must be above 0 and at most 1, got 0" in result.stderr
