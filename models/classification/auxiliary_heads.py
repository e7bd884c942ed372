"""GoogLeNet and Inception-v3: trunks with smaller heads on earlier stages.

In training those heads are voters that learn and have no say; afterwards they are not run.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models.googlenet import (  # type: ignore[import-untyped]
    BasicConv2d,
    Inception,
    InceptionAux,
)

from models.class_rows import ClassRows
from models.classification.inception_settings import GoogLeNetSettings, InceptionV3Settings
from models.classification.pixels import pixels_in_unit_range
from models.classification.trunks import PublishedNames, TrunkNetwork, load_trunk
from models.pretrained import LoadedWeights, WeightsSource
from models.segmentation.pooled_norm import PooledBatchNorm
from models.video.grid_pooling import GridPooling
from models.votes import Votes

LAST = "fc"
# Layers of classes of the heads.
GOOGLENET_HEADS, INCEPTION_HEADS = ("aux1.fc2", "aux2.fc2"), ("AuxLogits.fc",)
MODULES = ("inception", "Mixed_")  # how names of their modules begin
GOOGLENET_GRID = 4  # cells across the map that a head sees
GOOGLENET_HEAD_DROPOUT = 0.7  # the paper's


class VotingNetwork(TrunkNetwork):
    """Images (b, 3, h, w) to logits (b, classes), in training with those of other heads.

    Args:
        network: torchvision's, whose heads' logits it returns in training, the last head's first.
        heads: Names of the heads' last layers; none: it has no other heads.
        weight: Of each head's loss.
        is_pretrained: Whether pixels come in ImageNet's units, which its weights do not know.
    """

    def __init__(
        self, network: nn.Module, heads: tuple[str, ...], *, weight: float, is_pretrained: bool
    ) -> None:
        super().__init__(network, LAST, pixels_in_unit_range(is_pretrained=is_pretrained))
        self.heads, self.weight = heads, weight

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the logits are computed, those that decide first."""
        return (ClassRows("output"), *(ClassRows(f"features.{name}") for name in self.heads))

    @property
    def helpers(self) -> tuple[str, ...]:
        """Return the heads, which predictions do without."""
        return tuple(f"features.{name.partition('.')[0]}" for name in self.heads)

    @property
    def checkpointed_stages(self) -> tuple[str, ...]:
        """Return the inception modules."""
        names = [name for name, _ in self.features.named_children()]
        return tuple(f"features.{name}" for name in names if name.startswith(MODULES))

    def forward(self, images: Tensor) -> Tensor | Votes:  # type: ignore[override]
        """Return the votes, or in evaluation mode the logits."""
        seen = self.seen(images)
        if isinstance(seen, Tensor):
            return self.output(seen)  # type: ignore[no-any-return]
        features, *others = seen
        votes = torch.stack([self.output(features), *others], dim=1)
        rest = (self.weight,) * len(others)
        return Votes(votes, loss_weights=(1.0, *rest), weights=(1.0, *(0.0 for _ in others)))


class _Head(InceptionAux):  # type: ignore[misc]  # torchvision is untyped
    """GoogLeNet's head, with a pooling whose backward pass is deterministic on CUDA."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return logits (b, classes) of maps of any size."""
        seen = self.conv(GridPooling(GOOGLENET_GRID)(maps)).flatten(1)
        logits: Tensor = self.fc2(self.dropout(relu(self.fc1(seen))))
        return logits


def build_googlenet(settings: GoogLeNetSettings, out_channels: int) -> VotingNetwork:
    """Build GoogLeNet with random weights, drawn as torchvision does."""
    has_heads = settings.auxiliary_weight > 0
    network = models.GoogLeNet(
        num_classes=out_channels,
        aux_logits=has_heads,
        init_weights=True,
        blocks=[BasicConv2d, Inception, _Head],
        dropout=settings.dropout,
        dropout_aux=GOOGLENET_HEAD_DROPOUT,
    )
    return VotingNetwork(
        network,
        GOOGLENET_HEADS if has_heads else (),
        weight=settings.auxiliary_weight,
        is_pretrained=settings.pretrained != "none",
    )


def build_inception_v3(settings: InceptionV3Settings, out_channels: int) -> VotingNetwork:
    """Build Inception-v3 with random weights, drawn as torchvision does."""
    has_heads = settings.auxiliary_weight > 0
    network = models.Inception3(
        num_classes=out_channels,
        aux_logits=has_heads,
        init_weights=True,
        dropout=settings.dropout,
    )
    if has_heads:
        # At the paper's image size it normalises a single pixel.
        norm = network.AuxLogits.conv1.bn
        network.AuxLogits.conv1.bn = PooledBatchNorm(norm.num_features, eps=norm.eps)
    return VotingNetwork(
        network,
        INCEPTION_HEADS if has_heads else (),
        weight=settings.auxiliary_weight,
        is_pretrained=settings.pretrained != "none",
    )


def load_googlenet(
    network: VotingNetwork,
    settings: GoogLeNetSettings,  # noqa: ARG001  # there is one file
) -> tuple[LoadedWeights, ...]:
    """Give a network the weights of ImageNet; of the last layers if `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    return _load(network, models.GoogLeNet_Weights.IMAGENET1K_V1.url, GOOGLENET_HEADS)


def load_inception_v3(
    network: VotingNetwork,
    settings: InceptionV3Settings,  # noqa: ARG001  # there is one file
) -> tuple[LoadedWeights, ...]:
    """Give a network the weights of ImageNet; of the last layers if `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    return _load(network, models.Inception_V3_Weights.IMAGENET1K_V1.url, INCEPTION_HEADS)


def _load(network: VotingNetwork, url: str, heads: tuple[str, ...]) -> tuple[LoadedWeights, ...]:
    absent = () if network.heads else tuple(name.partition(".")[0] for name in heads)
    names = PublishedNames(LAST, network.heads, absent)
    return load_trunk(network, WeightsSource.named_by_hash(url), names)
