"""Pretrained weights of SSD: VGG-16's of ImageNet, or torchvision's of COCO."""

import re
from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import (  # type: ignore[import-untyped]
    SSD300_VGG16_Weights,
    SSDLite320_MobileNet_V3_Large_Weights,
)

from models.detection.backbones import IMAGENET
from models.detection.pixel_scales import PixelScale, rescale_pixels
from models.detection.ssd import CLASSES, SSD
from models.detection.ssd_maps import SSDMaps
from models.detection.ssd_settings import SSDLiteSettings, SSDSettings
from models.detection.ssdlite import CUT
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.segmentation.vgg import rename_by, stage_layers, vgg16_source

COCO = SSD300_VGG16_Weights.COCO_V1
LITE_COCO = SSDLite320_MobileNet_V3_Large_Weights.COCO_V1
# What they were trained on: bytes without their mean, and [-1, 1].
COCO_PIXELS = PixelScale((0.48235, 0.45882, 0.40784), (1 / 255, 1 / 255, 1 / 255))
LITE_COCO_PIXELS = PixelScale((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
POOLING = 23  # torchvision's number of VGG-16's fourth pooling, where its SSD starts to count anew
COCO_CHANNELS = 91  # ids of COCO, and the background
FACTORS = "backbone.scale_weight"  # of the L2 normalisation, in torchvision's network
UNITS, SIDE = 4096, 7  # of VGG-16's connected layers; of the map before them, pixels
KEPT_UNITS, KEPT_TAPS = 4, 3  # every fourth unit, every third tap of a kernel, as the authors did


def load_ssd(network: SSD, settings: SSDSettings) -> tuple[LoadedWeights, ...]:
    """Give SSD300 or SSD512 the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    maps = cast(SSDMaps, network.backbone)
    if settings.pretrained == "imagenet":
        return (_load_vgg16(maps),)
    kept = nn.ModuleDict({"backbone": maps, "head": _head(network)})
    layers = {f"backbone.{theirs}": f"backbone.{ours}" for theirs, ours in _coco_layers(maps)}
    layers |= {
        f"head.regression_head.module_list.{level}": f"head.regression_head.module_list.{level}"
        for level in range(len(maps.out_channels))
    }
    if _knows_coco(network):
        layers |= {
            f"{CLASSES}.{level}": f"{CLASSES}.{level}" for level in range(len(maps.out_channels))
        }

    def rename(name: str) -> str | None:
        return "backbone.norm.factors" if name == FACTORS else rename_by(layers)(name)

    loaded = load_into(kept, WeightsSource.named_by_hash(COCO.url), rename=rename)
    first = cast(nn.Conv2d, maps.stages.get_submodule("0.0"))
    missing = rescale_pixels(first, COCO_PIXELS)
    with torch.no_grad():
        cast(Tensor, first.bias).add_(missing)
    return (loaded,)


def load_ssdlite(network: SSD, settings: SSDLiteSettings) -> tuple[LoadedWeights, ...]:
    """Give SSDlite the pretrained weights that the settings name.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    body = network.backbone.get_submodule("features")
    if settings.pretrained == "imagenet":
        source = WeightsSource.named_by_hash(IMAGENET["mobilenet_v3_large"].url)
        return (load_into(body, source, rename=_of_extractor),)
    kept = nn.ModuleDict({"backbone": network.backbone, "head": _head(network)})
    source = WeightsSource.named_by_hash(LITE_COCO.url)
    loaded = load_into(kept, source, rename=str if _knows_coco(network) else _without_classes)
    convolution, norm, _ = cast(list[nn.Module], list(body.get_submodule("0.0").children()))
    missing = rescale_pixels(cast(nn.Conv2d, convolution), LITE_COCO_PIXELS)
    cast(Tensor, norm.running_mean).sub_(missing)
    return (loaded,)


def _load_vgg16(maps: SSDMaps) -> LoadedWeights:
    """Give the convolutions VGG-16's, and the next two its connected layers, thinned out."""
    channels, units = maps.out_channels[0], slice(None, None, KEPT_UNITS)
    kept = nn.ModuleDict({"stages": maps.stages})
    kept["first"] = full = nn.Linear(channels * SIDE**2, UNITS)
    kept["second"] = later = nn.Linear(UNITS, UNITS)
    layers = {
        **{theirs: f"stages.{ours}" for theirs, ours in stage_layers(maps.stages).items()},
        "classifier.0": "first",
        "classifier.3": "second",
    }
    loaded = load_into(kept, vgg16_source(batch_norm=False), rename=rename_by(layers))
    taps = full.weight.view(UNITS, channels, SIDE, SIDE)[units, :, ::KEPT_TAPS, ::KEPT_TAPS]
    maps.connected.load_state_dict(
        {
            "0.weight": taps,
            "0.bias": full.bias[units],
            "2.weight": later.weight[units, units, None, None],
            "2.bias": later.bias[units],
        }
    )
    return loaded


def _coco_layers(maps: SSDMaps) -> Iterator[tuple[str, str]]:
    """Yield layer of torchvision's backbone, layer of ours."""
    for theirs, ours in stage_layers(maps.stages).items():
        number = int(theirs.removeprefix("features."))
        is_before = number < POOLING
        yield theirs if is_before else f"extra.0.{number - POOLING}", f"stages.{ours}"
    for theirs, place in (("1", 0), ("3", 2)):
        yield f"extra.0.7.{theirs}", f"connected.{place}"
    for number in range(len(maps.extra)):
        for place in (0, 2):
            yield f"extra.{number + 1}.{place}", f"extra.{number}.{place}"


def _knows_coco(network: SSD) -> bool:
    """Whether its layers of classes are of as many as torchvision's have."""
    rows = network.class_rows[0]
    layer = cast(nn.Conv2d, network.get_submodule(rows.layer))
    return layer.out_channels == rows.repeats * COCO_CHANNELS


def _head(network: SSD) -> nn.Module:
    """Return the layers of boxes, and those of scores: without the last of other classes."""
    if _knows_coco(network):
        return network.head
    scores = network.head.get_submodule("classification_head.module_list").children()
    before = [layers[:-1] for layers in scores if isinstance(layers, nn.Sequential)]
    regression = network.head.get_submodule("regression_head")
    kept = nn.ModuleDict({"regression_head": regression})
    kept["classification_head"] = nn.ModuleDict({"module_list": nn.ModuleList(before)})
    return kept


def _without_classes(name: str) -> str | None:
    """Leave out the last layer of the scores of each map."""
    return None if re.match(rf"{re.escape(CLASSES)}\.\d+\.1\.", name) else name


def _of_extractor(name: str) -> str | None:
    """Rename a layer of MobileNetV3 to what torchvision cuts into two at its 13th block.

    The first half ends with that block's expansion, whose output is SSDlite's first map.
    """
    kind, number, *rest = name.split(".")
    if kind != "features":
        return None
    after = int(number) - CUT
    if after:
        half = ["0", number] if after < 0 else ["1", str(after)]
        return ".".join(half + rest)
    _, part, *rest = rest
    return ".".join((["0", number] if part == "0" else ["1", "0", part]) + rest)
