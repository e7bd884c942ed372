"""ImageNet's weights in streams of VGG-16, of colours and of motion.

Both streams start from them, as those of Feichtenhofer et al. 2016 do. The first convolution of
motion has the mean over red, green and blue of the pretrained one for each of its channels (Wang
et al. 2015, "Towards Good Practices for Very Deep Two-Stream ConvNets").
"""

import torch
from torch import Tensor, nn

from models.pretrained import LoadedWeights, load_into
from models.segmentation.vgg import CONVOLUTIONS, rename_by, vgg16_source
from models.video.towers import Tower, vgg16_tower
from models.video.two_stream import TwoStream
from models.video.two_stream_fusion import TwoStreamFusion
from models.video.two_stream_settings import TwoStreamFusionSettings, TwoStreamSettings


def load_two_stream(network: TwoStream, _: TwoStreamSettings) -> tuple[LoadedWeights, ...]:
    """Give the streams ImageNet's weights for all but the last layers.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    trunk, loaded = _imagenet()
    for stream in network.streams.values():
        start_trunk(stream.trunk, trunk)
    return (loaded,)


def load_fusion(network: TwoStreamFusion, _: TwoStreamFusionSettings) -> tuple[LoadedWeights, ...]:
    """Give streams and heads ImageNet's weights, but not the fusion and the last layers.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    trunk, loaded = _imagenet()
    start_fusion(network, trunk)
    return (loaded,)


def start_fusion(network: TwoStreamFusion, trunk: nn.Module) -> None:
    """Copy a trunk of VGG-16 to both streams and to both heads."""
    convolutions, hidden = trunk.get_submodule("0.0"), trunk.get_submodule("2")
    for stream in (network.spatial, network.temporal):
        start_trunk(stream, convolutions)
    for head in (network.fused_head, network.temporal_head):
        head.trunk.get_submodule("2").load_state_dict(hidden.state_dict())


def start_trunk(module: nn.Module, pretrained: nn.Module) -> None:
    """Copy weights to a module of the same layers, whose pictures may have other channels."""
    own = module.state_dict()
    module.load_state_dict(
        {name: _of_channels(value, own[name]) for name, value in pretrained.state_dict().items()}
    )


def vgg16_layers() -> dict[str, str]:
    """Return layer of torchvision's VGG-16 -> layer of the trunk of ours."""
    layers = {"classifier.0": "2.0", "classifier.3": "2.3"}
    first = 0
    for stage, convolutions in enumerate(CONVOLUTIONS):
        # Each convolution has a ReLU behind it, and each stage a pooling.
        for place in range(0, 2 * convolutions, 2):
            layers[f"features.{first + place}"] = f"0.0.{2 * stage}.{place}"
        first += 2 * convolutions + 1
    return layers


def _imagenet() -> tuple[nn.Module, LoadedWeights]:
    with torch.device("meta"):  # nothing is drawn: every value comes from the file
        tower: Tower = vgg16_tower(3, 1, width=1, dropout=0.0)
    trunk = tower.trunk.to_empty(device=torch.get_default_device())
    return trunk, load_into(
        trunk, vgg16_source(batch_norm=False), rename=rename_by(vgg16_layers())
    )


def _of_channels(weight: Tensor, own: Tensor) -> Tensor:
    """Return a weight; the mean over its channels, for each of another number of them."""
    if weight.shape == own.shape:
        return weight
    return weight.mean(dim=1, keepdim=True).expand(own.shape)
