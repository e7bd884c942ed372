"""Settings of datasets of videos with one class each."""

from typing import Literal

from pydantic import Field, model_validator

from data_pipeline.datasets.settings.flow import Flow, flow_fault
from data_pipeline.settings import DataSettings, FrozenSettings, RootedData


class Clip(FrozenSettings):
    """Which frames of a video the network sees."""

    frames: int = Field(64, ge=1, le=1024, description="Frames of a clip (T).")
    stride: int = Field(1, ge=1, le=64, description="Every so many frames of the video (tau).")
    shorter_side: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="Frames are scaled to this shorter side, then a square of `image_size` is "
        "cut; null: 8/7 of image_size (128 for 112).",
    )
    views: int = Field(
        1, ge=1, le=100, description="Clips per video when scored, spread evenly; 1: the middle."
    )
    crops: Literal[1, 3] = Field(
        1,
        description="Squares per clip when scored: the middle, or three along the longer side. "
        "Where frames are square and `shorter_side` is `image_size`, the three are the same.",
    )
    flow: Flow | None = Field(
        None,
        description="Two more channels, after red, green and blue: motion right and down from "
        "each frame to the clip's next one, pixels of the scaled frame; the last frame repeats "
        "those of the one before. {}: by OpenCV's DIS, up to 20 pixels; null: colours alone.",
    )

    @property
    def span(self) -> int:
        """Frames of a video from a clip's first to its last one, both counted."""
        return (self.frames - 1) * self.stride + 1

    @model_validator(mode="after")
    def _stride_takes_effect(self) -> "Clip":
        # A default is nobody's mistake: settings are read again from all of their values.
        unsaid = (1, type(self).model_fields["stride"].default)
        if self.frames == 1 and self.stride not in unsaid:
            raise ValueError(
                f"stride has no effect on clips of a single frame, got {self.stride}; remove it, "
                "or set frames above 1"
            )
        return self


class VideoFields(DataSettings):
    """Fields of every dataset of videos."""

    clip: Clip = Field(default_factory=Clip, description="Frames and squares of a clip.")

    @model_validator(mode="after")
    def _square_fits_into_the_frames(self) -> "VideoFields":
        side = self.clip.shorter_side
        if side is not None and side < self.image_size:
            raise ValueError(
                f"clip.shorter_side must be at least image_size {self.image_size}, so that a "
                f"square of it can be cut; got {side}"
            )
        return self

    @model_validator(mode="after")
    def _frames_are_not_resized_as_pictures(self) -> "VideoFields":
        if self.resize != "stretch":
            raise ValueError(
                f"resize has no effect on videos, got '{self.resize}'; remove it: frames are "
                "scaled to clip.shorter_side and a square of image_size is cut"
            )
        return self

    @model_validator(mode="after")
    def _flow_is_of_the_clip(self) -> "VideoFields":
        fault = flow_fault(self.clip.frames, self.augment) if self.clip.flow else None
        if fault:
            raise ValueError(fault)
        return self


class UCF101Data(VideoFields, RootedData):
    """UCF101: AVI clips in a folder per action, official lists of three splits."""

    dataset: Literal["ucf101"] = Field("ucf101", description="UCF101 layout.")
    split_list: Literal[1, 2, 3] = Field(
        1,
        description="Which of the three official splits. Together the lists of each name the same "
        "videos, so it is of split.policy given alone.",
    )

    @model_validator(mode="after")
    def _split_list_takes_effect(self) -> "UCF101Data":
        if self.split_list != 1 and self.split.policy != "given":
            raise ValueError(
                f"split_list {self.split_list} has no effect with split.policy "
                f"'{self.split.policy}', which pools the lists of training and of testing, in "
                "each official split the same videos; remove it, or use policy 'given'"
            )
        return self


class HMDB51Data(VideoFields, RootedData):
    """HMDB51: AVI clips in a folder per action, official lists of three splits."""

    dataset: Literal["hmdb51"] = Field("hmdb51", description="HMDB51 layout.")
    split_list: Literal[1, 2, 3] = Field(1, description="Which of the three official splits.")
