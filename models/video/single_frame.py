"""A network of single frames, which cannot see motion: the control of all others."""

from typing import Any, NamedTuple

from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.video.frame_choice import evenly_spaced
from models.video.pixels import PixelStatistics, pixels_of
from models.video.single_stream import CONNECTED, Connected, Times, Trunk, draw_network
from models.video.single_stream_settings import SingleFrameSettings
from models.video.widths import scaled
from models.votes import Votes

LAST = "fc."


class _ResNet(NamedTuple):
    build: Any  # torchvision's function
    weights: Any  # torchvision's enum member


RESNETS = {
    "resnet18": _ResNet(models.resnet18, models.ResNet18_Weights.IMAGENET1K_V1),
    "resnet50": _ResNet(models.resnet50, models.ResNet50_Weights.IMAGENET1K_V1),
}


class SingleFrame(nn.Module):
    """Clips (b, 3, t, h, w) to the votes of frames spread evenly over them."""

    def __init__(self, settings: SingleFrameSettings, classes: int) -> None:
        super().__init__()
        self.voters = settings.voters
        self.pixels = PixelStatistics()
        if settings.backbone == "karpathy":
            self.features: nn.Module = nn.Sequential(
                Trunk(Times(), width=settings.width),
                Connected(width=settings.width, grid=settings.grid, dropout=settings.dropout),
            )
            self.output = nn.Linear(scaled(CONNECTED, settings.width), classes)
            draw_network(self, self.output)
            return
        build, weights = RESNETS[settings.backbone]
        if settings.pretrained != "none":
            self.pixels = pixels_of(weights)
        resnet = build(weights=None, num_classes=classes)
        self.output = resnet.fc
        resnet.fc = nn.Dropout(settings.dropout)
        self.features = OfPictures(resnet)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, clips: Tensor) -> Votes:
        """Return each frame's logits, which learn and count alike."""
        seen = self.pixels(clips[:, :, evenly_spaced(clips.shape[2], self.voters)])
        frames = seen.transpose(1, 2).flatten(0, 1).unsqueeze(2)  # (b * voters, 3, 1, h, w)
        logits = self.output(self.features(frames))
        return Votes(logits.unflatten(0, (-1, self.voters)), loss_weights=(1.0,), weights=(1.0,))


class OfPictures(nn.Module):
    """A network of pictures for clips (b, 3, 1, h, w) of one frame."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor) -> Tensor:
        """Return what the network says of the pictures."""
        features: Tensor = self.network(clips.squeeze(2))
        return features


def build_single_frame(settings: SingleFrameSettings, out_channels: int) -> SingleFrame:
    """Build it with random weights."""
    return SingleFrame(settings, out_channels)


def load_resnet(network: SingleFrame, settings: SingleFrameSettings) -> tuple[LoadedWeights, ...]:
    """Give all layers but the last the weights of ImageNet.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    source = WeightsSource.named_by_hash(RESNETS[settings.backbone].weights.url)
    resnet = network.features.get_submodule("network")
    return (load_into(resnet, source, rename=name_in_features),)


def name_in_features(name: str) -> str | None:
    """Return what the network calls a weight of torchvision's ResNet; None: it lacks it."""
    return None if name.startswith(LAST) else name
