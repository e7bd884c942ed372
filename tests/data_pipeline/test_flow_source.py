"""Clips with flow from a data source: kept once for each form."""

from pathlib import Path
from typing import Any

import pytest
import torch

from data_pipeline.cache import cache_folder
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.samples import ClipBatch
from data_pipeline.source import open_data

TASK = "action_recognition"


@pytest.fixture(autouse=True)
def _kept_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


def films(folder: Path, *, cache: str = "auto", **clip: Any) -> StreetActionsData:
    values = {
        "actions": "motion_only",
        "groups": 3,
        "videos_per_group": 1,
        "video_frames": 6,
        "video_width": 64,
        "video_height": 64,
        "image_size": 32,
        "drawn_in": folder,
        "cache": cache,
        "workers": 0,
        "clip": {"frames": 3, "stride": 1, **clip},
    }
    return StreetActionsData.model_validate(values)


def batch(settings: StreetActionsData) -> ClipBatch:
    [first] = open_data(settings, TASK, 3, examines=False).training(64).epoch(2)
    assert isinstance(first, ClipBatch)
    return first


def kept_forms() -> int:
    return sum(entry.is_dir() for entry in (cache_folder() / "samples").iterdir())


def test_kept_flow_is_that_of_decoded_clips(folder: Path) -> None:
    kept = batch(films(folder, flow={}))
    decoded = batch(films(folder, flow={}, cache="off"))
    assert kept.video_ids == decoded.video_ids
    assert kept.clips.shape[1:] == (5, 3, 32, 32)
    assert torch.equal(kept.clips, decoded.clips)
    assert torch.equal(kept.clips[:, :3], batch(films(folder)).clips)
    assert (kept.clips[:, 3:] != 128).any()


def test_each_form_of_flow_is_kept_for_itself(folder: Path) -> None:
    forms: list[dict[str, Any]] = [
        {},
        {"flow": {}},
        {"flow": {"method": "farneback"}},
        {"flow": {"bound": 5}},
        {"flow": {}, "stride": 2},
    ]
    for count, clip in enumerate(forms, start=1):
        batch(films(folder, **clip))
        assert kept_forms() == count
    batch(films(folder, stride=2))  # colours alone do not depend on the stride
    batch(films(folder, flow={}, frames=2))
    assert kept_forms() == len(forms)
