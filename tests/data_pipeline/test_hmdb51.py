"""HMDB51: official lists per class, real clips, groups out of the names."""

from pathlib import Path

import numpy as np
import pytest

from data_pipeline.catalog import check_data, class_names, data_fingerprint
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.hmdb51 import build, official_clips
from data_pipeline.datasets.settings.videos import HMDB51Data
from data_pipeline.errors import MissingDataError

TASK = "action_recognition"


@pytest.fixture
def settings(real_data: Path) -> HMDB51Data:
    return HMDB51Data(root=real_data / "hmdb51_mini")


def listed(settings: HMDB51Data, split: str = "train") -> Dataset:
    dataset = build(settings, TASK, split)  # type: ignore[arg-type]  # one of the three names
    assert dataset is not None
    return dataset


def test_real_clips_are_in_the_splits_that_the_lists_say(settings: HMDB51Data) -> None:
    assert check_data(settings) == []
    assert class_names(settings) == ("cartwheel", "wave")
    lists = settings.root / "testTrainMulti_7030_splits"
    for number in (1, 2, 3):
        chosen = settings.model_copy(update={"split_list": number})
        for split, mark in (("train", " 1 "), ("test", " 2 ")):
            lines = [
                line
                for name in ("cartwheel", "wave")
                for line in (lists / f"{name}_test_split{number}.txt").read_text().splitlines()
            ]
            expected = {
                file.stem for file in settings.root.rglob("*.avi") if f"{file.name}{mark}" in lines
            }
            found = {item.image_id.partition("/")[2] for item in listed(chosen, split).items}
            assert found == expected
        assert build(chosen, TASK, "val") is None


def test_clips_of_every_size_decode(settings: HMDB51Data) -> None:
    items = [*listed(settings).items, *listed(settings, "test").items]
    shapes = {
        item.frames(np.array([0]), 48).shape[1:3]  # type: ignore[attr-defined]
        for item in items
    }
    assert shapes <= {(48, 64), (48, 86), (48, 112)}
    assert len(shapes) > 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_official_lists_share_no_group_and_leave_out_what_is_unused(
    settings: HMDB51Data, number: int
) -> None:
    clips = official_clips(settings.model_copy(update={"split_list": number}))
    assert len(clips) == 2 * (70 + 30)  # 0 stands after the others
    train, test = clips[:140], clips[140:]
    assert not {clip.group for clip in train} & {clip.group for clip in test}
    assert len({clip.group for clip in clips}) > 90


def test_a_group_is_a_source_video_and_an_action(settings: HMDB51Data) -> None:
    groups = {clip.image_id: clip.group for clip in official_clips(settings)}
    competition = {name for name in groups if name.startswith("cartwheel/Cartwheel_Competition_")}
    assert len(competition) == 5
    assert {groups[name] for name in competition} == {"cartwheel/Cartwheel_Competition_cartwheel"}


def test_absent_clips_are_counted(settings: HMDB51Data) -> None:
    absent = [listed(settings, split).faults[0] for split in ("train", "test")]
    present = sum(len(listed(settings, split)) for split in ("train", "test"))
    assert sum(fault.count for fault in absent) == 200 - present
    assert all(fault.kind == "absent" for fault in absent)


def test_a_line_that_names_no_clip_is_reported_once(tmp_path: Path) -> None:
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    (lists / "wave_test_split1.txt").write_text(
        "A_b_wave_f_nm_np1_fr_goo_1.avi 1 \nclip.avi 1\nC_wave_h_cm_np2_ba_bad_0.avi 3\n"
    )
    train, test = (listed(HMDB51Data(root=tmp_path), split) for split in ("train", "test"))
    assert [(f.kind, f.count) for f in train.faults] == [("malformed", 2), ("absent", 1)]
    assert test.faults == ()
    assert train.faults[0].message.startswith("wave_test_split1.txt:2 must be")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    [problem] = check_data(HMDB51Data(root=tmp_path / "nowhere"))
    assert "must be HMDB51's folder" in problem
    [problem] = check_data(HMDB51Data(root=tmp_path))
    assert "must hold a list such as wave_test_split1.txt per class" in problem
    with pytest.raises(MissingDataError):
        class_names(HMDB51Data(root=tmp_path))


def test_fingerprint_is_that_of_one_split_list(settings: HMDB51Data) -> None:
    prints = {
        data_fingerprint(settings.model_copy(update={"split_list": number}))
        for number in (1, 2, 3)
    }
    assert len(prints) == 3
