"""Settings of optical flow, which a clip may have beside its colours; torch-free."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from data_pipeline.settings import FrozenSettings
from data_pipeline.transforms.settings import AnyAugmentation, Elastic, LocalWarp

WARPS = (Elastic, LocalWarp)  # each pixel's arrow would turn and stretch by an amount of its own


class Flow(FrozenSettings):
    """How far and where to each pixel of a frame moves until the clip's next frame."""

    method: Literal["dis", "farneback", "raft"] = Field(
        "dis",
        description="dis: dense inverse search (Kroeger et al. 2016), OpenCV's, the fastest; "
        "farneback: by quadratic expansion (2003), OpenCV's; raft: torchvision's small RAFT "
        "(2020), a network that takes a hundred times as long.",
    )
    bound: float = Field(
        20.0,
        gt=0,
        le=127,
        description="Largest motion that is told apart along each axis, pixels of the scaled "
        "frame; it is kept in 127 steps each way. Larger ones count as this.",
    )
    weights: Path | None = Field(
        None,
        description="With raft: file of its weights, whose content counts and not its place; "
        "null: torchvision downloads them.",
    )

    @model_validator(mode="after")
    def _weights_take_effect(self) -> "Flow":
        if self.weights is not None and self.method != "raft":
            raise ValueError(
                f"weights has no effect with method '{self.method}', which has none; remove it, "
                "or use method 'raft'"
            )
        return self


def flow_fault(frames: int, augment: list[AnyAugmentation]) -> str | None:
    """Return what must hold of a clip with flow and of what is done to it; None: it does."""
    if frames < 2:
        return (
            "clip.flow is motion from a frame to the next one of the clip, which needs "
            f"clip.frames of at least 2, got {frames}; raise it, or remove clip.flow"
        )
    for augmentation in augment:
        if isinstance(augmentation, WARPS):
            return (
                f"augment '{augmentation.name}' bends a picture differently at each pixel, by "
                "which the arrows of clip.flow would no longer be its motion; remove it, or "
                "clip.flow (flips, turns, crops, shifts and scales move the arrows along)"
            )
    return None
