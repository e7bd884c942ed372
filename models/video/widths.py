"""Layers that are narrower than published, for machines without a GPU. Torch-free."""

from typing import Annotated

from pydantic import Field

WIDTH = (
    "Factor of the channels and units of every layer but the last; 1: as published, "
    "0.125: for a processor without a GPU."
)
Width = Annotated[float, Field(gt=0, le=1, description=WIDTH)]


def scaled(channels: int, width: float) -> int:
    """Return a layer's channels at a width; below 1 even, for convolutions of two groups."""
    if width == 1:
        return channels
    return 2 * max(1, round(channels * width / 2))
