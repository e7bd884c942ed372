"""What may be said of a tracker: SORT's and DeepSORT's settings, the papers' by default.

Torch-free. Bewley et al. 2016, "Simple online and realtime tracking"; Wojke, Bewley and Paulus
2017, "Simple online and realtime tracking with a deep association metric".
"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from models.frozen_settings import FrozenSettings

# 0.95 quantile of the chi-square distribution with 4 degrees of freedom: one for each of u, v,
# aspect ratio and height (Wojke et al. 2017, section 2.2).
CHI_SQUARE_95_OF_4 = 9.4877
LEAST_SCORE = "Detections below this score are left out; null: none is."
SHOWN_AGE = (
    "Frames in a row without a detection in which a track is still shown, where the filter "
    "expects it; 0: it is shown where it has a detection alone."
)


class SortSettings(FrozenSettings):
    """Settings of SORT: overlap with where a Kalman filter expects the box, and nothing else."""

    name: Literal["sort"] = "sort"
    least_score: float | None = Field(None, allow_inf_nan=False, description=LEAST_SCORE)
    least_iou: float = Field(
        0.3,
        gt=0,
        le=1,
        description="IoU of a detection and of a track's expected box from which they may match.",
    )
    max_age: int = Field(
        1, ge=1, description="Frames in a row that a track may be without a detection (T_lost)."
    )
    min_hits: int = Field(
        3,
        ge=0,
        description="Detections in a row, after a track's first, from which it is shown; in the "
        "first min_hits frames of a video every track is.",
    )
    shown_age: int = Field(0, ge=0, description=SHOWN_AGE)

    @model_validator(mode="after")
    def _shown_as_long_as_it_lives(self) -> "SortSettings":
        _check_shown_age(self.shown_age, self.max_age)
        return self


class DeepSortSettings(FrozenSettings):
    """Settings of DeepSORT: appearance first, under a gate of motion, then overlap."""

    name: Literal["deepsort"] = "deepsort"
    least_score: float | None = Field(0.3, allow_inf_nan=False, description=LEAST_SCORE)
    use_appearance: bool = Field(
        True,
        description="true: the cascade compares descriptors of what is in the boxes, which every "
        "step must be given; false: it compares Mahalanobis distances (lambda = 1 in equation 5 "
        "of the paper).",
    )
    max_cosine_distance: float = Field(
        0.2,
        gt=0,
        le=2,
        description="Cosine distance of descriptors up to which a detection may be of a track.",
    )
    gallery_size: int = Field(
        100, ge=1, description="Descriptors of its last detections that a track is known by."
    )
    gate: float = Field(
        CHI_SQUARE_95_OF_4,
        gt=0,
        description="Squared Mahalanobis distance of a detection to where the filter expects the "
        "box, up to which it may be of the track; 9.4877 leaves out 1 true one in 20.",
    )
    max_iou_distance: float = Field(
        0.7,
        gt=0,
        lt=1,
        description="1 - IoU up to which a detection may be of a new track, or of one that was "
        "seen in the last frame, when appearance did not match them.",
    )
    max_age: int = Field(
        30,
        ge=1,
        description="Frames after its last detection up to which a track can be found again.",
    )
    n_init: int = Field(
        3,
        ge=1,
        description="Frames in a row with a detection, from the first on, that confirm a track.",
    )
    shown_age: int = Field(0, ge=0, description=SHOWN_AGE)

    @model_validator(mode="after")
    def _shown_as_long_as_it_lives(self) -> "DeepSortSettings":
        _check_shown_age(self.shown_age, self.max_age)
        return self

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_has_no_effect(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("use_appearance", True):
            return given
        for field in ("max_cosine_distance", "gallery_size"):
            if field in given:
                raise ValueError(
                    f"{field} has no effect with use_appearance false; remove it or use "
                    "use_appearance true"
                )
        return given


def _check_shown_age(shown_age: int, max_age: int) -> None:
    if shown_age > max_age:
        raise ValueError(
            f"shown_age must be at most max_age, after which a track is forgotten, got "
            f"{shown_age} and {max_age}; lower it or raise max_age"
        )


TrackerSettings: TypeAlias = Annotated[
    SortSettings | DeepSortSettings, Field(discriminator="name")
]


class ColourAppearanceSettings(FrozenSettings):
    """Settings of the appearance that needs no weights: histograms of colour."""

    name: Literal["colour"] = "colour"
    bins: int = Field(
        8, ge=2, le=32, description="Bins of each of the colour channels hue and saturation."
    )
    bands: int = Field(
        4, ge=1, le=16, description="Bands, one below the other, with a histogram each."
    )


class NetworkAppearanceSettings(FrozenSettings):
    """Settings of the appearance network of Wojke et al. 2017, Table 1."""

    name: Literal["network"] = "network"
    weights: Path | None = Field(
        None,
        description="State dict of the network, as torch.save writes it; null: random weights, "
        "which describe little.",
    )
    batch_size: int = Field(
        32, ge=1, description="Boxes that go through the network at a time; bounds memory."
    )


AppearanceSettings: TypeAlias = Annotated[
    ColourAppearanceSettings | NetworkAppearanceSettings, Field(discriminator="name")
]
