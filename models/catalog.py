"""MODELS and TASKS: every network and task a study may name. Torch-free.

Add a model: one file, one settings class, one line here; the contract tests enrol it at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from models.detection.settings import (
    MASK_RCNN_PARAMETERS,
    MASK_RCNN_PARAMETERS_PER_CHANNEL,
    MaskRCNNSettings,
    mask_rcnn_size_rule,
)
from models.metrics.names import BACKGROUND, INSTANCE_METRICS, SEGMENTATION_METRICS
from models.noop_settings import NoopSettings
from models.reference_settings import ConstantSettings, OtsuSettings
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
from models.settings import LOSSES_OF_SETTINGS, SOFTMAX_LOSSES, ModelSettings, TrainingSettings

SizeRule = Callable[[Any, int], str | None]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the study file needs to know of a model, and where the rest is.

    The strings are `module:function`, resolved at use by `importlib`.
    """

    tasks: frozenset[str]
    settings: type[ModelSettings]
    summary: str  # one line for `visionstudy models list`
    size_rule: SizeRule  # (settings, image size) -> None, or what must hold and the nearest sizes
    parameters: Mapping[int, int]  # output channels -> parameter count at default settings
    builder: str | None  # (settings, output channels) -> nn.Module; None: has its own trainer
    trainer: str = "models.training:train"  # (TrainingSession) -> TrainingResult
    scorer: str = "models.scoring:score_test"  # (TrainingSession, weights) -> TrainingResult
    pretrain: str | None = None  # (nn.Module, settings) -> models.pretrained.LoadedWeights, …


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """What the study file needs to know of a task, and where the rest is."""

    metrics: tuple[str, ...]  # what an objective may name after "val/" or "test/"
    output_channels: Callable[[TrainingSettings, Sequence[str]], int]  # of these class names
    builder: str  # (TrainingSettings, EvaluationSettings, class names) -> Task
    rescore: str | None  # (predictions file, EvaluationSettings) -> metrics, torch-free; or None
    predictor: str | None = None  # (TrainingSettings, class names) -> models.predictions.Predictor
    idle_settings: tuple[str, ...] = ()  # dotted; those that it makes nothing of
    has_one_size: bool = True  # all images of a batch have the sides of `data.image_size`


def any_size(settings: ModelSettings, image_size: int) -> str | None:  # noqa: ARG001
    """Accept every image size."""
    return None


def linear_in_channels(fixed: int, per_channel: int) -> Mapping[int, int]:
    """Return output channels -> parameters of a network whose last layer alone has channels."""
    return {channels: fixed + per_channel * channels for channels in range(1, 257)}


def segmentation_channels(training: TrainingSettings, class_names: Sequence[str]) -> int:
    """Count a sigmoid per class without the background, or a softmax over all labels."""
    has_background = class_names[0] == BACKGROUND
    return len(class_names) - (training.loss not in SOFTMAX_LOSSES and has_background)


def object_channels(training: TrainingSettings, class_names: Sequence[str]) -> int:  # noqa: ARG001
    """Count the classes and the background, which no dataset of objects has as a class."""
    return len(class_names) + 1


MODELS: Mapping[str, ModelEntry] = MappingProxyType(
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
        "mask_rcnn": ModelEntry(
            tasks=frozenset({"instance_segmentation"}),
            settings=MaskRCNNSettings,
            summary="Mask R-CNN: boxes and masks of objects, on a feature pyramid (2017)",
            size_rule=mask_rcnn_size_rule,
            parameters=linear_in_channels(MASK_RCNN_PARAMETERS, MASK_RCNN_PARAMETERS_PER_CHANNEL),
            builder="models.detection.mask_rcnn:build_mask_rcnn",
            pretrain="models.detection.mask_rcnn:load_mask_rcnn",
        ),
        "constant": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=ConstantSettings,
            summary="No network: each class's share of the training pixels, as a reference",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.references:train",
            scorer="models.references:score_test",
        ),
        "otsu": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=OtsuSettings,
            summary="No network: dark and bright by Otsu's threshold (1979), as a reference",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.references:train",
            scorer="models.references:score_test",
        ),
        "noop": ModelEntry(
            tasks=frozenset({"semantic_segmentation"}),
            settings=NoopSettings,
            summary="No network: a scripted trainer with planted scores and faults, for tests",
            size_rule=any_size,
            parameters={},
            builder=None,
            trainer="models.noop:train",
            scorer="models.noop:score_test",
        ),
    }
)
TASKS: Mapping[str, TaskEntry] = MappingProxyType(
    {
        "semantic_segmentation": TaskEntry(
            metrics=SEGMENTATION_METRICS,
            output_channels=segmentation_channels,
            builder="models.tasks.segmentation:build_task",
            rescore="models.metrics.segmentation:rescore",
            predictor="models.tasks.segmentation_predictor:build_predictor",
        ),
        "instance_segmentation": TaskEntry(
            metrics=INSTANCE_METRICS,
            output_channels=object_channels,
            builder="models.tasks.instances:build_task",
            predictor="models.tasks.instance_predictor:build_predictor",
            rescore=None,  # masks are kept as they are scored, without their probabilities
            idle_settings=(
                *(f"training.{name}" for name in ("loss", *LOSSES_OF_SETTINGS)),
                "evaluation.also",
            ),
            has_one_size=False,
        ),
    }
)
