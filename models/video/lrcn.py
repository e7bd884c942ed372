"""LRCN: what CaffeNet sees of each frame, followed over time by an LSTM.

Donahue et al. 2015, section 4: features are those of the first fully connected layer; the LSTM
gives class scores at every frame, all of which learn, and whose softmaxes are averaged.
"""

import torch
from torch import Tensor, nn

from models.class_rows import ClassRows
from models.tasks.clips import COLOURS
from models.video.lrcn_settings import FLOW_UNITS, FLOW_WEIGHT, RGB_UNITS, LRCNSettings
from models.video.towers import caffenet_trunk, last_layer
from models.votes import Votes


class RecurrentStream(nn.Module):
    """Clips of three channels to class scores of every frame.

    Args:
        settings: Of width and dropout.
        units: Of the LSTM.
        classes: There are.
    """

    def __init__(self, settings: LRCNSettings, units: int, classes: int) -> None:
        super().__init__()
        self.trunk, features = caffenet_trunk(COLOURS, width=settings.width)
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = nn.LSTM(features, units, batch_first=True)
        self.scores = last_layer(units, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Return (b, t, classes) logits of (b, 3, t, h, w) clips."""
        pictures = clips.transpose(1, 2)
        features = self.trunk(pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])
        states, _ = self.lstm(self.dropout(features))
        logits: Tensor = self.scores(self.dropout(states))
        return logits


class LRCN(nn.Module):
    """Clips to class scores of every frame, by colours, by motion or by both.

    Args:
        settings: Of the streams.
        classes: There are.
    """

    def __init__(self, settings: LRCNSettings, classes: int) -> None:
        super().__init__()
        self.settings = settings
        if settings.input != "flow":
            self.rgb = RecurrentStream(settings, settings.rgb_units or RGB_UNITS, classes)
        if settings.input != "rgb":
            self.flow = RecurrentStream(settings, settings.flow_units or FLOW_UNITS, classes)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the classes are."""
        return tuple(ClassRows(f"{name}.scores") for name, _ in self.named_children())

    def forward(self, clips: Tensor) -> Votes:
        """Return the votes of every frame, colours before motion.

        Args:
            clips: (b, 3 or 5, t, h, w).
        """
        logits, frames = [], clips.shape[2]
        if self.settings.input != "flow":
            logits.append(self.rgb(clips[:, :COLOURS]))
        if self.settings.input != "rgb":
            logits.append(self.flow(with_length(clips[:, COLOURS:])))
        if self.settings.input != "both":
            return Votes(logits[0], loss_weights=(1.0,), weights=(1.0,))
        of_flow = self.settings.flow_weight or FLOW_WEIGHT
        return Votes(
            torch.cat(logits, dim=1),
            loss_weights=(1 / frames,) * (2 * frames),
            weights=(1 - of_flow,) * frames + (of_flow,) * frames,
        )


def with_length(flow: Tensor) -> Tensor:
    """Return (b, 3, t, h, w): motion right, down, and how long its arrow is."""
    return torch.cat([flow, flow.square().sum(dim=1, keepdim=True).sqrt()], dim=1)


def build_lrcn(settings: LRCNSettings, out_channels: int) -> LRCN:
    """Build the network for a number of classes."""
    return LRCN(settings, out_channels)
