"""Two-stream networks: what is seen, by one frame; what moves, by a stack of flow.

Simonyan & Zisserman 2014. The streams learn apart, each by a cross entropy of its own, and their
softmax scores are fused: by their mean, or by an SVM once that is fitted (`two_stream_trainer`).
The loss is that of the streams, whoever fuses them.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torchvision.models import VGG16_Weights  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.fitted_linear import FittedLinear
from models.tasks.clips import COLOURS
from models.video.pixels import PixelStatistics, pixels_of
from models.video.towers import Tower, cnn_m_tower, vgg16_tower
from models.video.two_stream_settings import TwoStreamSettings
from models.votes import Votes


class TwoStream(nn.Module):
    """Clips to class scores of one or two streams.

    Args:
        settings: Of streams and fusion.
        classes: There are.
    """

    def __init__(self, settings: TwoStreamSettings, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.pixels = vgg16_pixels(settings.pretrained)
        if settings.streams != "temporal":
            self.spatial = _tower(settings, classes, channels=COLOURS)
        if settings.streams != "spatial":
            self.temporal = _tower(settings, classes, channels=2 * settings.fields)
        if settings.fusion == "svm":
            self.svm = FittedLinear(2 * classes, classes)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the classes are that learn; an SVM is fitted anew."""
        return tuple(ClassRows(f"{name}.scores") for name in self.streams)

    @property
    def streams(self) -> dict[str, Tower]:
        """Return the streams there are by their names."""
        towers = {name: getattr(self, name, None) for name in ("spatial", "temporal")}
        return {name: tower for name, tower in towers.items() if tower is not None}

    def forward(self, clips: Tensor) -> Votes:
        """Return the votes of the streams, and of the SVM where it is fitted.

        Args:
            clips: (b, 3 or 5, t, h, w).

        Returns:
            (b, streams, classes) votes. Behind them the SVM's margins, where it is fitted: they
            alone decide, ordering classes as it does without being calibrated, and the streams
            alone have the loss, as in training.
        """
        if self.training:
            self._forget_svm()
        logits = self.stream_logits(clips)
        learning = (1.0,) * logits.shape[1]
        if self.is_fused and not self.training:
            margins: Tensor = self.svm(stacked_scores(logits))
            votes = torch.cat([logits, margins.unsqueeze(1)], dim=1)
            return Votes(votes, (*learning, 0.0), (*(0.0,) * len(learning), 1.0))
        return Votes(logits, loss_weights=learning, weights=(1.0,))

    @property
    def is_fused(self) -> bool:
        """Whether an SVM decides."""
        if self.settings.fusion != "svm":
            return False
        is_fitted = self.svm.is_fitted
        return not is_fitted.is_meta and bool(is_fitted)  # meta: costs are counted, none is known

    def stream_logits(self, clips: Tensor) -> Tensor:
        """Return (b, streams, classes) logits of (b, 3 or 5, t, h, w) clips."""
        logits = []
        if self.settings.streams != "temporal":
            logits.append(self.spatial(self.pixels(clips[:, :COLOURS, :1])[:, :, 0]))
        if self.settings.streams != "spatial":
            flow = clips[:, COLOURS:, : self.settings.fields]
            is_centred = self.settings.subtracts_mean_flow is not False
            logits.append(self.temporal(stacked_flow(flow, is_centred=is_centred)))
        return torch.stack(logits, dim=1)

    def _forget_svm(self) -> None:
        """Have no SVM of streams that learn on; what it was fitted to is gone."""
        if self.settings.fusion == "svm":
            self.svm.is_fitted.fill_(value=False)


def vgg16_pixels(pretrained: str) -> PixelStatistics:
    """Return what brings colours to what the streams' weights know."""
    return PixelStatistics() if pretrained == "none" else pixels_of(VGG16_Weights.IMAGENET1K_V1)


def stacked_flow(flow: Tensor, *, is_centred: bool) -> Tensor:
    """Stack fields of motion as channels: right and down of the first one, then of the second, ….

    Args:
        flow: (b, 2, fields, h, w).
        is_centred: Whether the mean of each field is subtracted.

    Returns:
        (b, 2 * fields, h, w).
    """
    if is_centred:
        flow = flow - flow.mean(dim=(3, 4), keepdim=True)
    return flow.transpose(1, 2).flatten(1, 2)


def stacked_scores(logits: Tensor) -> Tensor:
    """Return (b, streams * classes) softmax scores, each stream's scaled to length 1."""
    return normalize(logits.float().softmax(dim=2), dim=2).flatten(1)


def _tower(settings: TwoStreamSettings, classes: int, *, channels: int) -> Tower:
    width, dropout = settings.width, settings.dropout
    if settings.backbone == "vgg16":
        return vgg16_tower(channels, classes, width=width, dropout=dropout)
    # Of the temporal network the paper left the second one out, for its memory.
    has_second_norm = channels == COLOURS
    return cnn_m_tower(
        channels, classes, width=width, dropout=dropout, has_second_norm=has_second_norm
    )


def build_two_stream(settings: TwoStreamSettings, out_channels: int) -> TwoStream:
    """Build the network for a number of classes."""
    return TwoStream(settings, out_channels)
