"""I3D: Inception-v1 with every filter and pooling inflated over time.

Carreira & Zisserman 2017, figure 3: the first two poolings keep all frames. Padding is as in
torchvision's GoogLeNet, whose layers have the same names here, so that its weights fit: of a clip
that stands still the inflated network sees at each moment what GoogLeNet sees of the picture.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torchvision.models import GoogLeNet_Weights, googlenet  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.video.inception import STEM, Branches, modules_of
from models.video.inception_settings import I3DSettings
from models.video.initialisation import draw_rectified
from models.video.pooling import AveragePool, MaxPool
from models.video.widths import scaled

COLOURS = 3
FLOW = 2
NORM_EPSILON = 0.001
LEFT_OUT = ("fc.", "aux1.", "aux2.")  # of GoogLeNet


class I3D(nn.Module):
    """Clips (b, 3 or 5, t, h, w) to logits (b, classes)."""

    def __init__(self, settings: I3DSettings, classes: int) -> None:
        super().__init__()
        self.sees_flow = settings.sees == "flow"
        self.features, channels = _features(
            FLOW if self.sees_flow else COLOURS, width=settings.width
        )
        self.pooling = AveragePool((2, 7, 7))
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Conv3d(channels, classes, 1)
        self.apply(draw_rectified)
        nn.init.normal_(self.output.weight, std=0.01)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed."""
        return (ClassRows("output"),)

    def forward(self, clips: Tensor) -> Tensor:
        """Return the mean over time, and over space in large clips, of the logits."""
        seen = clips[:, COLOURS:] if self.sees_flow else clips
        maps = self.dropout(self.pooling(self.features(seen)))
        logits: Tensor = self.output(maps).mean(dim=(2, 3, 4))
        return logits


class Convolution(nn.Module):
    """A convolution over time and space, normalised and rectified; size changes by stride."""

    def __init__(self, before: int, after: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            before, after, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.bn = nn.BatchNorm3d(after, eps=NORM_EPSILON)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of `after` channels."""
        return torch.relu(self.bn(self.conv(maps)))


class InceptionModule(nn.Module):
    """Four branches side by side, their outputs put together as channels."""

    def __init__(self, before: int, branches: Branches) -> None:
        super().__init__()
        self.branch1 = Convolution(before, branches.single, 1)
        self.branch2 = nn.Sequential(
            Convolution(before, branches.before_third, 1),
            Convolution(branches.before_third, branches.third, 3),
        )
        self.branch3 = nn.Sequential(
            Convolution(before, branches.before_fifth, 1),
            Convolution(branches.before_fifth, branches.fifth, 3),
        )
        self.branch4 = nn.Sequential(
            MaxPool((3, 3, 3), (1, 1, 1), padding=(1, 1, 1)),
            Convolution(before, branches.pooled, 1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same size."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(maps) for branch in branches], dim=1)


def build_i3d(settings: I3DSettings, out_channels: int) -> I3D:
    """Build I3D with random weights, drawn as He et al. 2015 do: the paper starts from others."""
    return I3D(settings, out_channels)


def load_inflated(network: I3D, settings: I3DSettings) -> tuple[LoadedWeights, ...]:  # noqa: ARG001
    """Give all layers but the last GoogLeNet's weights, inflated over time.

    GoogLeNet's were trained on pixels in [-1, 1], which clips come in.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    with torch.random.fork_rng(devices=[]):  # the network's own weights were drawn already
        pictures: nn.Module = googlenet(weights=None, aux_logits=False, init_weights=False)
    pictures.fc = nn.Identity()
    source = WeightsSource.named_by_hash(GoogLeNet_Weights.IMAGENET1K_V1.url)
    loaded = load_into(pictures, source, rename=name_in_features)
    network.features.load_state_dict(inflated(pictures.state_dict(), network.features))
    return (loaded,)


def name_in_features(name: str) -> str | None:
    """Return what the network calls a weight of GoogLeNet; None: it lacks it."""
    return None if name.startswith(LEFT_OUT) else name


def inflated(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Repeat filters over time and divide them by the times (section 2.1).

    Args:
        weights: Of a network of pictures.
        network: Of clips, whose filters (out, in, t, h, w) say how often.
    """
    inflated = dict(weights)
    for name, own in network.state_dict().items():
        if own.ndim == 5:
            frames = own.shape[2]
            inflated[name] = weights[name].unsqueeze(2).expand_as(own) / frames
    return inflated


def _features(channels: int, *, width: float) -> tuple[nn.Sequential, int]:
    """Return all layers but the last, and the channels that they return."""
    first, second, third = (scaled(count, width) for count in STEM)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=Convolution(channels, first, 7, stride=2),
        pool1=MaxPool((1, 3, 3), (1, 2, 2), ceil_mode=True),
        conv2=Convolution(first, second, 1),
        conv3=Convolution(second, third, 3),
        pool2=MaxPool((1, 3, 3), (1, 2, 2), ceil_mode=True),
    )
    channels = third
    for name, branches in modules_of(width).items():
        if name == "4a":
            layers["pool3"] = MaxPool((3, 3, 3), (2, 2, 2), ceil_mode=True)
        elif name == "5a":
            layers["pool4"] = MaxPool((2, 2, 2), (2, 2, 2), ceil_mode=True)
        layers[f"inception{name}"] = InceptionModule(channels, branches)
        channels = branches.out_channels
    return nn.Sequential(layers), channels
