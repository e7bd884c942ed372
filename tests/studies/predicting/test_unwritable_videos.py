"""A video whose predictions cannot be written does not keep the others from being predicted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from data_pipeline.video.writing import write_video
from studies.predicting.choosing import ChosenRun
from studies.predicting.video_wishes import Cast, VideoWishes
from studies.predicting.videos import Hooks, predict_videos
from studies.predicting.wishes import Wishes


def test_a_video_that_cannot_be_written_is_skipped(
    untrained: Callable[[str], ChosenRun], tmp_path: Path
) -> None:
    files = [tmp_path / "a.avi", tmp_path / "b.avi"]
    for file in files:
        frames = (np.full((48, 64, 3), number, np.uint8) for number in range(3))
        write_video(file, frames, size_hw=(48, 64), rate=25)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").symlink_to(tmp_path / "nowhere")

    first, second = predict_videos(
        Cast(untrained("object_detection"), None),
        [str(file) for file in files],
        out,
        wishes=VideoWishes(Wishes(least_score=0.01)),
        device=torch.device("cpu"),
        hooks=Hooks(lambda *_: None),
    )
    assert first.record is None
    assert first.note is not None
    assert first.note.startswith(f"cannot write to {out / 'a'}: it is a file")
    assert second.record is not None
    assert (out / "b" / "video.mp4").is_file()
