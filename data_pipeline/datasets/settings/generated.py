"""Settings of what is drawn, not downloaded, and of no data at all."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from data_pipeline.datasets.settings.videos import Clip, VideoFields
from data_pipeline.settings import NO_EFFECT, DataSettings


class StreetScenesData(DataSettings):
    """Generated street scenes, written to disk in the layout of a public dataset."""

    dataset: Literal["street_scenes"] = Field(
        "street_scenes", description="Generated street scenes."
    )
    images: int = Field(
        400, ge=3, le=100_000, description="Scenes in all; cut 64/16/20 into the given splits."
    )
    scene_seed: int = Field(0, ge=0, description="Seed of the drawings.")
    picture_width: int = Field(320, ge=64, le=2048, description="Width of a picture, pixels.")
    picture_height: int = Field(240, ge=64, le=2048, description="Height of a picture, pixels.")
    layout: Literal["coco", "open_images", "voc"] = Field(
        "coco",
        description="How they are written and read back. coco: with outlines and crowds; "
        "open_images: boxes and groups in CSV; voc: boxes in XML, a crowd as a difficult object.",
    )
    keep_empty: bool = Field(
        False,
        description="Keep scenes without an object of a chosen class: all that is found in them "
        "is wrong.",
    )
    drawn_in: Path | None = Field(
        None,
        description="Folder for the pictures; null: `cache` in the workspace.",
        json_schema_extra=NO_EFFECT,
    )


class StreetClip(Clip):
    """A clip that by default spans a whole generated video."""

    frames: int = Field(16, ge=1, le=1024, description="Frames of a clip (T).")
    stride: int = Field(2, ge=1, le=64, description="Every so many frames of the video (tau).")


class StreetActionsData(VideoFields):
    """Generated short videos of street users, written to disk in the layout of UCF101."""

    dataset: Literal["street_actions"] = Field(
        "street_actions", description="Generated videos of actions."
    )
    actions: Literal["everyday", "motion_only"] = Field(
        "everyday",
        description="Which are drawn. everyday: seven of cars, traffic lights and people; "
        "motion_only: four of balloons, every frame of which is as probable in each of the "
        "four, so that only motion tells them apart; vertical_flip exchanges two of them.",
    )
    groups: int = Field(
        6, ge=3, le=99, description="Streets per action; all videos of one are in the same split."
    )
    videos_per_group: int = Field(
        4,
        ge=1,
        le=99,
        description="Videos per street; 6 streets and 4 videos of seven actions are 168.",
    )
    video_seed: int = Field(0, ge=0, description="Seed of the drawings.")
    video_frames: int = Field(32, ge=2, le=1024, description="Frames of a video.")
    video_rate: int = Field(12, ge=1, le=120, description="Frames per second.")
    video_width: int = Field(160, ge=64, le=2048, multiple_of=2, description="Width, pixels.")
    video_height: int = Field(120, ge=64, le=2048, multiple_of=2, description="Height, pixels.")
    clip: StreetClip = Field(
        default_factory=StreetClip,
        description="Frames and squares of a clip; the default spans a whole video of 32 frames.",
    )
    drawn_in: Path | None = Field(
        None,
        description="Folder for the videos; null: `cache` in the workspace.",
        json_schema_extra=NO_EFFECT,
    )


class NoData(DataSettings):
    """No data at all, for models that need none."""

    dataset: Literal["none"] = Field("none", description="No data.")
