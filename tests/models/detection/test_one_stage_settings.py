"""Every setting of RetinaNet, FCOS and SSD takes effect, or is refused with what to do."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from models.detection.fcos import FCOS, build_fcos
from models.detection.one_stage_settings import (
    FCOSSettings,
    RetinaNetSettings,
    one_stage_size_rule,
)
from models.detection.retinanet import RetinaNet, build_retinanet
from models.detection.ssd import SSD, build_ssd
from models.detection.ssd_settings import (
    MultiBoxSettings,
    SSD300Settings,
    SSD512Settings,
    SSDLiteSettings,
    SSDSettings,
    ssd_size_rule,
    ssdlite_size_rule,
)
from models.detection.ssdlite import build_ssdlite
from models.settings import ModelSettings

Value = Callable[[Any], Any]  # network -> what a setting became


def prior_of(network: nn.Module) -> float:
    bias = network.get_parameter("head.classification_head.cls_logits.bias")
    return float(bias.detach()[0].sigmoid())


@pytest.mark.parametrize(
    ("settings", "value", "expected"),
    [
        ({"score_threshold": 0.3}, lambda n: n.limits.score_threshold, 0.3),
        ({"candidates": 7}, lambda n: n.limits.candidates, 7),
        ({"nms": 0.3}, lambda n: n.limits.nms, 0.3),
        ({"detections": 7}, lambda n: n.limits.detections, 7),
        ({"focal_gamma": 0.5}, lambda n: n.focus[0], 0.5),
        ({"focal_alpha": 0.5}, lambda n: n.focus[1], 0.5),
        ({"head_layers": 2}, lambda n: len(n.head["classification_head"].conv), 2),
        ({"head_layers": 2}, lambda n: len(n.head["regression_head"].conv), 2),
        ({"pyramid_channels": 64}, lambda n: n.backbone.out_channels, 64),
        ({"backbone": "resnet34"}, lambda n: len(n.backbone.body["layer3"]), 6),
        ({"anchor_scales": 2}, lambda n: n.generator.sizes[0], (32, 45)),
        ({"anchor_sizes": (4, 8, 16, 32, 64)}, lambda n: n.generator.sizes[4], (64, 80, 101)),
        ({"aspect_ratios": (1.0,)}, lambda n: n.class_rows[0].repeats, 3),
        ({"foreground_iou": 0.6}, lambda n: n.matcher.high_threshold, 0.6),
        ({"background_iou": 0.2}, lambda n: n.matcher.low_threshold, 0.2),
    ],
)
def test_settings_of_retinanet_take_effect(
    settings: dict[str, Any], value: Value, expected: Any
) -> None:
    chosen = RetinaNetSettings.model_validate({"backbone": "resnet18", **settings})
    with torch.device("meta"):
        network = build_retinanet(chosen, 4)
    assert isinstance(network, RetinaNet)
    assert value(network) == expected


@pytest.mark.parametrize(
    ("settings", "value", "expected"),
    [
        ({"nms": 0.3}, lambda n: n.limits.nms, 0.3),
        ({"level_reaches": (8, 16, 32, 64)}, lambda n: n.reaches, (8, 16, 32, 64)),
        ({"centre_radius": 2.0}, lambda n: n.radius, 2.0),
        ({"head_layers": 1}, lambda n: len(n.head["regression_head"].conv), 3),  # with its norm
        ({"pyramid_channels": 64}, lambda n: n.backbone.out_channels, 64),
    ],
)
def test_settings_of_fcos_take_effect(
    settings: dict[str, Any], value: Value, expected: Any
) -> None:
    chosen = FCOSSettings.model_validate({"backbone": "resnet18", **settings})
    with torch.device("meta"):
        network = build_fcos(chosen, 4)
    assert isinstance(network, FCOS)
    assert value(network) == expected


def test_prior_is_the_probability_of_every_class_before_training() -> None:
    retinanet = build_retinanet(RetinaNetSettings(backbone="resnet18", prior=0.05), 3)
    fcos = build_fcos(FCOSSettings(backbone="resnet18", prior=0.1), 3)
    assert prior_of(retinanet) == pytest.approx(0.05)
    assert prior_of(fcos) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("settings", "value", "expected"),
    [
        ({"base_channels": 8}, lambda n: n.backbone.out_channels[0], 64),
        ({"scales": "coco"}, lambda n: n.default_boxes.scales[0], 0.07),
        ({"scales": tuple(range(1, 8))}, lambda n: n.default_boxes.scales[6], 7),
        ({"aspect_ratios": ((2,), (3,))}, lambda n: n.default_boxes.of_a_place, [4, 4]),
        ({"foreground_iou": 0.4}, lambda n: n.matcher.high_threshold, 0.4),
        ({"negatives_per_object": 5.0}, lambda n: n.negatives_per_object, 5.0),
        ({"negatives_per_object": None}, lambda n: n.negatives_per_object, None),
        ({"candidates": 9}, lambda n: n.limits.candidates, 9),
        ({"nms": 0.3}, lambda n: n.limits.nms, 0.3),
    ],
)
def test_settings_of_ssd_take_effect(
    settings: dict[str, Any], value: Value, expected: Any
) -> None:
    with torch.device("meta"):
        network = build_ssd(SSD300Settings.model_validate(settings), 4)
    assert isinstance(network, SSD)
    assert value(network) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SSD300Settings(), "voc"),
        (SSD300Settings(pretrained="imagenet"), "voc"),
        (SSD300Settings(pretrained="coco"), "coco"),
        (SSD300Settings(pretrained="coco", scales="coco"), "coco"),
        (SSD512Settings(pretrained="imagenet"), "voc"),
        (SSDLiteSettings(pretrained="coco"), "torchvision"),
    ],
)
def test_default_boxes_are_those_that_the_pretrained_layers_know(
    settings: MultiBoxSettings, expected: str
) -> None:
    assert settings.box_scales == settings.usual_scales[expected]


def test_settings_of_ssdlite_take_effect() -> None:
    settings = SSDLiteSettings(norm_momentum=0.1, aspect_ratios=((2,), (2,)), nms=0.4)
    with torch.device("meta"):
        network = build_ssdlite(settings, 4)
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    assert {norm.momentum for norm in norms} == {0.1}
    assert network.default_boxes.scales == (0.2, 0.35, 0.5)
    assert network.limits.nms == 0.4


def test_loss_of_boxes_is_l1_or_giou_as_the_heads_say() -> None:
    anchors, numbers = torch.tensor([[0.0, 0, 10, 10]]), torch.zeros(1, 4)
    objects = torch.tensor([[0.0, 0, 5, 10]])
    found = {
        heads: build_retinanet(
            RetinaNetSettings.model_validate({"backbone": "resnet18", "heads": heads}), 2
        )._box_loss(numbers, anchors, objects)
        for heads in ("v1", "v2")
    }
    shifts = torch.tensor([[-0.25, 0.0, torch.log(torch.tensor(0.5)), 0.0]])
    torch.testing.assert_close(found["v1"], functional.l1_loss(numbers, shifts, reduction="sum"))
    assert float(found["v2"]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (
            RetinaNetSettings,
            {"foreground_iou": 0.3},
            "background_iou must be at most foreground_iou, got 0.4 and 0.3; swap them",
        ),
        (
            RetinaNetSettings,
            {"pretrained": "coco", "anchor_scales": 2},
            "needs 9 anchors of a place, got anchor_scales 2 times 3 aspect_ratios; use 3 of each",
        ),
        (
            RetinaNetSettings,
            {"pretrained": "coco", "head_layers": 1},
            "pretrained 'coco' has head_layers 4, got 1; use 4, or set pretrained: imagenet",
        ),
        (
            FCOSSettings,
            {"pretrained": "coco", "backbone": "resnet18"},
            "pretrained 'coco' is of backbone 'resnet50', got 'resnet18'",
        ),
        (
            FCOSSettings,
            {"level_reaches": (64, 64, 128, 256)},
            "level_reaches must grow from level to level, got 64, 64, 128, 256; sort them",
        ),
        (
            SSD300Settings,
            {"aspect_ratios": ((2,),) * 7},
            "aspect_ratios must be of at most 6 maps, as many as ssd300 has, got 7; give 6 or",
        ),
        (
            SSD300Settings,
            {"scales": (0.1, 0.2)},
            "scales must be 7 numbers, one more than there are maps, got 2; give 7",
        ),
        (
            SSD300Settings,
            {"trainable_layers": 2},
            "trainable_layers would keep random layers as they are; remove it, or set pretrained",
        ),
        (
            SSD300Settings,
            {"pretrained": "imagenet", "base_channels": 8},
            "pretrained 'imagenet' needs base_channels 64",
        ),
        (
            SSDLiteSettings,
            {"pretrained": "coco", "aspect_ratios": ((2, 3),) * 5},
            "aspect_ratios must be those that pretrained 'coco' was trained with",
        ),
        (
            SSD300Settings,
            {"pretrained": "coco", "aspect_ratios": ((3,), *((2, 4),) * 3, (2,), (2,))},
            "aspect_ratios must be those that pretrained 'coco' was trained with",
        ),
        (
            SSD300Settings,
            {"pretrained": "coco", "scales": "voc"},
            "scales must be those that pretrained 'coco' was trained with, .* remove them, or set",
        ),
        (
            SSDLiteSettings,
            {"pretrained": "coco", "scales": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)},
            "scales must be those that pretrained 'coco' was trained with",
        ),
        (SSD512Settings, {"pretrained": "coco"}, "Input should be 'none' or 'imagenet'"),
    ],
)
def test_settings_without_effect_are_refused(
    kind: type[ModelSettings], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        kind.model_validate(settings)


@pytest.mark.parametrize("settings", [RetinaNetSettings(), FCOSSettings()])
def test_pyramid_needs_two_pixels_at_the_backbones_stride(settings: ModelSettings) -> None:
    assert one_stage_size_rule(settings, 64) is None
    assert one_stage_size_rule(settings, 63) == (
        f"image size of {settings.name} must be at least 64, for 2 pixels at stride 32, got 63; "
        "use 64"
    )


@pytest.mark.parametrize("settings", [SSD300Settings(), SSD512Settings()])
def test_image_too_small_for_the_last_map_is_refused_with_the_least_size(
    settings: SSDSettings,
) -> None:
    assert ssd_size_rule(settings, 268) is None
    maps = {"ssd300": 6, "ssd512": 7}[settings.name]
    assert ssd_size_rule(settings, 267) == (
        f"image size of {settings.name} must be at least 268, for {maps} maps, got 267; use 268, "
        "or aspect_ratios of fewer maps"
    )


def test_fewer_maps_take_smaller_images() -> None:
    assert ssd_size_rule(SSD300Settings(aspect_ratios=((2,), (2, 3), (2,))), 32) is None
    assert ssdlite_size_rule(SSDLiteSettings(), 64) is None
