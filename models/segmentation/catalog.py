"""Networks of semantic segmentation. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType

from models.entries import ModelEntry, any_size, linear_in_channels
from models.segmentation.encoder_settings import (
    DEEPLABV3PLUS_PARAMETERS,
    DEEPLABV3PLUS_PARAMETERS_PER_CHANNEL,
    FPN_PARAMETERS,
    FPN_PARAMETERS_PER_CHANNEL,
    UNET_ENCODER_PARAMETERS,
    UNET_ENCODER_PARAMETERS_PER_CHANNEL,
    UNETPLUSPLUS_PARAMETERS,
    UNETPLUSPLUS_PARAMETERS_PER_CHANNEL,
    DeepLabV3PlusSettings,
    FPNSettings,
    UNetEncoderSettings,
    UNetPlusPlusSettings,
    deeplabv3plus_size_rule,
    pyramid_size_rule,
    unet_encoder_size_rule,
)
from models.segmentation.settings import (
    DEFAULT_UNET_PARAMETERS,
    DEFAULT_UNET_PARAMETERS_PER_CHANNEL,
    UNetSettings,
    unet_size_rule,
)
from models.segmentation.torchvision_settings import (
    DEEPLABV3_PARAMETERS,
    DEEPLABV3_PARAMETERS_PER_CHANNEL,
    FCN_RESNET_PARAMETERS,
    FCN_RESNET_PARAMETERS_PER_CHANNEL,
    LRASPP_PARAMETERS,
    LRASPP_PARAMETERS_PER_CHANNEL,
    DeepLabV3Settings,
    FCNResNetSettings,
    LRASPPSettings,
    torchvision_size_rule,
)
from models.segmentation.vgg_settings import (
    FCN8S_PARAMETERS,
    FCN8S_PARAMETERS_PER_CHANNEL,
    FCN8S_PARAMETERS_PER_PAIR,
    SEGNET_PARAMETERS,
    SEGNET_PARAMETERS_PER_CHANNEL,
    FCNSettings,
    SegNetSettings,
    segnet_size_rule,
)

SEGMENTERS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        "unet": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=UNetSettings,
            summary="U-Net: contracting and expanding path with copies across (2015)",
            size_rule=unet_size_rule,
            parameters=linear_in_channels(
                DEFAULT_UNET_PARAMETERS, DEFAULT_UNET_PARAMETERS_PER_CHANNEL
            ),
            builder="models.segmentation.unet:build_unet",
        ),
        "segnet": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=SegNetSettings,
            summary="SegNet: VGG-16 and its mirror image, maxima put back in their places (2017)",
            size_rule=segnet_size_rule,
            parameters=linear_in_channels(SEGNET_PARAMETERS, SEGNET_PARAMETERS_PER_CHANNEL),
            builder="models.segmentation.segnet:build_segnet",
            pretrain="models.segmentation.segnet:load_encoder",
        ),
        "fcn_vgg16": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=FCNSettings,
            summary="FCN-8s, 16s and 32s: VGG-16 made fully convolutional, scores added (2015)",
            size_rule=any_size,
            parameters={
                channels: FCN8S_PARAMETERS
                + FCN8S_PARAMETERS_PER_CHANNEL * channels
                + FCN8S_PARAMETERS_PER_PAIR * channels**2
                for channels in range(1, 257)
            },
            builder="models.segmentation.fcn:build_fcn",
            pretrain="models.segmentation.fcn:load_classifier",
        ),
        "fcn_resnet": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=FCNResNetSettings,
            summary="FCN on a dilated ResNet, without copies across; torchvision's",
            size_rule=torchvision_size_rule,
            parameters=linear_in_channels(
                FCN_RESNET_PARAMETERS, FCN_RESNET_PARAMETERS_PER_CHANNEL
            ),
            builder="models.segmentation.torchvision_networks:build_fcn_resnet",
            pretrain="models.segmentation.torchvision_networks:load_backbone",
        ),
        "deeplabv3": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=DeepLabV3Settings,
            summary="DeepLabv3: atrous pyramid and image pooling (2017); torchvision's",
            size_rule=torchvision_size_rule,
            parameters=linear_in_channels(DEEPLABV3_PARAMETERS, DEEPLABV3_PARAMETERS_PER_CHANNEL),
            builder="models.segmentation.torchvision_networks:build_deeplabv3",
            pretrain="models.segmentation.torchvision_networks:load_backbone",
        ),
        "lraspp": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=LRASPPSettings,
            summary="LR-ASPP on MobileNetV3-Large, small and fast (2019); torchvision's",
            size_rule=torchvision_size_rule,
            parameters=linear_in_channels(LRASPP_PARAMETERS, LRASPP_PARAMETERS_PER_CHANNEL),
            builder="models.segmentation.torchvision_networks:build_lraspp",
            pretrain="models.segmentation.torchvision_networks:load_backbone",
        ),
        "deeplabv3plus": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=DeepLabV3PlusSettings,
            summary="DeepLabv3+: atrous pyramid and decoder (2018), on a dilated encoder",
            size_rule=deeplabv3plus_size_rule,
            parameters=linear_in_channels(
                DEEPLABV3PLUS_PARAMETERS, DEEPLABV3PLUS_PARAMETERS_PER_CHANNEL
            ),
            builder="models.segmentation.encoder_networks:build_deeplabv3plus",
            pretrain="models.segmentation.encoder_networks:load_encoder",
        ),
        "unet_encoder": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=UNetEncoderSettings,
            summary="U-Net's decoder on a ResNet, VGG, DenseNet, … encoder",
            size_rule=unet_encoder_size_rule,
            parameters=linear_in_channels(
                UNET_ENCODER_PARAMETERS, UNET_ENCODER_PARAMETERS_PER_CHANNEL
            ),
            builder="models.segmentation.encoder_networks:build_unet_encoder",
            pretrain="models.segmentation.encoder_networks:load_encoder",
        ),
        "unetplusplus": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=UNetPlusPlusSettings,
            summary="U-Net++: nested decoders (2018), on any encoder",
            size_rule=pyramid_size_rule,
            parameters=linear_in_channels(
                UNETPLUSPLUS_PARAMETERS, UNETPLUSPLUS_PARAMETERS_PER_CHANNEL
            ),
            builder="models.segmentation.encoder_networks:build_unetplusplus",
            pretrain="models.segmentation.encoder_networks:load_encoder",
        ),
        "fpn": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=FPNSettings,
            summary="Feature pyramid network (2019), on any encoder",
            size_rule=pyramid_size_rule,
            parameters=linear_in_channels(FPN_PARAMETERS, FPN_PARAMETERS_PER_CHANNEL),
            builder="models.segmentation.encoder_networks:build_fpn",
            pretrain="models.segmentation.encoder_networks:load_encoder",
        ),
    }
)
