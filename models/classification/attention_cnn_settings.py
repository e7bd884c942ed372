"""What a study file may say of the small network with soft attention; torch-free."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from models.settings import ModelSettings

COLOURS, KERNEL = 3, 3
DEFAULT_FILTERS, DEFAULT_UNITS = (32, 64, 128), 64


class AttentionCNNSettings(ModelSettings):
    """Fields of a network that shows where it looks (the thesis, appendix 2, section 2)."""

    name: Literal["attention_cnn"] = "attention_cnn"
    filters: Annotated[
        tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1, max_length=8)
    ] = Field(
        DEFAULT_FILTERS,
        description="Filters of each 3 x 3 convolution; after each but the last one, maps are "
        "halved.",
    )
    units: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        DEFAULT_UNITS,
        description="Length of the vector m = tanh(W_c c + W_y y) of each place, whose product "
        "with learned weights goes into the softmax. null: m is a number and goes into it as it "
        "is, the thesis's formula, by which no place can weigh more than e^2 times another.",
    )


def attention_cnn_parameters(settings: AttentionCNNSettings, classes: int) -> int:
    """Count the weights."""
    blocks = sum(
        (KERNEL**2 * before + 1) * filters
        for before, filters in pairwise((COLOURS, *settings.filters))
    )
    channels, units = settings.filters[-1], settings.units or 1
    attention = (2 * channels + 1) * units + (settings.units or 0)
    return blocks + attention + (channels + 1) * classes


def attention_cnn_size_rule(settings: AttentionCNNSettings, image_size: int) -> str | None:
    """Return None where halving leaves two places a side to choose from, else what must hold."""
    least = 2 ** len(settings.filters)
    if image_size >= least:
        return None
    return (
        f"image size of attention_cnn must be at least {least}, so that "
        f"{len(settings.filters) - 1} halvings leave places to choose from, got {image_size}; use "
        f"{least} or more, or fewer filters"
    )
