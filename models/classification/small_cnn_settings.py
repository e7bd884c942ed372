"""What a study file may say of the small network, its sizes and its count of weights; torch-free.

    blocks   convolution -> batch normalisation -> activation -> pooling -> dropout
    grid     the last maps, laid flat
    hidden   linear layer -> activation -> dropout
    output   a linear layer: a logit of each class

A map of side n is (n - k) // s + 1 wide after a window of side k and stride s. With padding
'same' the convolution sees (k - 1) / 2 zeros on each side: of stride 1 the side stays n.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from models.activation_settings import Activation
from models.settings import ModelSettings

COLOURS = 3
WIDEST = 4096  # filters or units of a layer
USUAL_POOL = 2  # side of a pooling
MOST_LAYERS = 12
Width: TypeAlias = Annotated[int, Field(ge=1, le=WIDEST)]
Widths: TypeAlias = Annotated[tuple[Width, ...], Field(max_length=MOST_LAYERS)]
FilledWidths: TypeAlias = Annotated[Widths, Field(min_length=1)]


class SmallCNNSettings(ModelSettings):
    """Fields of a network of a few convolutions, each of them free to vary."""

    name: Literal["small_cnn"] = "small_cnn"
    filters: Width | FilledWidths = Field(
        (32, 64, 128),
        description="Filters of each block's convolution, as a list with one number for each "
        "block; or one number for all of `depth` blocks, which a search can vary.",
    )
    depth: int | None = Field(
        None,
        ge=1,
        le=MOST_LAYERS,
        description="Blocks, where `filters` is one number; null: as many as `filters` lists.",
    )
    growth: float = Field(
        1.0,
        ge=1,
        le=4,
        description="What the filters of each further block are multiplied by, where `filters` "
        "is one number; rounded to whole filters.",
    )
    kernel: int = Field(3, ge=1, le=31, description="Side of the convolutions, pixels.")
    stride: int = Field(1, ge=1, le=8, description="Pixels between two places of a convolution.")
    padding: Literal["same", "valid"] = Field(
        "same",
        description="same: (kernel - 1) / 2 zeros on each side, so that a convolution of stride 1 "
        "keeps the size; valid: none, and a map loses kernel - 1 pixels.",
    )
    pooling: Literal["max", "average", "sum", "none"] = Field(
        "max", description="What is kept of each window of a block's maps."
    )
    pool_size: int | None = Field(
        None, ge=2, le=31, description="Side of a pooling's window, pixels; null: 2."
    )
    pool_stride: int | None = Field(
        None, ge=1, le=31, description="Pixels between two windows; null: their side."
    )
    batch_norm: bool = Field(
        False, description="Batch normalisation between each convolution and its activation."
    )
    activation: Activation = Field(
        "relu", description="After each convolution and each hidden layer."
    )
    leaky_slope: float | None = Field(
        None, gt=0, lt=1, description="Slope of leaky_relu below 0; null: 0.01."
    )
    grid: int = Field(
        3,
        ge=1,
        le=64,
        description="Side of the maps that are laid flat, pixels: larger ones are averaged down "
        "to it. 1: each map's mean, as of global average pooling.",
    )
    hidden_units: Width | Widths = Field(
        (64,),
        description="Units of each hidden layer, as a list, empty for none; or one number for "
        "all of `hidden_layers`, which a search can vary.",
    )
    hidden_layers: int | None = Field(
        None,
        ge=1,
        le=MOST_LAYERS,
        description="Hidden layers, where `hidden_units` is one number; null: 1, or as many as "
        "`hidden_units` lists.",
    )
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Probability to drop a unit of a hidden layer."
    )
    block_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Probability to drop a whole map at the end of a block (Tompson et al. 2015): "
        "of single pixels the neighbours would tell.",
    )

    @model_validator(mode="after")
    def _lists_or_numbers(self) -> "SmallCNNSettings":
        if isinstance(self.filters, int) and self.depth is None:
            raise ValueError(
                f"filters must be a list, or one number beside depth, got {self.filters} alone; "
                f"write [{self.filters}] or add depth"
            )
        for field, given, of in (
            ("depth", self.depth is not None, "filters"),
            ("growth", self.growth != 1, "filters"),
            ("hidden_layers", self.hidden_layers is not None, "hidden_units"),
        ):
            listed = getattr(self, of)
            if given and not isinstance(listed, int):
                raise ValueError(
                    f"{field} has no effect with a list of {of}, got {list(listed)}; remove it "
                    f"or write one number of {of}"
                )
        return self

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "SmallCNNSettings":
        if self.leaky_slope is not None and self.activation != "leaky_relu":
            raise ValueError(
                f"leaky_slope has no effect with activation '{self.activation}'; remove it or "
                "use 'leaky_relu'"
            )
        for field in ("pool_size", "pool_stride"):
            if getattr(self, field) is not None and self.pooling == "none":
                raise ValueError(
                    f"{field} has no effect with pooling 'none'; remove it or use 'max', "
                    "'average' or 'sum'"
                )
        if self.dropout and not self.hidden_widths:
            raise ValueError(
                "dropout has no effect without hidden_units; remove it, or use block_dropout"
            )
        if self.depth == 1 and self.growth != 1:
            raise ValueError("growth has no effect with depth 1; remove it or add blocks")
        widest = max(self.block_filters)
        if widest > WIDEST:
            raise ValueError(
                f"a block must have at most {WIDEST} filters, got {widest}; use fewer filters, "
                "less depth or less growth"
            )
        return self

    @model_validator(mode="after")
    def _padding_is_symmetric(self) -> "SmallCNNSettings":
        if self.padding == "same" and self.kernel % 2 == 0:
            raise ValueError(
                f"padding 'same' needs an odd kernel, for (kernel - 1) / 2 zeros on each side, "
                f"got {self.kernel}; use {self.kernel - 1} or {self.kernel + 1}, or 'valid'"
            )
        return self

    @property
    def block_filters(self) -> tuple[int, ...]:
        """Filters of each block."""
        if not isinstance(self.filters, int):
            return self.filters
        return tuple(round(self.filters * self.growth**block) for block in range(self.depth or 1))

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        if not isinstance(self.hidden_units, int):
            return self.hidden_units
        return (self.hidden_units,) * (self.hidden_layers or 1)

    @property
    def pool_window(self) -> tuple[int, int]:
        """Side and stride of a pooling, pixels; 1 and 1 where there is none."""
        if self.pooling == "none":
            return 1, 1
        side = self.pool_size or USUAL_POOL
        return side, self.pool_stride or side


def small_cnn_parameters(settings: SmallCNNSettings, classes: int) -> int:
    """Count the weights.

    A convolution of k x k has k^2 in x out weights and `out` biases, or as many scales and
    shifts of batch normalisation, 2 out, in place of the biases; a linear layer in x out + out.
    """
    after = 2 if settings.batch_norm else 1
    blocks = sum(
        (settings.kernel**2 * before + after) * filters
        for before, filters in pairwise((COLOURS, *settings.block_filters))
    )
    flat = settings.block_filters[-1] * settings.grid**2
    layers = pairwise((flat, *settings.hidden_widths, classes))
    return blocks + sum((before + 1) * units for before, units in layers)


def small_cnn_sizes(settings: SmallCNNSettings, image_size: int) -> Iterator[tuple[int, int]]:
    """Yield the side of the maps after each block's convolution and after its pooling, pixels.

    It ends before the first convolution or pooling that has more pixels than the map.
    """
    side, (pool, pool_stride) = image_size, settings.pool_window
    window = _unpadded_kernel(settings)
    for _ in settings.block_filters:
        if side < window:
            return
        convolved = (side - window) // settings.stride + 1
        if convolved < pool:
            return
        side = (convolved - pool) // pool_stride + 1
        yield convolved, side


def small_cnn_size_rule(settings: SmallCNNSettings, image_size: int) -> str | None:
    """Return None where the network takes images of this side, else what must hold."""
    least = _least_size(settings)
    if image_size >= least:
        return None
    return (
        f"image size of small_cnn must be at least {least}, got {image_size}, of which "
        f"{_first_misfit(settings, image_size)}; use {least}"
    )


def _unpadded_kernel(settings: SmallCNNSettings) -> int:
    """Return the pixels of a map that a convolution needs, less one for each place of it."""
    return 1 if settings.padding == "same" else settings.kernel


def _least_size(settings: SmallCNNSettings) -> int:
    side, (pool, pool_stride) = settings.grid, settings.pool_window
    for _ in settings.block_filters:
        side = (side - 1) * pool_stride + pool
        # Of a single pixel of a single image there is no variance to normalise by.
        side = max(side, 2) if settings.batch_norm else side
        side = (side - 1) * settings.stride + _unpadded_kernel(settings)
    return side


def _first_misfit(settings: SmallCNNSettings, image_size: int) -> str:
    sizes = list(small_cnn_sizes(settings, image_size))
    before = sizes[-1][1] if sizes else image_size
    number = len(sizes) + 1
    if number <= len(settings.block_filters):
        window = _unpadded_kernel(settings)
        if before < window:
            return f"block {number} gets {before} for a kernel of {window}"
        convolved = (before - window) // settings.stride + 1
        return f"block {number} has {convolved} for a pooling of {settings.pool_window[0]}"
    single = next((at for at, (side, _) in enumerate(sizes, 1) if side == 1), None)
    if settings.batch_norm and single is not None:
        return f"block {single} has 1 pixel for batch normalisation, which needs 2"
    return f"block {len(sizes)} leaves {before} for a grid of {settings.grid}"
