"""Networks of pictures that show one of several classes. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType

from models.classification.attention_cnn_settings import (
    AttentionCNNSettings,
    attention_cnn_parameters,
    attention_cnn_size_rule,
)
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
from models.classification.small_cnn_settings import (
    SmallCNNSettings,
    small_cnn_parameters,
    small_cnn_size_rule,
)
from models.entries import ModelEntry, linear_in_channels

CLASSIFIERS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        "attention_cnn": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=AttentionCNNSettings,
            summary="Small CNN pooled by soft attention, whose weights show where it looks",
            size_rule=attention_cnn_size_rule,
            parameters={
                classes: attention_cnn_parameters(AttentionCNNSettings(), classes)
                for classes in range(1, 257)
            },
            builder="models.classification.attention_cnn:build_attention_cnn",
        ),
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
        "small_cnn": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=SmallCNNSettings,
            summary="A few convolutions and hidden layers, each part free to vary",
            size_rule=small_cnn_size_rule,
            parameters={
                classes: small_cnn_parameters(SmallCNNSettings(), classes)
                for classes in range(1, 257)
            },
            builder="models.classification.small_cnn:build_small_cnn",
        ),
    }
)
