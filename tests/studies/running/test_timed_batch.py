"""A training step is timed together with the decoding of what it is given."""

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data_pipeline.datasets.listed_videos import VideoClip
from studies.running.forecast import TimedBatch
from studies.running.timed_batch import measure
from studies.spec.schema import CellSettings

PAUSE_S = 0.05


def test_decoding_is_timed_for_a_clip_and_for_a_whole_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = VideoClip.frames

    def slowly(self: VideoClip, indices: NDArray[np.int64], side: int) -> NDArray[np.uint8]:
        time.sleep(PAUSE_S)
        return frames(self, indices, side)

    monkeypatch.setattr(VideoClip, "frames", slowly)
    data = {
        "dataset": "street_actions",
        "actions": "motion_only",
        "groups": 3,
        "videos_per_group": 1,
        "video_frames": 6,
        "video_width": 64,
        "video_height": 64,
        "image_size": 48,
        "drawn_in": str(tmp_path),
        "clip": {"frames": 3, "stride": 1, "views": 2},
        "workers": 0,
    }
    model = {"name": "single_frame", "width": 0.5, "grid": 1}
    training = {"batch_size": 2}
    settings = CellSettings.model_validate(
        {"data": data, "model": model, "training": training, "evaluation": {}}
    )
    timed = TimedBatch(**measure("action_recognition", settings))
    assert (timed.images, timed.frames, timed.scored, timed.loaders) == (2, 3, 2, 1)
    assert timed.fetch_s >= PAUSE_S
    assert timed.keep_s == pytest.approx(2 * timed.fetch_s)
