"""Settings of videos that would have no effect are refused; defaults stay where keys are named."""

from typing import Any

import pytest
from pydantic import ValidationError

from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.datasets.settings.videos import HMDB51Data, UCF101Data


def ucf101(**values: Any) -> UCF101Data:
    return UCF101Data.model_validate({"root": "anywhere", **values})


def test_naming_one_key_of_a_generated_clip_leaves_the_defaults_of_the_others() -> None:
    clip = StreetActionsData.model_validate({"clip": {"views": 2}}).clip
    assert (clip.frames, clip.stride, clip.views) == (16, 2, 2)
    assert clip.span <= StreetActionsData().video_frames
    assert (ucf101(clip={"views": 2}).clip.frames, ucf101().clip.stride) == (64, 1)


@pytest.mark.parametrize("policy", ["shorter_side", "letterbox", "center_crop"])
def test_videos_are_not_resized_as_pictures(policy: str) -> None:
    with pytest.raises(ValidationError, match=f"resize has no effect on videos, got '{policy}'; "):
        ucf101(resize=policy)
    assert ucf101(resize="stretch").resize == "stretch"


def test_official_split_of_ucf101_is_of_the_given_policy_alone() -> None:
    assert ucf101(split_list=3, split={"folds": 5}).split_list == 3
    assert ucf101(split={"policy": "random"}).split_list == 1
    with pytest.raises(ValidationError, match="split_list 2 has no effect with"):
        ucf101(split_list=2, split={"policy": "grouped"})


def test_official_splits_of_hmdb51_name_different_videos_and_act_on_every_policy() -> None:
    values = {"root": "anywhere", "split_list": 2, "split": {"policy": "grouped"}}
    assert HMDB51Data.model_validate(values).split_list == 2


def test_stride_of_a_single_frame_is_refused_and_its_default_is_not() -> None:
    with pytest.raises(ValidationError, match="stride has no effect on clips of a single frame"):
        ucf101(clip={"frames": 1, "stride": 4})
    single = StreetActionsData.model_validate({"clip": {"frames": 1}})
    assert StreetActionsData.model_validate(single.model_dump()) == single
