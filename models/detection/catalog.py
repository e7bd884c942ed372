"""Networks that find objects: boxes, and masks where they have them. Torch-free."""

from collections.abc import Mapping
from types import MappingProxyType

from models.detection.fast_rcnn_settings import (
    FAST_RESNET_PARAMETERS,
    FAST_RESNET_PARAMETERS_PER_CHANNEL,
    FAST_VGG16_PARAMETERS,
    FAST_VGG16_PARAMETERS_PER_CHANNEL,
    FastRCNNResNetSettings,
    FastRCNNVGG16Settings,
)
from models.detection.faster_rcnn_settings import (
    MOBILENET_PARAMETERS,
    MOBILENET_PARAMETERS_PER_CHANNEL,
    RESNET_PARAMETERS,
    RESNET_PARAMETERS_PER_CHANNEL,
    VGG16_PARAMETERS,
    VGG16_PARAMETERS_PER_CHANNEL,
    FasterRCNNMobileNetSettings,
    FasterRCNNResNetSettings,
    FasterRCNNVGG16Settings,
    region_pyramid_size_rule,
    vgg16_size_rule,
)
from models.detection.localizer_settings import (
    LOCALIZER_PARAMETERS,
    LOCALIZER_PARAMETERS_PER_CHANNEL,
    LocalizerSettings,
    localizer_size_rule,
)
from models.detection.one_stage_settings import (
    FCOS_PARAMETERS,
    FCOS_PARAMETERS_PER_CHANNEL,
    RETINANET_PARAMETERS,
    RETINANET_PARAMETERS_PER_CHANNEL,
    FCOSSettings,
    RetinaNetSettings,
    one_stage_size_rule,
)
from models.detection.rcnn.settings import (
    RCNN_PARAMETERS,
    RCNN_PARAMETERS_PER_CHANNEL,
    RCNNSettings,
    rcnn_size_rule,
)
from models.detection.settings import (
    MASK_RCNN_PARAMETERS,
    MASK_RCNN_PARAMETERS_PER_CHANNEL,
    MaskRCNNSettings,
    mask_rcnn_size_rule,
)
from models.detection.ssd_settings import (
    SSD300_PARAMETERS,
    SSD300_PARAMETERS_PER_CHANNEL,
    SSD512_PARAMETERS,
    SSD512_PARAMETERS_PER_CHANNEL,
    SSDLITE_PARAMETERS,
    SSDLITE_PARAMETERS_PER_CHANNEL,
    SSD300Settings,
    SSD512Settings,
    SSDLiteSettings,
    ssd_size_rule,
    ssdlite_size_rule,
)
from models.detection.yolo.settings import (
    YOLOV1_PARAMETERS,
    YOLOV1_PARAMETERS_PER_CHANNEL,
    YOLOV2_PARAMETERS,
    YOLOV2_PARAMETERS_PER_CHANNEL,
    YOLOV3_PARAMETERS,
    YOLOV3_PARAMETERS_PER_CHANNEL,
    YOLOV3_TINY_PARAMETERS,
    YOLOV3_TINY_PARAMETERS_PER_CHANNEL,
    YOLOv1Settings,
    YOLOv2Settings,
    YOLOv3Settings,
    YOLOv3TinySettings,
    yolo_size_rule,
    yolov1_size_rule,
)
from models.entries import ModelEntry, linear_in_channels

TORCHVISION_COCO = "models.detection.pretrained_classes:torchvision_coco"
COCO_FROM_ZERO = "models.detection.pretrained_classes:torchvision_coco_with_zero"
DARKNET_CLASSES = {
    "coco": "models.detection.pretrained_classes:darknet_coco",
    "voc": "models.detection.pretrained_classes:darknet_voc",
}

