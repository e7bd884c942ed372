"""Networks of pictures that show one of several classes. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType

from models.classification.resnet_cifar_settings import (
    ResNetCifarSettings,
    resnet_cifar_parameters,
    resnet_cifar_size_rule,
)
from models.classification.resnet_settings import (
    RESNET_50_PARAMETERS,
    RESNET_50_PARAMETERS_PER_CHANNEL,
    ResNetSettings,
    resnet_size_rule,
)
from models.entries import ModelEntry, linear_in_channels

CLASSIFIERS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        "resnet": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=ResNetSettings,
            summary="ResNet of 18 to 152 layers: blocks with a way around them (2016)",
            size_rule=resnet_size_rule,
            parameters=linear_in_channels(RESNET_50_PARAMETERS, RESNET_50_PARAMETERS_PER_CHANNEL),
            builder="models.classification.resnet:build_resnet",
            pretrain="models.classification.resnet:load_resnet",
        ),
        "resnet_cifar": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=ResNetCifarSettings,
            summary="ResNet of 8 to 110 layers for small pictures, as on CIFAR (2016)",
            size_rule=resnet_cifar_size_rule,
            parameters=linear_in_channels(resnet_cifar_parameters(ResNetCifarSettings(), 0), 65),
            builder="models.classification.resnet_cifar:build_resnet_cifar",
        ),
    }
)
