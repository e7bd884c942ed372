"""Tables of what was found in a video."""

from pathlib import Path

import pytest

from studies.predicting.video_objects import VideoObject
from studies.predicting.video_tables import OBJECTS, TRACKS, VideoTables
from studies.tracking.mot_text import read_mot


def test_a_track_of_almost_no_side_is_read_back(tmp_path: Path) -> None:
    box = (3.0, 4.0, 3.001, 4.004)
    thin = VideoObject(box, box, 0, 0.9, track=1, age=0)
    with VideoTables(tmp_path, (OBJECTS, TRACKS), ["person"]) as tables:
        tables.add_objects(0, 0.0, [thin], positions_m=None)
    boxes = read_mot(tmp_path / TRACKS, "tracks").boxes_xyxy
    assert boxes[0] == pytest.approx([3, 4, 3.01, 4.01])
