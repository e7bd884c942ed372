"""Settings of the datasets we ship; torch-free and OpenCV-free, so that the catalog is light."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from data_pipeline.settings import NO_EFFECT, DataSettings, RootedData


class CocoData(RootedData):
    """Images with instance annotations in the COCO layout."""

    dataset: Literal["coco"] = Field("coco", description="COCO layout.")
    year: int = Field(2017, ge=0, description="Fills {year} in the two names below.")
    annotations: str = Field(
        "instances_{split}{year}.json",
        pattern=r"\{split\}",
        description="File name in `annotations/`; {split} becomes train, val or test.",
    )
    images: str = Field(
        "{split}{year}", description="Folder of a split's images, relative to `root`."
    )


class CamVidData(RootedData):
    """CamVid in the layout of the SegNet tutorial: 480 x 360, 11 classes and void."""

    dataset: Literal["camvid"] = Field("camvid", description="CamVid, SegNet tutorial layout.")


class StreetScenesData(DataSettings):
    """Generated street scenes, written to disk as COCO."""

    dataset: Literal["street_scenes"] = Field(
        "street_scenes", description="Generated street scenes."
    )
    images: int = Field(
        400, ge=3, le=100_000, description="Scenes in all; cut 64/16/20 into the given splits."
    )
    scene_seed: int = Field(0, ge=0, description="Seed of the drawings.")
    picture_width: int = Field(320, ge=64, le=2048, description="Width of a picture, pixels.")
    picture_height: int = Field(240, ge=64, le=2048, description="Height of a picture, pixels.")
    cache: Path | None = Field(
        None,
        description="Folder for the pictures; null: `cache` in the workspace.",
        json_schema_extra=NO_EFFECT,
    )


class NoData(DataSettings):
    """No data at all, for models that need none."""

    dataset: Literal["none"] = Field("none", description="No data.")
