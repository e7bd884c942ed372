"""Broken pictures are found before a trial starts, and left out or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_pipeline.catalog import prepare_data
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.datasets.street_scenes import drawn_scenes
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.source import open_data
from studies.running.data_preflight import preflight
from studies.running.progress import Snapshot
from studies.spec.schema import StudySpec

STAGE = {"stage": "rate", "vary": {"training.learning_rate": [1e-2, 1e-3]}}
TASK = "semantic_segmentation"
Prepare = Callable[..., StudySpec]


class Said:
    """A view that remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def update(self, snapshot: Snapshot) -> None:
        raise AssertionError(f"no trial runs yet: {snapshot}")

    def close(self) -> None:
        pass


@pytest.fixture
def scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the data section of a study of a few drawn scenes."""
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path / "runs"))
    return {
        "dataset": "street_scenes",
        "images": 20,
        "picture_width": 96,
        "picture_height": 72,
        "image_size": 32,
        "drawn_in": str(tmp_path / "scenes"),
    }


@pytest.fixture
def prepared(make_spec: Callable[..., StudySpec], scenes: dict[str, Any]) -> Prepare:
    """Return a function that makes a study whose scenes are drawn."""

    def prepare(**changes: object) -> StudySpec:
        spec = make_spec(STAGE, data=scenes | changes)
        prepare_data(spec.data)
        return spec

    return prepare


@pytest.mark.parametrize(("frames", "is_said"), [(3, False), (9, True)])
def test_clips_longer_than_many_videos_are_said_and_recorded(
    frames: int, is_said: bool, make_spec: Callable[..., StudySpec], tmp_path: Path
) -> None:
    films = {
        "dataset": "street_actions",
        "actions": "motion_only",
        "groups": 3,
        "videos_per_group": 1,
        "video_frames": 4,
        "video_width": 64,
        "video_height": 64,
        "drawn_in": str(tmp_path),
        "clip": {"frames": 3, "stride": 1},
    }
    stage = {"stage": "frames", "vary": {"data.clip.frames": [2, frames]}}
    spec = make_spec(
        stage,
        data=films,
        task="action_recognition",
        model={"name": "constant"},
        training={},
        objective={"metric": "val/top1", "direction": "maximize"},
    )
    said = Said()
    facts = preflight(spec, tmp_path / "data.html", said)
    expected = "span 9 frames, more than 4 of the 4 videos looked at have (the shortest 4)"
    assert (expected in facts.get("clip_warning", "")) is is_said
    assert any(expected in line for line in said.lines) is is_said


def pictures(spec: StudySpec, split: str) -> list[Path]:
    assert isinstance(spec.data, StreetScenesData)
    return sorted((drawn_scenes(spec.data) / split).glob("*.jpg"))


def cut_off(*files: Path) -> None:
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def test_nothing_is_left_out_of_sound_data(prepared: Prepare, tmp_path: Path) -> None:
    view = Said()
    facts = preflight(prepared(), tmp_path / "data.html", view)
    assert facts["data_left_out"] == "none of 20 images"
    assert view.lines == ["checking that 20 images can be decoded"]
    assert not (tmp_path / "data.html").exists()


def test_second_preflight_is_silent(prepared: Prepare, tmp_path: Path) -> None:
    spec, view = prepared(), Said()
    preflight(spec, tmp_path / "data.html", Said())
    preflight(spec, tmp_path / "data.html", view)
    assert view.lines == []


def test_a_broken_picture_is_named_counted_and_shown(prepared: Prepare, tmp_path: Path) -> None:
    spec, view, page = prepared(), Said(), tmp_path / "data.html"
    broken = pictures(spec, "train")[0]
    cut_off(broken)
    facts = preflight(spec, page, view)
    image_id = str(int(broken.stem))
    counts = "1 of 13 train, 0 of 3 val, 0 of 4 test images (1 truncated)"
    assert facts["data_left_out"] == counts
    assert view.lines[-1] == (
        f"1 of 20 images cannot be used and are left out: {image_id} (truncated); see {page}"
    )
    assert image_id in page.read_text()


def test_trials_leave_out_what_the_preflight_did(prepared: Prepare, tmp_path: Path) -> None:
    spec = prepared()
    broken = pictures(spec, "train")[0]
    cut_off(broken)
    preflight(spec, tmp_path / "data.html", Said())
    loader = open_data(spec.data, TASK, seed=0).training(4)
    assert loader.images == 12


def test_a_split_that_is_mostly_broken_is_refused(prepared: Prepare, tmp_path: Path) -> None:
    spec, page = prepared(), tmp_path / "data.html"
    cut_off(pictures(spec, "val")[0])
    with pytest.raises(InvalidDataError) as caught:
        preflight(spec, page, Said())
    assert str(caught.value) == (
        "at least 80% of split 'val' of dataset 'street_scenes' must be usable, got 2 of 3 "
        f"images; restore the others, which {page} names"
    )
    assert page.is_file()


def test_only_pictures_that_are_used_matter(prepared: Prepare, tmp_path: Path) -> None:
    limit = {"train": 3, "val": 2, "test": 1}
    spec = prepared(limit=limit)
    used = {
        image_id
        for name in ("train", "val", "test")
        for image_id in open_data(spec.data, TASK, seed=0, examines=False).image_ids(name)
    }
    unused = [
        file
        for name in ("train", "val", "test")
        for file in pictures(spec, name)
        if str(int(file.stem)) not in used
    ]
    cut_off(*unused)
    facts = preflight(spec, tmp_path / "data.html", Said())
    assert facts["data_left_out"] == "none of 6 images"


def test_one_model_per_class_checks_the_pictures_of_all_classes(
    prepared: Prepare, tmp_path: Path
) -> None:
    classes = ["bus", "stop sign"]
    spec = prepared(classes=classes, one_model_per_class=True, limit={"train": 2})
    together = {
        image_id
        for name in classes
        for split in ("train", "val", "test")
        for image_id in open_data(
            spec.data.model_copy(update={"classes": [name]}), TASK, seed=0, examines=False
        ).image_ids(split)
    }
    facts = preflight(spec, tmp_path / "data.html", Said())
    assert facts["data_left_out"] == f"none of {len(together)} images"


def test_a_class_without_a_picture_for_its_own_model_is_named(
    prepared: Prepare, tmp_path: Path
) -> None:
    # Of 12 scenes none in the training split shows a bus.
    spec = prepared(images=12, classes=["car", "bus"], one_model_per_class=True)
    with pytest.raises(
        MissingDataError, match="there is none with 'bus' in split 'train'; remove"
    ):
        preflight(spec, tmp_path / "data.html", Said())


def test_a_class_whose_only_pictures_are_damaged_is_named(
    prepared: Prepare, tmp_path: Path
) -> None:
    spec = prepared(classes=["car", "bus"], one_model_per_class=True)
    of_buses = spec.data.model_copy(update={"classes": ["bus"], "one_model_per_class": False})
    (bus,) = open_data(of_buses, TASK, seed=0, examines=False).dataset("train").items
    cut_off(bus.files[0])
    with pytest.raises(MissingDataError, match="'bus' in split 'train'"):
        preflight(spec, tmp_path / "data.html", Said())


def test_one_model_for_all_classes_may_lack_pictures_of_one(
    prepared: Prepare, tmp_path: Path
) -> None:
    preflight(prepared(images=12, classes=["car", "bus"]), tmp_path / "data.html", Said())


def test_a_split_without_any_picture_is_refused(prepared: Prepare, tmp_path: Path) -> None:
    spec = prepared(images=3)  # too few for validation to have one
    with pytest.raises(MissingDataError, match="split 'val' of dataset 'street_scenes' must hold"):
        preflight(spec, tmp_path / "data.html", Said())


def test_a_split_that_leaks_is_said_and_recorded(
    make_spec: Callable[..., StudySpec], real_data: Path, tmp_path: Path
) -> None:
    data = {"dataset": "camvid", "root": str(real_data / "camvid_mini"), "image_size": 32}
    view = Said()
    spec = make_spec(STAGE, data=data | {"split": {"policy": "random"}})
    facts = preflight(spec, tmp_path / "data.html", view)
    assert "puts frames of one drive" in view.lines[0]
    assert facts["split_warning"] == view.lines[0]


def test_a_study_without_data_has_nothing_to_check(
    make_spec: Callable[..., StudySpec], tmp_path: Path
) -> None:
    assert preflight(make_spec(STAGE), tmp_path / "data.html", Said()) == {}


@pytest.mark.slow
def test_a_launch_says_and_records_what_it_leaves_out(
    workshop: Callable[[dict[str, Any]], Any], noop_study: dict[str, Any], prepared: Prepare
) -> None:
    spec = prepared()
    cut_off(pictures(spec, "train")[0])
    noop_study["data"] = spec.data.model_dump(mode="json")
    noop_study["search"]["tree"] = noop_study["search"]["tree"][:1]
    made = workshop(noop_study)
    output = made.launch()
    assert "1 of 20 images cannot be used and are left out" in output
    assert (made.runs / "studies" / made.name / "data.html").is_file()
    assert made.record().environment["data_left_out"].startswith("1 of 13 train")
    assert "1 of 13 train" in (made.runs / "studies" / made.name / "report.html").read_text()


@pytest.mark.slow
def test_a_launch_on_broken_data_starts_no_trial(
    workshop: Callable[[dict[str, Any]], Any], noop_study: dict[str, Any], prepared: Prepare
) -> None:
    spec = prepared()
    cut_off(*pictures(spec, "val"))
    noop_study["data"] = spec.data.model_dump(mode="json")
    made = workshop(noop_study)
    output = made.launch(exit_code=2)
    assert "must be usable, got 0 of 3 images" in output
    assert made.trial_folders() == []


@pytest.mark.slow
def test_a_launch_goes_on_with_no_other_pictures_than_it_began_with(
    workshop: Callable[[dict[str, Any]], Any], noop_study: dict[str, Any], prepared: Prepare
) -> None:
    spec = prepared()
    noop_study["data"] = spec.data.model_dump(mode="json")
    noop_study["search"]["tree"] = noop_study["search"]["tree"][:1]
    made = workshop(noop_study)
    made.launch()
    cut_off(pictures(spec, "train")[0])
    output = made.launch(exit_code=2)
    assert "images left out" in output
    assert "none of 20 images" in output
    assert "1 of 13 train" in output
