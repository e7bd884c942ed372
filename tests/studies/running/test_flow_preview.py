"""The preview of a study with optical flow draws the motion of a clip's frames."""

from pathlib import Path

import pytest

from data_pipeline.datasets.settings.generated import StreetActionsData
from studies.running.data_preview import PreviewOrder, preview_record, settings_in_words


def test_motion_is_drawn_after_the_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISIONSTUDY_WORKSPACE", str(tmp_path))
    settings = StreetActionsData.model_validate(
        {
            "actions": "motion_only",
            "groups": 3,
            "videos_per_group": 1,
            "video_frames": 6,
            "video_width": 64,
            "video_height": 64,
            "image_size": 32,
            "workers": 0,
            "clip": {"frames": 3, "flow": {"bound": 5}},
        }
    )
    order = PreviewOrder("demo", "base settings", batch_size=2, samples=1, epochs=1)
    record = preview_record(settings, "action_recognition", order)
    view = record.samples[0].views[-1]
    assert {frame.shape for frame in view.frames} == {(32, 32, 3)}
    assert len(view.frames) == 6
    assert view.note.startswith("3 of 3 frames, then the motion of each")
    assert any(frame.any() for frame in view.frames[3:])
    words = dict(settings_in_words(settings))
    assert "dis" in words["flow"]
    assert "5" in words["flow"]
