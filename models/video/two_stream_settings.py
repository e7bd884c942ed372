"""What a study file may say of two-stream networks; torch-free.

A clip of L + 1 frames has L fields of motion from a frame to the next one (data.clip.flow), which
are the 2L channels of the temporal network's input.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from models.entries import ClipShape
from models.video.pretrained_settings import PretrainedVideoSettings
from models.video.widths import Width

SMALLEST_CNN_M, SMALLEST_VGG = 41, 32  # pixels that leave the last pooling something
TWO_STREAM_PARAMETERS = 180_921_696  # at default settings, without the last layers
TWO_STREAM_PARAMETERS_PER_CHANNEL = 4_098  # 2,048 weights and a bias of each stream's last layer
FUSION_PARAMETERS = 282_687_168
FUSION_PARAMETERS_PER_CHANNEL = 8_194  # 4,096 weights and a bias of each last layer
FROM_IMAGENET = (
    "Weights to start from, downloaded once into torch's cache (TORCH_HOME); they need "
    "data.normalize: null. imagenet: VGG-16's, for all layers but {}; the first convolution of "
    "motion has its mean over colours; none: random."
)
ADD_FLOW = "needs motion, got clips of colours alone; set data.clip.flow: {}"


class TwoStreamSettings(PretrainedVideoSettings):
    """Fields of two-stream networks (Simonyan & Zisserman 2014)."""

    as_published: ClassVar[dict[str, Any]] = {"backbone": "vgg16", "width": 1.0}

    name: Literal["two_stream"] = "two_stream"
    pretrained: Literal["none", "imagenet"] = Field(
        "none", description=FROM_IMAGENET.format("the last, with backbone vgg16")
    )
    streams: Literal["both", "spatial", "temporal"] = Field(
        "both",
        description="both; spatial: the clip's first frame alone; temporal: its motion alone.",
    )
    backbone: Literal["cnn_m_2048", "vgg16"] = Field(
        "cnn_m_2048", description="Network of each stream; cnn_m_2048: the paper's."
    )
    width: Width = 1.0
    flow_frames: int | None = Field(
        None,
        ge=1,
        le=64,
        description="L: fields of motion that the temporal network sees at once; null: 10. The "
        "clip has one frame more (data.clip.frames).",
    )
    subtracts_mean_flow: bool | None = Field(
        None,
        description="Whether the mean motion of each field, mostly the camera's, is subtracted "
        "(section 3.1 of the paper); null: it is.",
    )
    dropout: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="Probability to drop a unit of the fully connected layers; 0.9 is what the "
        "paper found best from scratch.",
    )
    fusion: Literal["average", "svm"] = Field(
        "average",
        description="Of the streams' softmax scores. average: their mean; svm: a multi-class "
        "linear SVM on both, stacked and each scaled to length 1, fitted to the middle of "
        "each training video when the streams have learned.",
    )
    svm_c: float | None = Field(
        None, gt=0, description="C of the SVM: how much errors count; null: 1, with svm."
    )

    @model_validator(mode="after")
    def _settings_take_effect(self) -> "TwoStreamSettings":
        if self.streams == "spatial":
            for name in ("flow_frames", "subtracts_mean_flow"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name} has no effect with streams 'spatial', which sees no motion; "
                        "remove it, or use streams 'both' or 'temporal'"
                    )
        if self.streams != "both" and self.fusion == "svm":
            raise ValueError(
                f"fusion 'svm' needs streams 'both', got '{self.streams}', of which there is "
                "nothing to fuse; use fusion 'average'"
            )
        if self.svm_c is not None and self.fusion != "svm":
            raise ValueError("svm_c has no effect with fusion 'average'; remove it or use 'svm'")
        return self

    @property
    def fields(self) -> int:
        """Return L."""
        return self.flow_frames or 10


class TwoStreamFusionSettings(PretrainedVideoSettings):
    """Fields of convolutional two-stream fusion (Feichtenhofer et al. 2016)."""

    name: Literal["two_stream_fusion"] = "two_stream_fusion"
    pretrained: Literal["none", "imagenet"] = Field(
        "none", description=FROM_IMAGENET.format("the fusion and the last ones")
    )
    width: Width = 1.0
    chunks: int = Field(
        5, ge=1, le=16, description="T: moments of the clip that are seen and fused over time."
    )
    chunk_stride: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Frames of the clip from one moment to the next (the paper's tau, from 1 to "
        "10); null: 10, with 2 chunks or more.",
    )
    flow_frames: int = Field(
        10,
        ge=1,
        le=64,
        description="L: fields of motion around each moment. The clip has (chunks - 1) x "
        "chunk_stride + flow_frames + 1 frames (data.clip.frames).",
    )
    subtracts_mean_flow: bool = Field(
        True, description="Whether the mean motion of each field is subtracted."
    )
    dropout: float = Field(
        0.85,
        ge=0,
        lt=1,
        description="Probability to drop a unit of the fully connected layers.",
    )

    @model_validator(mode="after")
    def _stride_takes_effect(self) -> "TwoStreamFusionSettings":
        if self.chunks == 1 and self.chunk_stride is not None:
            raise ValueError(
                "chunk_stride has no effect with 1 chunk; remove it or set chunks to 2 or more"
            )
        return self

    @property
    def stride(self) -> int:
        """Return the frames from one moment to the next."""
        return self.chunk_stride or 10

    @property
    def frames(self) -> int:
        """Return the frames of a clip."""
        return (self.chunks - 1) * self.stride + self.flow_frames + 1


def two_stream_clip_rule(settings: TwoStreamSettings, clip: ClipShape) -> str | None:
    """Return None where the network takes such clips, else what must hold."""
    if settings.streams != "spatial":
        frames = settings.fields + 1
        return _flow_fault(settings.name, clip, frames, reason="model.flow_frames + 1")
    if clip.has_flow:
        return (
            "two_stream with streams 'spatial' sees no motion, got clips with flow; set "
            "data.clip.flow: null"
        )
    if clip.frames != 1:
        return (
            f"two_stream with streams 'spatial' sees one frame, got clips of {clip.frames}; set "
            "data.clip.frames: 1"
        )
    return None


def two_stream_objective_rule(settings: TwoStreamSettings, objective: str) -> str | None:
    """Return None where a metric is of what decides, in epochs as in the end; else what to do."""
    metric = objective.partition("/")[2]
    if settings.fusion != "svm" or metric not in ("loss", "log_loss"):
        return None
    reason = {
        "loss": "is the streams' own, whatever the SVM makes of them",
        "log_loss": "would be of margins, which are no probabilities",
    }[metric]
    return (
        f"a study with model.fusion 'svm' must be chosen by another metric than {objective}, "
        f"which {reason}; choose by top1, or use fusion 'average'"
    )


def stream_fusion_clip_rule(settings: TwoStreamFusionSettings, clip: ClipShape) -> str | None:
    """Return None where the network takes such clips, else what must hold."""
    reason = "model's (chunks - 1) x chunk_stride + flow_frames + 1"
    return _flow_fault(settings.name, clip, settings.frames, reason=reason)


def two_stream_size_rule(settings: TwoStreamSettings, image_size: int) -> str | None:
    """Return None where every pooling has something left to pool, else what must hold."""
    least = SMALLEST_CNN_M if settings.backbone == "cnn_m_2048" else SMALLEST_VGG
    return _size_fault(f"two_stream on {settings.backbone}", least, image_size)


def stream_fusion_size_rule(settings: TwoStreamFusionSettings, image_size: int) -> str | None:
    """Return None where every pooling has something left to pool, else what must hold."""
    return _size_fault(settings.name, SMALLEST_VGG, image_size)


def _flow_fault(name: str, clip: ClipShape, frames: int, *, reason: str) -> str | None:
    if not clip.has_flow:
        return f"{name} {ADD_FLOW}"
    if clip.frames != frames:
        return (
            f"{name} sees clips of {frames} frames ({reason}), got {clip.frames}; set "
            f"data.clip.frames: {frames}"
        )
    return None


def _size_fault(name: str, least: int, image_size: int) -> str | None:
    if image_size >= least:
        return None
    return (
        f"image size of {name} must be at least {least}, for its poolings, got {image_size}; "
        f"use {least} or more"
    )
