"""What a study file may say of selective search, which finds regions without learning."""

from typing import Literal

from pydantic import Field

from models.frozen_settings import FrozenSettings


class SearchSettings(FrozenSettings):
    """Fields of networks whose regions come from selective search (Uijlings et al. 2013)."""

    search: Literal["fast", "quality"] = Field(
        "fast",
        description="fast: areas of two colour spaces, grouped in 8 ways (about a second for a "
        "picture of 300 pixels); quality: of five, in 80 ways, ten times as slow. A picture is "
        "searched once in a workspace, and once more where augmentation changed its pixels: "
        "combine it with flips alone.",
    )
    search_side: int | None = Field(
        None,
        ge=16,
        le=2000,
        description="Longer side that pictures are brought to for the search, pixels; null: as "
        "the network sees them. Areas are of at least 50 pixels, so small objects want large "
        "pictures; the paper's are 500 wide.",
    )
    proposals: int = Field(2000, ge=1, description="Most regions of an image.")