DETECTORS: Mapping[str, ModelEntry] = MappingProxyType(
    {
        "mask_rcnn": ModelEntry(
            tasks=frozenset({"instance_segmentation"}),
            settings=MaskRCNNSettings,
            summary="Mask R-CNN: boxes and masks of objects, on a feature pyramid (2017)",
            size_rule=mask_rcnn_size_rule,
            parameters=linear_in_channels(MASK_RCNN_PARAMETERS, MASK_RCNN_PARAMETERS_PER_CHANNEL),
            builder="models.detection.mask_rcnn:build_mask_rcnn",
            pretrain="models.detection.mask_rcnn:load_mask_rcnn",
        ),
        "faster_rcnn_vgg16": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=FasterRCNNVGG16Settings,
            summary="Faster R-CNN on VGG-16, the original's and the thesis's form (2015)",
            size_rule=vgg16_size_rule,
            parameters=linear_in_channels(VGG16_PARAMETERS, VGG16_PARAMETERS_PER_CHANNEL),
            builder="models.detection.faster_rcnn:build_vgg16",
            pretrain="models.detection.faster_rcnn:load_vgg16",
        ),
        "faster_rcnn_resnet": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=FasterRCNNResNetSettings,
            summary="Faster R-CNN on a ResNet's feature pyramid (2017); torchvision's",
            size_rule=region_pyramid_size_rule,
            parameters=linear_in_channels(RESNET_PARAMETERS, RESNET_PARAMETERS_PER_CHANNEL),
            builder="models.detection.faster_rcnn:build_resnet",
            pretrain="models.detection.faster_rcnn:load_resnet",
            pretrained_classes={"coco": TORCHVISION_COCO},
        ),
        "faster_rcnn_mobilenet": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=FasterRCNNMobileNetSettings,
            summary="Faster R-CNN on MobileNetV3's feature pyramid, small and fast; torchvision's",
            size_rule=region_pyramid_size_rule,
            parameters=linear_in_channels(MOBILENET_PARAMETERS, MOBILENET_PARAMETERS_PER_CHANNEL),
            builder="models.detection.faster_rcnn:build_mobilenet",
            pretrain="models.detection.faster_rcnn:load_mobilenet",
            pretrained_classes={"coco": TORCHVISION_COCO},
        ),
        "fast_rcnn_vgg16": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=FastRCNNVGG16Settings,
            summary="Fast R-CNN on VGG-16: regions of selective search on shared maps (2015)",
            size_rule=vgg16_size_rule,
            parameters=linear_in_channels(
                FAST_VGG16_PARAMETERS, FAST_VGG16_PARAMETERS_PER_CHANNEL
            ),
            builder="models.detection.fast_rcnn:build_vgg16",
            pretrain="models.detection.faster_rcnn:load_vgg16",
        ),
        "fast_rcnn_resnet": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=FastRCNNResNetSettings,
            summary="Fast R-CNN on a ResNet, smaller and faster (2015)",
            size_rule=vgg16_size_rule,
            parameters=linear_in_channels(
                FAST_RESNET_PARAMETERS, FAST_RESNET_PARAMETERS_PER_CHANNEL
            ),
            builder="models.detection.fast_rcnn:build_resnet",
            pretrain="models.detection.fast_rcnn:load_resnet",
        ),
        "rcnn": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=RCNNSettings,
            summary="R-CNN: AlexNet on each region of selective search, then SVMs (2014)",
            size_rule=rcnn_size_rule,
            parameters=linear_in_channels(RCNN_PARAMETERS, RCNN_PARAMETERS_PER_CHANNEL),
            builder="models.detection.rcnn.network:build_rcnn",
            trainer="models.detection.rcnn.trainer:train",
            pretrain="models.detection.rcnn.network:load_rcnn",
        ),
        "localizer": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=LocalizerSettings,
            summary="A classifier that also says where the one object of an image is",
            size_rule=localizer_size_rule,
            parameters=linear_in_channels(LOCALIZER_PARAMETERS, LOCALIZER_PARAMETERS_PER_CHANNEL),
            builder="models.detection.localizer:build_localizer",
            pretrain="models.detection.localizer:load_localizer",
            needs_square=True,
        ),
        "retinanet": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=RetinaNetSettings,
            summary="RetinaNet: anchors on a pyramid's levels, focal loss (2017); torchvision's",
            size_rule=one_stage_size_rule,
            parameters=linear_in_channels(RETINANET_PARAMETERS, RETINANET_PARAMETERS_PER_CHANNEL),
            builder="models.detection.retinanet:build_retinanet",
            pretrain="models.detection.retinanet:load_retinanet",
            pretrained_classes={"coco": COCO_FROM_ZERO},
        ),
        "fcos": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=FCOSSettings,
            summary="FCOS: distances to borders instead of anchors, focal loss (2019)",
            size_rule=one_stage_size_rule,
            parameters=linear_in_channels(FCOS_PARAMETERS, FCOS_PARAMETERS_PER_CHANNEL),
            builder="models.detection.fcos:build_fcos",
            pretrain="models.detection.fcos:load_fcos",
            pretrained_classes={"coco": COCO_FROM_ZERO},
        ),
        "ssd300": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=SSD300Settings,
            summary="SSD300: default boxes on six maps of VGG-16 and beyond (2016)",
            size_rule=ssd_size_rule,
            parameters=linear_in_channels(SSD300_PARAMETERS, SSD300_PARAMETERS_PER_CHANNEL),
            builder="models.detection.ssd:build_ssd",
            pretrain="models.detection.ssd_weights:load_ssd",
            pretrained_classes={"coco": TORCHVISION_COCO},
            needs_square=True,
        ),
        "ssd512": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=SSD512Settings,
            summary="SSD512: default boxes on seven maps of VGG-16 and beyond (2016)",
            size_rule=ssd_size_rule,
            parameters=linear_in_channels(SSD512_PARAMETERS, SSD512_PARAMETERS_PER_CHANNEL),
            builder="models.detection.ssd:build_ssd",
            pretrain="models.detection.ssd_weights:load_ssd",
            needs_square=True,
        ),
        "ssdlite": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=SSDLiteSettings,
            summary="SSDlite on MobileNetV3-Large, small and fast (2019); torchvision's",
            size_rule=ssdlite_size_rule,
            parameters=linear_in_channels(SSDLITE_PARAMETERS, SSDLITE_PARAMETERS_PER_CHANNEL),
            builder="models.detection.ssdlite:build_ssdlite",
            pretrain="models.detection.ssd_weights:load_ssdlite",
            pretrained_classes={"coco": TORCHVISION_COCO},
            needs_square=True,
        ),
        "yolov1": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=YOLOv1Settings,
            summary="YOLOv1: boxes and classes of a grid of cells, in one pass (2016)",
            size_rule=yolov1_size_rule,
            parameters=linear_in_channels(YOLOV1_PARAMETERS, YOLOV1_PARAMETERS_PER_CHANNEL),
            builder="models.detection.yolo.yolov1:build_yolov1",
            needs_square=True,
        ),
        "yolov2": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=YOLOv2Settings,
            summary="YOLOv2: Darknet-19 with a passthrough layer and priors (2017)",
            size_rule=yolo_size_rule,
            parameters=linear_in_channels(YOLOV2_PARAMETERS, YOLOV2_PARAMETERS_PER_CHANNEL),
            builder="models.detection.yolo.yolov2:build_yolov2",
            pretrain="models.detection.yolo.pretrained:load_yolo",
            pretrained_classes=DARKNET_CLASSES,
        ),
        "yolov3": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=YOLOv3Settings,
            summary="YOLOv3: Darknet-53 and boxes on maps of three resolutions (2018)",
            size_rule=yolo_size_rule,
            parameters=linear_in_channels(YOLOV3_PARAMETERS, YOLOV3_PARAMETERS_PER_CHANNEL),
            builder="models.detection.yolo.yolov3:build_yolov3",
            pretrain="models.detection.yolo.pretrained:load_yolo",
            pretrained_classes=DARKNET_CLASSES,
        ),
        "yolov3_tiny": ModelEntry(
            tasks=frozenset({"object_detection"}),
            settings=YOLOv3TinySettings,
            summary="YOLOv3-tiny: 13 convolutions and boxes on maps of two resolutions",
            size_rule=yolo_size_rule,
            parameters=linear_in_channels(
                YOLOV3_TINY_PARAMETERS, YOLOV3_TINY_PARAMETERS_PER_CHANNEL
            ),
            builder="models.detection.yolo.yolov3:build_yolov3_tiny",
            pretrain="models.detection.yolo.pretrained:load_yolo",
            pretrained_classes=DARKNET_CLASSES,
        ),
    }
)
