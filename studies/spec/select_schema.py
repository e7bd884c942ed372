"""How a stage's winner is chosen, as a study file says it: `search.select`."""

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
