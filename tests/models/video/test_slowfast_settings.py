import re
from typing import Any

import pytest
from pydantic import ValidationError

from models.entries import ClipShape
from models.video.slowfast_settings import (
    FastOnlySettings,
    PathwaySettings,
    SlowFastSettings,
    SlowOnlySettings,
    pathway_size_rule,
    single_clip_rule,
    slowfast_clip_rule,
)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 5}, "alpha must divide slow_stride 16, so that the Fast pathway sees every"),
        (
            {"width": 20},
            "width x beta must be a whole number, the Fast pathway's channels; got 20",
        ),
        ({"width": 4}, "got 4 x 0.125 = 0.5; use beta 1/8 with a width that is a multiple of 8"),
        (
            {"lateral": "none", "lateral_kernel": 7},
            "lateral_kernel has no effect with lateral 'none'; remove it or use lateral "
            "'convolution'",
        ),
        (
            {"form": "thesis", "lateral": "time_to_channel"},
            "form 'thesis' has lateral 'convolution', got 'time_to_channel'; use form 'paper'",
        ),
        (
            {"lateral": "time_to_channel_sum", "alpha": 4},
            "needs alpha x beta = 1, so that both pathways have as many channels; got 4 x 0.125; "
            "use 'time_to_channel'",
        ),
        ({"temporal_depth": 50}, "temporal_depth 50 has no effect with depth 50"),
        ({"temporal_depth": 101}, "temporal_depth must be below depth 50, got 101"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        SlowFastSettings.model_validate(settings)


def test_depths_that_differ_where_nothing_is_seen_over_time_are_refused() -> None:
    with pytest.raises(ValidationError, match="temporal_depth 152 has no effect with depth 200"):
        SlowOnlySettings(depth=200, temporal_depth=152)
    assert FastOnlySettings(depth=200, temporal_depth=152).temporal_blocks(0) == (3, 8, 36, 3)


@pytest.mark.parametrize(
    ("settings", "frames", "message"),
    [
        ({}, 64, None),
        ({"slow_frames": 8, "slow_stride": 8}, 64, None),
        ({"slow_frames": 4, "slow_stride": 4, "alpha": 4}, 16, None),
        (
            {},
            32,
            "clips of slowfast must have slow_frames x slow_stride = 4 x 16 = 64 frames, got 32; "
            "use data.clip.frames 64 or model.slow_stride 8",
        ),
        ({}, 16, "= 64 frames, got 16; use data.clip.frames 64"),  # a stride of 4: not by alpha
        ({}, 63, "= 64 frames, got 63; use data.clip.frames 64"),
        ({"slow_frames": 32}, 16, "= 512 frames, got 16; use data.clip.frames 512"),
    ],
)
def test_clips_that_do_not_fit_are_refused_with_what_does(
    settings: dict[str, Any], frames: int, message: str | None
) -> None:
    told = slowfast_clip_rule(SlowFastSettings.model_validate(settings), ClipShape(frames))
    assert told is None if message is None else told is not None and told.endswith(message)


@pytest.mark.parametrize(
    ("settings", "frames", "message"),
    [
        (SlowOnlySettings(), 64, None),
        (FastOnlySettings(), 64, None),
        (
            SlowOnlySettings(),
            12,
            "clips of slow_only must have frames x stride = 4 x 16 = 64 frames, got 12; use "
            "data.clip.frames 64 or model.stride 3",
        ),
        (
            FastOnlySettings(),
            16,
            "clips of fast_only must have frames x stride = 32 x 2 = 64 frames, got 16; use "
            "data.clip.frames 64",
        ),
    ],
)
def test_clips_of_a_single_pathway_must_fit_too(
    settings: SlowOnlySettings | FastOnlySettings, frames: int, message: str | None
) -> None:
    assert single_clip_rule(settings, ClipShape(frames)) == message


def test_a_stride_that_is_proposed_is_accepted() -> None:
    proposed = SlowFastSettings(slow_stride=8)
    assert slowfast_clip_rule(proposed, ClipShape(32)) is None


def test_clips_with_flow_are_refused() -> None:
    told = slowfast_clip_rule(SlowFastSettings(), ClipShape(64, has_flow=True))
    assert told == (
        "clips of slowfast must be red, green and blue alone, got optical flow too; set "
        "data.clip.flow: null"
    )


@pytest.mark.parametrize(
    ("settings", "size", "message"),
    [
        (SlowFastSettings(), 32, None),
        (
            SlowFastSettings(),
            31,
            "image size of slowfast must be at least 32 (five halvings), got 31; use 32",
        ),
        (
            SlowOnlySettings(frames=1),
            32,
            "image size of slow_only must be at least 33 (five halvings), got 32; use 33",
        ),
    ],
)
def test_small_pictures_are_refused(
    settings: SlowFastSettings | SlowOnlySettings, size: int, message: str | None
) -> None:
    assert pathway_size_rule(settings, size) == message


@pytest.mark.parametrize("settings", [SlowFastSettings(), SlowOnlySettings(), FastOnlySettings()])
def test_default_networks_see_clips_of_64_frames(settings: PathwaySettings) -> None:
    assert settings.blocks == (3, 4, 6, 3)
    rule: Any = slowfast_clip_rule if isinstance(settings, SlowFastSettings) else single_clip_rule
    assert rule(settings, ClipShape(64)) is None
