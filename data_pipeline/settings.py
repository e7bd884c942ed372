"""What a study file may say under `data`; torch-free.

Each dataset adds its own fields by a subclass with a literal `dataset` name, beside its reader
or here, and enrols it in `catalog.DATASETS`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

Augmentation = Literal["horizontal_flip", "vertical_flip", "rotate_90"]
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


class Split(FrozenSettings):
    """How images become training, validation and test."""

    policy: Literal["given", "random"] = Field(
        "given",
        description="given: the dataset's own split; random: all images pooled, shuffled by "
        "`seed` and cut by `test` and `val`.",
    )
    test: Fraction = Field(0.2, description="Share of all images that is the test split.")
    val: Fraction = Field(
        0.2, description="Share of the rest that is validation (0.2 of 0.8: 64/16/20)."
    )
    seed: int = Field(0, ge=0, description="Seed of the shuffle; the same for every trial.")


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
    limit: Limit = Field(default_factory=Limit, description="Most images per split.")
    split: Split = Field(default_factory=Split, description="Training, validation and test.")
    augment: list[Augmentation] = Field(
        default_factory=list, description="Random changes to training images, in order."
    )
    workers: int = Field(
        0,
        ge=0,
        description="Loader processes per trial; 0: load in the trial's own process.",
        json_schema_extra=NO_EFFECT,
    )


class RootedData(DataSettings):
    """A dataset that lies in a folder on disk."""

    root: Path = Field(
        description="Folder of the dataset; may name ${VARIABLES}.", json_schema_extra=NO_EFFECT
    )
