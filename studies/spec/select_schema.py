"""How winners are chosen, as a study file says it: `search.select` and `search.confirm`."""

from typing import Literal

from pydantic import Field

from models.frozen_settings import FrozenSettings


class Select(FrozenSettings):
    """How a stage's winner is chosen."""

    beam: int = Field(1, ge=1, description="Best branches kept per stage.")
    ties: Literal["cheapest", "best_mean"] = Field(
        "cheapest",
        description="Among configurations that cannot be told from the best mean, take the "
        "cheapest (fewest training multiply-accumulates), or the best mean all the same.",
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Of every interval.")
    interval: Literal["seeds", "images"] = Field(
        "seeds",
        description="What a difference must hold for to count: other seeds (with data.folds other "
        "cuts of the images as well), or other images (bootstrap over the images of the split; "
        "also with one replicate, and it says nothing of other seeds).",
    )


class Confirmation(FrozenSettings):
    """The finalists of the last trained stage once more, with seeds that chose nothing."""

    finalists: int = Field(
        2, ge=1, description="At most so many: the winner, and those not told from the best mean."
    )
    seeds: int = Field(
        3, ge=1, description="New seeds for each, those after the last of the replicates."
    )
