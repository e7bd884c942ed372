"""Clips that are longer than their videos are warned of."""

from typing import Any

import pytest

from data_pipeline.datasets.settings.boxes import CocoData
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.video.looping import loops_by_counts, loops_by_settings


def films(**clip: Any) -> StreetActionsData:
    return StreetActionsData.model_validate({"clip": clip})


@pytest.mark.parametrize(
    ("clip", "is_said"),
    [({}, False), ({"frames": 32, "stride": 1}, False), ({"frames": 17}, True)],
)
def test_generated_videos_state_their_length(clip: dict[str, int], is_said: bool) -> None:
    assert (loops_by_settings(films(**clip)) is not None) is is_said


def test_warning_says_how_many_are_too_short_and_what_to_do() -> None:
    counts = [40] * 7 + [30, 20, 30]
    settings = films(frames=16, stride=2)
    assert loops_by_counts(settings, counts) == (
        "data.clip.frames 16 and stride 2 span 31 frames, more than 3 of the 10 videos looked at "
        "have (the shortest 20): such a clip starts its video anew, and its motion jumps back; "
        "choose fewer frames or a smaller stride"
    )
    assert loops_by_counts(settings, [40] * 9 + [20]) is None
    assert loops_by_counts(settings, []) is None
    assert loops_by_counts(CocoData.model_validate({"root": "anywhere"}), counts) is None
