"""What a study file may say under `data`; torch-free.

Each dataset adds its own fields by a subclass with a literal `dataset` name, beside its reader
or here, and enrols it in `catalog.DATASETS`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.config import JsonDict

from data_pipeline.transforms.settings import Augmentation, Normalize

Balance = Literal["none", "over_sampling", "under_sampling"]
Fraction = Annotated[float, Field(gt=0, lt=1)]
NO_EFFECT: JsonDict = {"affects_result": False}  # left out of a cell's fingerprint
FEWEST_FOLDS, MOST_FOLDS = 2, 100
Folds = Annotated[int, Field(ge=FEWEST_FOLDS, le=MOST_FOLDS)]
_FOLDS: TypeAdapter[int] = TypeAdapter(Folds)


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
    folds: Folds | None = Field(
        None,
        description="One part of k as validation: cut what is not test into so many parts, "
        "keeping groups whole; `val` is not used. null: one cut. For a cell per part, set "
        "`data.folds` instead, which sets this.",
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
    folds: Folds | None = Field(
        None,
        description="k-fold cross validation: so many cells per configuration and seed, each "
        "validated on another part of what is not test; groups stay whole. null: one cut.",
        json_schema_extra={"since": "0.2"},
    )
    balance: Balance = Field(
        "none",
        description="How often an epoch shows the training samples of a class, in image "
        "classification and action recognition. none: each once; over_sampling: those of every "
        "class as often as the largest has samples, some of them repeatedly, each time augmented "
        "anew; under_sampling: as often as the smallest has, others in every epoch.",
        json_schema_extra={"since": "0.2"},
    )
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

    @model_validator(mode="before")
    @classmethod
    def _folds_cut_the_split(cls, given: object) -> object:
        """Cut by `folds`, so that whoever opens these data opens the first fold of them."""
        if not isinstance(given, Mapping) or (folds := _fold_count(given.get("folds"))) is None:
            return given
        split = given.get("split", {})
        if isinstance(split, Split):
            split = split.model_dump()
        if not isinstance(split, Mapping) or split.get("folds") is not None:
            return given
        return {**given, "split": {**split, "folds": folds}}

    @model_validator(mode="after")
    def _folds_agree(self) -> Self:
        if self.folds is None:
            return self
        if self.split.folds != self.folds:
            raise ValueError(
                f"folds: {self.folds} asks for a cell per fold, and split.folds: "
                f"{self.split.folds} for one cut into other folds; remove split.folds"
            )
        if self.split.fold:
            raise ValueError(
                f"folds: {self.folds} asks for a cell per fold, and split.fold: "
                f"{self.split.fold} for one of them; remove one of the two"
            )
        if self.split.val != Split.model_fields["val"].default:
            raise ValueError(
                f"split.val: {self.split.val:g} has no effect with folds: {self.folds}, where "
                f"a fold, 1 / {self.folds} of what is not test, is validation; remove it"
            )
        return self


class RootedData(DataSettings):
    """A dataset that lies in a folder on disk."""

    root: Path = Field(
        description="Folder of the dataset; may name ${VARIABLES}.", json_schema_extra=NO_EFFECT
    )


def _fold_count(value: object) -> int | None:
    """Return what the field `folds` makes of a value, such as 5.0; None where it refuses it."""
    try:
        return _FOLDS.validate_python(value)
    except ValidationError:
        return None
