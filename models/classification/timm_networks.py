"""timm's Inception-v4, Xception and MobileNetV1."""

from typing import Any

import timm

from models.classification.inception_settings import InceptionV4Settings, XceptionSettings
from models.classification.mobilenet_v1_settings import MobileNetV1Settings
from models.classification.pixels import pixels_in_unit_range
from models.classification.trunks import PublishedNames, TrunkNetwork, load_trunk
from models.pretrained import LoadedWeights, WeightsSource

TimmSettings = InceptionV4Settings | XceptionSettings | MobileNetV1Settings
NAMES = {
    "inception_v4": "inception_v4",
    "xception": "legacy_xception",  # timm's others are DeepLab's
    "mobilenet_v1": "mobilenetv1_100",
}
LAST = {"inception_v4": "last_linear", "xception": "fc", "mobilenet_v1": "classifier"}
SERVER = "https://huggingface.co/timm"
SOURCES = {
    "inception_v4": WeightsSource(
        f"{SERVER}/inception_v4.tf_in1k/resolve/main/model.safetensors",
        "timm.inception_v4.tf_in1k.safetensors",
    ),
    "xception": WeightsSource.named_by_hash(
        "https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-cadene/"
        "xception-43020ad28.pth"
    ),
    "mobilenet_v1": WeightsSource(
        f"{SERVER}/mobilenetv1_100.ra4_e3600_r224_in1k/resolve/main/model.safetensors",
        "timm.mobilenetv1_100.ra4_e3600_r224_in1k.safetensors",
    ),
}


def build_timm(settings: TimmSettings, out_channels: int) -> TrunkNetwork:
    """Build one of the three with random weights, drawn as timm does."""
    network: Any = timm.create_model(
        NAMES[settings.name],
        pretrained=False,
        num_classes=out_channels,
        drop_rate=settings.dropout,
    )
    pixels = pixels_in_unit_range(is_pretrained=settings.pretrained != "none")
    return TrunkNetwork(network, LAST[settings.name], pixels)


def load_timm(network: TrunkNetwork, settings: TimmSettings) -> tuple[LoadedWeights, ...]:
    """Give a network the weights of ImageNet; of the last layer if `taking_classes`.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    return load_trunk(network, SOURCES[settings.name], PublishedNames(LAST[settings.name]))
