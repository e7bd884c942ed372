"""What a study file may say under `data`; torch-free.

Each dataset adds its own fields by a subclass with a literal `dataset` name, beside its reader
or here, and enrols it in `catalog.DATASETS`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from data_pipeline.transforms.settings import Augmentation, Normalize

Fraction = Annotated[float, Field(gt=0, lt=1)]
NO_EFFECT: JsonDict = {"affects_result": False}  # left out of a cell's fingerprint


class FrozenSettings(BaseModel):
    """Settings that cannot change after loading; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Limit(FrozenSettings):
    """At most so many images per split; with one model per class, per class."""

    train: int | None = Field(None, ge=1, description="Most training images; null: all.")
    val: int | None = Field(None, ge=1, description="Most validation images; null: all.")
    test: int | None = Field(None, ge=1, description="Most test images; null: all.")
    per_class: bool = Field(
        False,
        description="Whether the limits hold for each class, not for all images together: the "
        "first so many images of each. An image with several classes counts for all of them.",
    )


class Split(FrozenSettings):
    """How images become training, validation and test."""

    policy: Literal["given", "random", "stratified", "grouped"] = Field(
        "given",
        description="given: the dataset's own split (validation is cut from training where it has "
        "none); the others pool all images and cut them by `test` and `val`: random: shuffled by "
        "`seed`; stratified: each class alike; grouped: no group (scene, source video) is cut.",
    )
    test: Fraction = Field(0.2, description="Share of all images that is the test split.")
    val: Fraction = Field(
        0.2, description="Share of the rest that is validation (0.2 of 0.8: 64/16/20)."
    )
    seed: int = Field(0, ge=0, description="Seed of the shuffle; the same for every trial.")
    folds: int | None = Field(
        None,
        ge=2,
        le=100,
        description="k-fold: cut what is not test into so many parts, keeping groups whole; "
        "`val` is not used. null: one cut.",
    )
    fold: int = Field(0, ge=0, description="Which part is validation, from 0 to folds - 1.")

    @model_validator(mode="after")
    def _fold_is_one_of_the_folds(self) -> "Split":
        if self.fold >= (self.folds or 1):
            raise ValueError(
                f"fold must be from 0 to folds - 1 = {(self.folds or 1) - 1}, got {self.fold}"
            )
        return self


class DataSettings(FrozenSettings):
    """Fields of every dataset."""

    dataset: str = Field(description="Name of the dataset; `visionstudy data list` shows all.")
    classes: list[str] = Field(
        default_factory=list, description="Class names in label order; empty: all of the dataset."
    )
    one_model_per_class: bool = Field(
        False, description="Train one binary model per class instead of one for all."
    )
    image_size: int = Field(
        128, ge=1, le=8192, description="Side of the square network input, pixels."
    )
    resize: Literal["stretch", "shorter_side", "letterbox", "center_crop"] = Field(
        "stretch",
        description="How a picture gets to `image_size`. stretch: to the square, whatever its "
        "shape; shorter_side: that side to the size, the other in proportion (object detection); "
        "letterbox: the longer side, the rest padded grey; center_crop: the shorter side, then "
        "the square in the middle.",
    )
    limit: Limit = Field(default_factory=Limit, description="Most images per split.")
    split: Split = Field(default_factory=Split, description="Training, validation and test.")
    augment: list[Augmentation] = Field(
        default_factory=list,
        description="Random changes to training pictures, in order; each a name, or a mapping "
        "with `name` and its parameters. Boxes, masks and all frames of a clip move along.",
    )
    normalize: Normalize = Field(
        None,
        description="Pixels in [0, 1], less a mean, divided by a standard deviation; of every "
        "split, after `augment`. imagenet: as most pretrained networks expect; null: not.",
    )
    cache: Literal["auto", "off", "on"] = Field(
        "auto",
        description="Keep decoded, resized pictures in the workspace for all trials. auto: as far "
        "as they fit its bound (VISIONSTUDY_CACHE_GB, 20 when not set); on: whatever their "
        "size, but never the disk's last 1 GB (2 % of a disk of more than 50 GB); "
        "off: decode every time.",
        json_schema_extra=NO_EFFECT,
    )
    workers: Literal["auto"] | Annotated[int, Field(ge=0)] = Field(
        "auto",
        description="Loader processes per trial; 0: load in the trial's own process; auto: none "
        "when all is cached, else one per core that the trial has.",
        json_schema_extra=NO_EFFECT,
    )


class RootedData(DataSettings):
    """A dataset that lies in a folder on disk."""

    root: Path = Field(
        description="Folder of the dataset; may name ${VARIABLES}.", json_schema_extra=NO_EFFECT
    )
