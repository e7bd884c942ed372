"""Networks of pictures that show one of several classes. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType

from models.classification.attention_cnn_settings import (
    AttentionCNNSettings,
    attention_cnn_parameters,
    attention_cnn_size_rule,
)
from models.classification.inception_settings import (
    GOOGLENET_PARAMETERS,
    GOOGLENET_PARAMETERS_PER_CHANNEL,
    INCEPTION_V3_PARAMETERS,
    INCEPTION_V3_PARAMETERS_PER_CHANNEL,
    INCEPTION_V4_PARAMETERS,
    INCEPTION_V4_PARAMETERS_PER_CHANNEL,
    XCEPTION_PARAMETERS,
    XCEPTION_PARAMETERS_PER_CHANNEL,
    GoogLeNetSettings,
    InceptionV3Settings,
    InceptionV4Settings,
    XceptionSettings,
    googlenet_size_rule,
    inception_v3_size_rule,
    inception_v4_size_rule,
    xception_size_rule,
)
from models.classification.lenet5_settings import (
    LENET5_PARAMETERS,
    LENET5_PARAMETERS_PER_CHANNEL,
    LeNet5Settings,
    lenet5_size_rule,
)
from models.classification.mobilenet_v1_settings import (
    MOBILENET_V1_PARAMETERS,
    MOBILENET_V1_PARAMETERS_PER_CHANNEL,
    MobileNetV1Settings,
    mobilenet_v1_size_rule,
)
from models.classification.plain_settings import (
    ALEXNET_PARAMETERS,
    PARAMETERS_PER_CHANNEL,
    VGG_PARAMETERS,
    ZFNET_PARAMETERS,
    AlexNetSettings,
    VGGSettings,
    ZFNetSettings,
    alexnet_size_rule,
    vgg_size_rule,
    zfnet_size_rule,
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
from models.classification.torchvision_settings import (
    EFFICIENTNET_PARAMETERS,
    EFFICIENTNET_PARAMETERS_PER_CHANNEL,
    MOBILENET_V2_PARAMETERS,
    MOBILENET_V2_PARAMETERS_PER_CHANNEL,
    MOBILENET_V3_PARAMETERS,
    MOBILENET_V3_PARAMETERS_PER_CHANNEL,
    EfficientNetSettings,
    MobileNetV2Settings,
    MobileNetV3Settings,
    torchvision_size_rule,
)
from models.entries import ModelEntry, linear_in_channels

IMAGENET = {"imagenet": "models.classification.pretrained_classes:imagenet"}

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
        "lenet5": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=LeNet5Settings,
            summary="LeNet-5 for small pictures, of 1998 and as it is built today",
            size_rule=lenet5_size_rule,
            parameters=linear_in_channels(LENET5_PARAMETERS, LENET5_PARAMETERS_PER_CHANNEL),
            builder="models.classification.lenet5:build_lenet5",
        ),
        "alexnet": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=AlexNetSettings,
            summary="AlexNet: five convolutions, three connected layers (2012), in three forms",
            size_rule=alexnet_size_rule,
            parameters=linear_in_channels(ALEXNET_PARAMETERS, PARAMETERS_PER_CHANNEL),
            builder="models.classification.plain:build_alexnet",
            pretrain="models.classification.plain_weights:load_alexnet",
            pretrained_classes=IMAGENET,
        ),
        "zfnet": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=ZFNetSettings,
            summary="ZFNet: AlexNet with smaller first filters (2014)",
            size_rule=zfnet_size_rule,
            parameters=linear_in_channels(ZFNET_PARAMETERS, PARAMETERS_PER_CHANNEL),
            builder="models.classification.plain:build_zfnet",
        ),
        "vgg": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=VGGSettings,
            summary="VGG of 11 to 19 layers: 3x3 filters alone (2015)",
            size_rule=vgg_size_rule,
            parameters=linear_in_channels(VGG_PARAMETERS, PARAMETERS_PER_CHANNEL),
            builder="models.classification.plain:build_vgg",
            pretrain="models.classification.plain_weights:load_vgg",
            pretrained_classes=IMAGENET,
        ),
        "googlenet": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=GoogLeNetSettings,
            summary="GoogLeNet: inception modules, two heads on the way (2015); torchvision's",
            size_rule=googlenet_size_rule,
            parameters=linear_in_channels(GOOGLENET_PARAMETERS, GOOGLENET_PARAMETERS_PER_CHANNEL),
            builder="models.classification.auxiliary_heads:build_googlenet",
            pretrain="models.classification.auxiliary_heads:load_googlenet",
            pretrained_classes=IMAGENET,
        ),
        "inception_v3": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=InceptionV3Settings,
            summary="Inception-v3: filters taken apart, one head on the way (2016); torchvision's",
            size_rule=inception_v3_size_rule,
            parameters=linear_in_channels(
                INCEPTION_V3_PARAMETERS, INCEPTION_V3_PARAMETERS_PER_CHANNEL
            ),
            builder="models.classification.auxiliary_heads:build_inception_v3",
            pretrain="models.classification.auxiliary_heads:load_inception_v3",
            pretrained_classes=IMAGENET,
        ),
        "inception_v4": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=InceptionV4Settings,
            summary="Inception-v4: more and simpler modules (2017); timm's",
            size_rule=inception_v4_size_rule,
            parameters=linear_in_channels(
                INCEPTION_V4_PARAMETERS, INCEPTION_V4_PARAMETERS_PER_CHANNEL
            ),
            builder="models.classification.timm_networks:build_timm",
            pretrain="models.classification.timm_networks:load_timm",
            pretrained_classes=IMAGENET,
        ),
        "xception": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=XceptionSettings,
            summary="Xception: convolutions of space and of channels apart (2017); timm's",
            size_rule=xception_size_rule,
            parameters=linear_in_channels(XCEPTION_PARAMETERS, XCEPTION_PARAMETERS_PER_CHANNEL),
            builder="models.classification.timm_networks:build_timm",
            pretrain="models.classification.timm_networks:load_timm",
            pretrained_classes=IMAGENET,
        ),
        "mobilenet_v1": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=MobileNetV1Settings,
            summary="MobileNet: the same, for telephones (2017); timm's",
            size_rule=mobilenet_v1_size_rule,
            parameters=linear_in_channels(
                MOBILENET_V1_PARAMETERS, MOBILENET_V1_PARAMETERS_PER_CHANNEL
            ),
            builder="models.classification.timm_networks:build_timm",
            pretrain="models.classification.timm_networks:load_timm",
            pretrained_classes=IMAGENET,
        ),
        "mobilenet_v2": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=MobileNetV2Settings,
            summary="MobileNetV2: thin maps between wide ones (2018); torchvision's",
            size_rule=torchvision_size_rule,
            parameters=linear_in_channels(
                MOBILENET_V2_PARAMETERS, MOBILENET_V2_PARAMETERS_PER_CHANNEL
            ),
            builder="models.classification.torchvision_networks:build_mobilenet_v2",
            pretrain="models.classification.torchvision_networks:load_torchvision",
            pretrained_classes=IMAGENET,
        ),
        "mobilenet_v3": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=MobileNetV3Settings,
            summary="MobileNetV3, small and large: found by a search (2019); torchvision's",
            size_rule=torchvision_size_rule,
            parameters=linear_in_channels(
                MOBILENET_V3_PARAMETERS, MOBILENET_V3_PARAMETERS_PER_CHANNEL
            ),
            builder="models.classification.torchvision_networks:build_mobilenet_v3",
            pretrain="models.classification.torchvision_networks:load_torchvision",
            pretrained_classes=IMAGENET,
        ),
        "efficientnet": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=EfficientNetSettings,
            summary="EfficientNet b0 to b7: all scaled up together (2019); torchvision's",
            size_rule=torchvision_size_rule,
            parameters=linear_in_channels(
                EFFICIENTNET_PARAMETERS, EFFICIENTNET_PARAMETERS_PER_CHANNEL
            ),
            builder="models.classification.torchvision_networks:build_efficientnet",
            pretrain="models.classification.torchvision_networks:load_torchvision",
            pretrained_classes=IMAGENET,
        ),
        "resnet": ModelEntry(
            tasks=frozenset({"image_classification"}),
            settings=ResNetSettings,
            summary="ResNet of 18 to 152 layers: blocks with a way around them (2016)",
            size_rule=resnet_size_rule,
            parameters=linear_in_channels(RESNET_50_PARAMETERS, RESNET_50_PARAMETERS_PER_CHANNEL),
            builder="models.classification.resnet:build_resnet",
            pretrain="models.classification.resnet:load_resnet",
            pretrained_classes=IMAGENET,
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
