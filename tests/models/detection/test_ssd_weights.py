from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import (  # type: ignore[import-untyped]
    detection,
    mobilenet_v3_large,
    vgg16,
)

from models.detection.pixel_scales import IMAGENET, PixelScale, rescale_pixels
from models.detection.ssd import SSD, build_ssd
from models.detection.ssd_settings import SSD300Settings, SSD512Settings, SSDLiteSettings
from models.detection.ssd_weights import (
    COCO_PIXELS,
    LITE_COCO_PIXELS,
    load_ssd,
    load_ssdlite,
)
from models.detection.ssdlite import build_ssdlite


@pytest.fixture(autouse=True)
def folder(weights_cache: Path) -> Path:
    return weights_cache


def as_seen(pixels: Tensor, scale: PixelScale) -> Tensor:
    """Return pixels (b, 3, h, w) in [0, 1] on another scale."""
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (scale.mean, scale.std))
    return (pixels - mean) / std


def pixels(side: int) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_first_layer_sees_the_same_on_imagenets_scale() -> None:
    first = nn.Conv2d(3, 5, 3)
    theirs = PixelScale((0.1, 0.5, 0.9), (0.3, 1.0, 0.01))
    image = pixels(8).double()
    expected = first.double()(as_seen(image, theirs))
    missing = rescale_pixels(first, theirs)
    found = first(as_seen(image, IMAGENET)) + missing.view(5, 1, 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


class TestCoco:
    """Each network against torchvision's with the weights of the file."""

    def test_ssd300_makes_torchvisions_maps(self, folder: Path) -> None:
        torch.manual_seed(0)
        theirs = detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=91)
        nn.init.uniform_(theirs.backbone.scale_weight, 5, 30)
        torch.save(theirs.state_dict(), folder / "ssd300_vgg16_coco-b556d3b4.pth")
        settings = SSD300Settings(pretrained="coco")
        network = build_ssd(settings, 3)
        fresh = network.head.get_submodule("classification_head").state_dict()
        before = {name: value.clone() for name, value in fresh.items()}
        (loaded,) = load_ssd(network, settings)
        assert loaded.file == "ssd300_vgg16_coco-b556d3b4.pth"
        assert all(torch.equal(before[name], fresh[name]) for name in before)
        image = pixels(268)
        with torch.no_grad():
            expected = theirs.backbone(as_seen(image, COCO_PIXELS)).values()
            found = network.maps(as_seen(image, IMAGENET))
            boxes = [
                layer(each)
                for layer, each in zip(
                    theirs.head.regression_head.module_list, expected, strict=True
                )
            ]
        for level, each in enumerate(boxes):
            ours = found[f"boxes.{level}"]
            # At the border, zeros are a colour that is off by 0.003 of the range of pixels.
            assert float((ours - each).abs().max() / each.abs().max()) < 0.02

    def test_ssdlite_has_torchvisions_layers(self, folder: Path) -> None:
        torch.manual_seed(0)
        theirs = detection.ssdlite320_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=91
        ).eval()
        name = "ssdlite320_mobilenet_v3_large_coco-a79551df.pth"
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean = torch.randn(module.num_features)
        torch.save(theirs.state_dict(), folder / name)
        settings = SSDLiteSettings(pretrained="coco")
        network = build_ssdlite(settings, 3).eval()
        load_ssdlite(network, settings)
        given, wanted = network.state_dict(), theirs.state_dict()
        differ = {key for key in given if not torch.equal(given[key], wanted[key])}
        stem = {"backbone.features.0.0.0.weight", "backbone.features.0.0.1.running_mean"}
        assert differ - stem == {
            f"head.classification_head.module_list.{level}.1.{kind}"
            for level in range(6)
            for kind in ("weight", "bias")
        }
        image = pixels(32)
        with torch.no_grad():
            found, expected = (
                each.backbone.get_submodule("features.0.0")(as_seen(image, scale))
                for each, scale in ((network, IMAGENET), (theirs, LITE_COCO_PIXELS))
            )
        inside = (..., slice(1, None), slice(1, None))
        torch.testing.assert_close(found[inside], expected[inside], rtol=1e-4, atol=1e-5)


class TestImageNet:
    def test_connected_layers_are_thinned_out(self, folder: Path) -> None:
        torch.manual_seed(0)
        with torch.device("meta"):
            network: Any = vgg16()
        theirs = {  # of single bytes, so that the file is small
            name: torch.randint(-99, 99, value.shape, dtype=torch.int8)
            for name, value in network.state_dict().items()
        }
        torch.save(theirs, folder / "vgg16-397923af.pth")
        settings = SSD512Settings(pretrained="imagenet")
        network = build_ssd(settings, 2)
        load_ssd(network, settings)
        given = network.backbone.state_dict()
        full = theirs["classifier.0.weight"].view(4096, 512, 7, 7)
        for name, expected in (
            ("stages.0.0.weight", theirs["features.0.weight"]),
            ("stages.4.4.bias", theirs["features.28.bias"]),
            ("connected.0.weight", full[::4, :, ::3, ::3]),
            ("connected.0.bias", theirs["classifier.0.bias"][::4]),
            ("connected.2.weight", theirs["classifier.3.weight"][::4, ::4, None, None]),
            ("connected.2.bias", theirs["classifier.3.bias"][::4]),
        ):
            assert torch.equal(given[name], expected.float())

    def test_ssdlite_has_the_convolutions_of_mobilenet(self, folder: Path) -> None:
        torch.manual_seed(0)
        theirs = mobilenet_v3_large().eval()
        torch.save(theirs.state_dict(), folder / "mobilenet_v3_large-8738ca79.pth")
        settings = SSDLiteSettings(pretrained="imagenet")
        network = build_ssdlite(settings, 2).eval()
        load_ssdlite(network, settings)
        image = pixels(64)
        with torch.no_grad():
            expected = theirs.features(image)
            found = list(network.backbone(image).values())[1]
        torch.testing.assert_close(found, expected)


def test_stages_of_a_pretrained_vgg16_are_frozen_as_asked() -> None:
    def trained(network: SSD) -> list[bool]:
        stages = network.backbone.get_submodule("stages").children()
        return [all(each.requires_grad for each in stage.parameters()) for stage in stages]

    with torch.device("meta"):
        usual, fewer, random = (
            build_ssd(SSD300Settings.model_validate(settings), 2)
            for settings in (
                {"pretrained": "imagenet"},
                {"pretrained": "imagenet", "trainable_layers": 1},
                {},
            )
        )
    assert trained(usual) == [False, True, True, True, True]
    assert trained(fewer) == [False, False, False, False, True]
    assert trained(random) == [True] * 5
