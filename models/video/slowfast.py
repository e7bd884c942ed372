"""SlowFast and each of its pathways alone (Feichtenhofer et al. 2019).

Two networks see the same clip at two frame rates. After the stem and after each stage but the
last, the Slow one is told what the Fast one sees; the other way round nothing is told.
"""

import torch
from torch import Tensor, nn

from models.class_rows import ClassRows
from models.video.slowfast_laterals import lateral_of
from models.video.slowfast_settings import (
    FIRST_SLOW_TEMPORAL,
    FastOnlySettings,
    SingleSettings,
    SlowFastSettings,
    SlowOnlySettings,
)
from models.video.slowfast_stages import (
    Pathway,
    Stem,
    draw_as_he,
    stage_of,
    start_as_identity,
)

LAST = 4  # res5, the stem being 0


class Level(nn.Module):
    """The same stage of both pathways, and what goes across after it."""

    def __init__(self, slow: nn.Module, fast: nn.Module, lateral: nn.Module | None) -> None:
        super().__init__()
        self.slow = slow
        self.fast = fast
        self.lateral = lateral

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        """Return Slow maps with what they were told, and Fast maps."""
        slow, fast = self.slow(slow), self.fast(fast)
        return (slow if self.lateral is None else self.lateral(slow, fast)), fast


class SlowFast(nn.Module):
    """Both pathways, level by level."""

    def __init__(self, settings: SlowFastSettings, out_channels: int) -> None:
        super().__init__()
        self._frames = settings.slow_frames * settings.slow_stride
        self._slow_stride = settings.slow_stride
        self._fast_stride = settings.slow_stride // settings.alpha
        slow, fast = _pathways(settings)
        lateral, appended = lateral_of(settings, fast.width)
        self.stem = Level(Stem(slow), Stem(fast), lateral)
        levels = []
        for stage in range(1, LAST + 1):
            pair = stage_of(slow, stage, appended=appended), stage_of(fast, stage)
            lateral, appended = None, 0
            if stage < LAST:
                lateral, appended = lateral_of(settings, fast.stage_width(stage))
            levels.append(Level(*pair, lateral))
        self.res2, self.res3, self.res4, self.res5 = levels
        self.dropout = nn.Dropout(settings.dropout)
        features = slow.stage_width(LAST) + fast.stage_width(LAST)
        self.classifier = nn.Linear(features, out_channels, bias=settings.form == "paper")

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Say which layer's rows are the classes."""
        return (ClassRows("classifier"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return (b, classes) logits of (b, 3, slow_frames x slow_stride, h, w) clips.

        Raises:
            ValueError: the clips have another number of frames.
        """
        _require_frames(clips, self._frames)
        slow, fast = clips[:, :, :: self._slow_stride], clips[:, :, :: self._fast_stride]
        for level in (self.stem, self.res2, self.res3, self.res4, self.res5):
            slow, fast = level(slow, fast)
        features = torch.cat([slow.mean(dim=(2, 3, 4)), fast.mean(dim=(2, 3, 4))], dim=1)
        logits: Tensor = self.classifier(self.dropout(features))
        return logits


class SinglePathway(nn.Module):
    """One pathway alone."""

    def __init__(self, settings: SingleSettings, pathway: Pathway, out_channels: int) -> None:
        super().__init__()
        self._frames = settings.frames * settings.stride
        self._stride = settings.stride
        self.stem = Stem(pathway)
        self.res2, self.res3, self.res4, self.res5 = (
            stage_of(pathway, stage) for stage in range(1, LAST + 1)
        )
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(pathway.stage_width(LAST), out_channels)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Say which layer's rows are the classes."""
        return (ClassRows("classifier"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return (b, classes) logits of (b, 3, frames x stride, h, w) clips.

        Raises:
            ValueError: the clips have another number of frames.
        """
        _require_frames(clips, self._frames)
        maps = clips[:, :, :: self._stride]
        for stage in (self.stem, self.res2, self.res3, self.res4, self.res5):
            maps = stage(maps)
        logits: Tensor = self.classifier(self.dropout(maps.mean(dim=(2, 3, 4))))
        return logits


def build_slowfast(settings: SlowFastSettings, out_channels: int) -> SlowFast:
    """Build SlowFast with random weights.

    The paper's form draws them as its section 4 says; the thesis's as torch does by default.
    """
    network = SlowFast(settings, out_channels)
    if settings.form == "paper":
        draw_as_he(network)
    if settings.starts_as_identity:
        start_as_identity(network)
    return network


def build_slow_only(settings: SlowOnlySettings, out_channels: int) -> SinglePathway:
    """Build the Slow pathway with random weights."""
    return _single(settings, slow_pathway(settings, settings.width), out_channels)


def build_fast_only(settings: FastOnlySettings, out_channels: int) -> SinglePathway:
    """Build the Fast pathway with random weights."""
    return _single(settings, fast_pathway(settings, settings.width), out_channels)


def _single(settings: SingleSettings, pathway: Pathway, out_channels: int) -> SinglePathway:
    network = SinglePathway(settings, pathway, out_channels)
    draw_as_he(network)
    if settings.zero_last_gamma:
        start_as_identity(network)
    return network


def slow_pathway(settings: SlowFastSettings | SlowOnlySettings, width: int) -> Pathway:
    """Plan the pathway that convolves over time in res4 and res5 alone."""
    return Pathway(width, 1, settings.blocks, settings.temporal_blocks(FIRST_SLOW_TEMPORAL))


def fast_pathway(settings: SlowFastSettings | FastOnlySettings, width: int) -> Pathway:
    """Plan the pathway that convolves over time throughout."""
    return Pathway(width, 5, settings.blocks, settings.temporal_blocks(0))


def _pathways(settings: SlowFastSettings) -> tuple[Pathway, Pathway]:
    return slow_pathway(settings, settings.width), fast_pathway(settings, settings.fast_width)


def _require_frames(clips: Tensor, frames: int) -> None:
    if clips.shape[2] != frames:
        raise ValueError(
            f"clips must have {frames} frames, got {clips.shape[2]}; cut clips of that length"
        )
