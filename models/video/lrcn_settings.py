"""What a study file may say of LRCN; torch-free."""

from typing import Literal

from pydantic import Field, model_validator

from models.entries import ClipShape
from models.settings import ModelSettings
from models.video.widths import WIDTH, Width

SMALLEST_SIDE = 39  # pixels that leave CaffeNet's last pooling something
RGB_UNITS, FLOW_UNITS = 256, 1024  # of the LSTMs in the paper
FLOW_WEIGHT = 2 / 3
LRCN_PARAMETERS = 44_545_408  # at default settings, without the last layer
LRCN_PARAMETERS_PER_CHANNEL = 257  # 256 weights and a bias of the last layer


class LRCNSettings(ModelSettings):
    """Fields of LRCN, the long-term recurrent convolutional network (Donahue et al. 2015)."""

    name: Literal["lrcn"] = "lrcn"
    input: Literal["rgb", "flow", "both"] = Field(
        "rgb",
        description="rgb: colours; flow: motion right, down and its length, as three channels; "
        "both: a network of each, which learn apart.",
    )
    rgb_units: int | None = Field(
        None, ge=1, le=4096, description="Units of the LSTM of colours; null: 256, the paper's."
    )
    flow_units: int | None = Field(
        None, ge=1, le=4096, description="Units of the LSTM of motion; null: 1024, the paper's."
    )
    flow_weight: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Weight of the network of motion in the mean of both networks' scores; null: "
        "2/3, with input both (the paper has 1/2 too).",
    )
    width: Width = Field(1.0, description=f"{WIDTH} The LSTMs' units stay as they are named.")
    dropout: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="Probability to drop a feature before the LSTM, and one of its outputs.",
    )

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "LRCNSettings":
        needed = {
            "rgb_units": ("rgb", "both"),
            "flow_units": ("flow", "both"),
            "flow_weight": ("both",),
        }
        for name, inputs in needed.items():
            if getattr(self, name) is not None and self.input not in inputs:
                raise ValueError(
                    f"{name} has no effect with input '{self.input}'; remove it or use input "
                    + " or ".join(f"'{each}'" for each in inputs)
                )
        return self


def lrcn_clip_rule(settings: LRCNSettings, clip: ClipShape) -> str | None:
    """Return None where the network takes such clips, else what must hold."""
    if clip.frames < 2:
        return (
            f"lrcn follows a clip over time, got clips of {clip.frames} frame; set "
            "data.clip.frames to 2 or more (the paper's: 16)"
        )
    if settings.input == "rgb" and clip.has_flow:
        return (
            "lrcn with input 'rgb' sees no motion, got clips with flow; set data.clip.flow: null, "
            "or model.input: both"
        )
    if settings.input != "rgb" and not clip.has_flow:
        return (
            f"lrcn with input '{settings.input}' needs motion, got clips of colours alone; set "
            "data.clip.flow: {}"
        )
    return None


def lrcn_size_rule(settings: LRCNSettings, image_size: int) -> str | None:
    """Return None where every pooling has something left to pool, else what must hold."""
    if image_size >= SMALLEST_SIDE:
        return None
    return (
        f"image size of {settings.name} must be at least {SMALLEST_SIDE}, for its poolings, got "
        f"{image_size}; use {SMALLEST_SIDE} or more (the paper's: 227)"
    )
