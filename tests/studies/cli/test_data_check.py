"""`visionstudy data check` as a person or a program uses it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import Result

from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.datasets.street_scenes import drawn_scenes

Verb = Callable[..., Result]
SCENES = {"images": 20, "picture_width": 96, "picture_height": 72}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of drawn scenes in the layout of COCO."""
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    return drawn_scenes(StreetScenesData.model_validate(SCENES | {"drawn_in": tmp_path}))


@pytest.fixture
def check(visionstudy: Verb, root: Path) -> Verb:
    """Return a function that checks the scenes as a COCO dataset."""

    def run(*arguments: str) -> Result:
        names = ["annotations=instances_{split}.json", "images='{split}'"]
        given = [part for name in names for part in ("--set", name)]
        return visionstudy("data", "check", "coco", "--root", str(root), *given, *arguments)

    return run


def pictures(root: Path, split: str = "train") -> list[Path]:
    return sorted((root / split).glob("*.jpg"))


def found(result: Result) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_sound_data_exits_0(check: Verb) -> None:
    result = check()
    assert result.exit_code == 0, result.output
    assert "13 train, 3 val and 4 test images, all usable" in result.stdout


def test_what_is_left_out_is_a_table_and_exits_1(check: Verb, root: Path) -> None:
    broken = pictures(root)[0]
    broken.write_text("no picture")
    result = check()
    assert result.exit_code == 1
    [row] = [line for line in result.stdout.splitlines() if line.startswith("undecodable")]
    assert row.split()[1:4] == ["1", "left", "out"]
    assert str(int(broken.stem)) in row
    assert "12 of 13 train, 3 of 3 val and 4 of 4 test images are usable" in result.stdout


def test_a_picture_in_two_splits_is_named_and_exits_1(check: Verb, root: Path) -> None:
    train, val = pictures(root)[0], pictures(root, "val")[0]
    val.write_bytes(train.read_bytes())
    result = check()
    assert result.exit_code == 1
    words = f"train {int(train.stem)} and val {int(val.stem)} are the same"
    assert words in result.stdout
    assert check("--no-leaks").exit_code == 0


def test_a_group_that_the_datasets_own_split_cuts_is_shown_and_exits_0(
    visionstudy: Verb, real_data: Path
) -> None:
    result = visionstudy("data", "check", "camvid", "--root", str(real_data / "camvid_mini"))
    assert "belong to one group, 0016E5" in result.stdout
    assert result.exit_code == 0


def test_what_every_dataset_has_exits_0(visionstudy: Verb, real_data: Path) -> None:
    root = str(real_data / "coco_mini")
    result = visionstudy("data", "check", "coco", "--root", root, "--no-leaks")
    assert "no annotation" in result.stdout
    assert "crowd" in result.stdout
    assert result.exit_code == 0


def test_json_holds_every_finding(check: Verb, root: Path) -> None:
    broken = pictures(root)[0]
    broken.write_text("no picture")
    content = found(check("--json"))
    assert list(content) == [
        "dataset",
        "task",
        "splits",
        "faults",
        "classes",
        "leaks",
        "warnings",
    ]
    image_id = str(int(broken.stem))
    assert content["task"] == "object_detection"
    assert content["splits"][0] == {
        "name": "train",
        "samples": 13,
        "usable": 12,
        "left_out": [image_id],
    }
    [fault] = [fault for fault in content["faults"] if fault["leaves_out"] == "sample"]
    assert (fault["kind"], fault["split"], fault["where"]) == ("undecodable", "train", image_id)
    assert content["leaks"] == []
    assert {row["name"] for row in content["classes"]} >= {"car", "person"}


def test_json_says_when_leaks_were_not_looked_for(check: Verb) -> None:
    assert found(check("--json", "--no-leaks"))["leaks"] is None


def test_page_is_written_where_asked(check: Verb, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "data.html"
    result = check("-o", str(page))
    assert f"page: {page}" in result.stdout
    assert "<title>coco · data check</title>" in page.read_text()


def test_a_study_is_checked_before_its_limits(
    visionstudy: Verb, root: Path, tmp_path: Path
) -> None:
    study = {
        "study": "scenes",
        "task": "semantic_segmentation",
        "data": {
            "dataset": "coco",
            "root": str(root),
            "annotations": "instances_{split}.json",
            "images": "{split}",
            "limit": {"train": 2, "val": 1, "test": 1},
        },
        "model": {"name": "noop"},
        "objective": {"metric": "val/iou"},
        "search": {"tree": [{"stage": "rate", "vary": {"training.learning_rate": [0.1, 0.2]}}]},
    }
    file = tmp_path / "scenes.yaml"
    YAML().dump(study, file)
    content = found(visionstudy("data", "check", str(file), "--json"))
    assert content["task"] == "semantic_segmentation"
    assert [split["samples"] for split in content["splits"]] == [13, 3, 4]


def test_the_choice_of_split_is_warned_of(
    visionstudy: Verb, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    result = visionstudy(
        "data",
        "check",
        "ucf101",
        "--root",
        str(real_data / "ucf101_mini"),
        "--set",
        "split.policy=random",
        "--json",
    )
    [warning] = found(result)["warnings"]
    assert "0.85" in warning
    assert "0.54" in warning


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cocoo"], "unknown dataset 'cocoo'; did you mean 'coco'?"),
        (["coco"], "root: 'root' is required but missing"),
        (["coco", "--root", "/nowhere"], "data.root /nowhere must be a folder"),
        (["street_scenes", "--root", "."], "dataset 'street_scenes' lies in no folder of yours"),
        (["ucf101", "--root", ".", "--set", "splitlist=2"], "did you mean 'split_list'?"),
        (["ucf101", "--root", ".", "--set", "split_list"], "must be written setting=value"),
        (["camvid", "--root", ".", "--task", "detection"], "unknown task of dataset 'camvid'"),
        (["study.yaml", "--root", "."], "--root and --task go with a dataset's name"),
    ],
)
def test_what_cannot_be_checked_exits_2(
    visionstudy: Verb, root: Path, arguments: list[str], message: str
) -> None:
    assert root.is_dir()  # and the workspace is not the checkout's
    result = visionstudy("data", "check", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
