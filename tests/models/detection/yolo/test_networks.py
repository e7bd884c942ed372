"""Sizes of YOLO's networks against the published ones, and what their settings refuse."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from models.catalog import MODELS
from models.cost import count_macs, count_parameters
from models.detection.darknet.layers import DarknetLayers
from models.detection.yolo import architectures
from models.detection.yolo.anchored import AnchoredYOLO
from models.detection.yolo.places import Places
from models.detection.yolo.settings import (
    YOLOv1Settings,
    YOLOv2Settings,
    YOLOv3Settings,
    YOLOv3TinySettings,
)
from models.resolve import resolve


def on_meta(name: str, classes: int, **settings: Any) -> nn.Module:
    entry = MODELS[name]
    with torch.device("meta"):
        network: nn.Module = resolve(str(entry.builder))(
            entry.settings.model_validate({"name": name, **settings}), classes + 1
        )
    return network


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("yolov1", 20, 271_703_550),
        ("yolov2", 20, 50_655_389),
        ("yolov2", 80, 50_962_889),
        ("yolov3", 20, 61_626_049),
        ("yolov3", 80, 61_949_149),
        ("yolov3_tiny", 80, 8_852_366),
    ],
)
def test_parameter_counts_are_the_published_ones(name: str, classes: int, count: int) -> None:
    assert count_parameters(on_meta(name, classes)) == count
    assert MODELS[name].parameters[classes + 1] == count


@pytest.mark.parametrize(
    ("name", "classes", "size", "gmac"),
    [
        ("yolov1", 20, 448, 20.29),
        ("yolov2", 20, 416, 14.68),
        ("yolov3", 80, 320, 19.49),
        ("yolov3", 80, 416, 32.93),
        ("yolov3", 80, 608, 70.35),
    ],
)
def test_costs_are_the_published_ones(name: str, classes: int, size: int, gmac: float) -> None:
    example = torch.empty(1, 3, size, size, device="meta")
    assert count_macs(on_meta(name, classes), example) / 1e9 == pytest.approx(gmac, abs=0.006)


def test_darknet19_and_53_with_their_classifiers_have_the_published_counts() -> None:
    classifier = 1024 * 1000 + 1000
    with torch.device("meta"):
        small, large = (
            count_parameters(DarknetLayers(layers))
            for layers in (architectures.darknet19(1), architectures.darknet53(1))
        )
    assert small + classifier == 20_842_376
    assert large + classifier == 41_609_928


@pytest.mark.parametrize(("size", "boxes"), [(416, 10_647), (608, 22_743)])
def test_yolov3_predicts_the_published_number_of_boxes(size: int, boxes: int) -> None:
    network = on_meta("yolov3", 80)
    assert isinstance(network, AnchoredYOLO)
    found = network.maps(torch.empty(1, 3, size, size, device="meta"))
    sizes = [(each.shape[2], each.shape[3]) for each in found.values()]
    assert sizes == [(size // stride, size // stride) for stride in (32, 16, 8)]
    assert {each.shape[1] for each in found.values()} == {255}
    places = Places.of(network.prior_maps, sizes, torch.device("meta"))
    assert len(places.strides) == boxes


def test_yolov3_has_large_priors_on_its_coarse_map() -> None:
    network = on_meta("yolov3", 1)
    assert isinstance(network, AnchoredYOLO)
    assert [each.stride for each in network.prior_maps] == [32, 16, 8]
    assert network.prior_maps[0].priors_wh == ((116, 90), (156, 198), (373, 326))
    assert network.prior_maps[2].priors_wh == ((10, 13), (16, 30), (33, 23))


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, (1.3221, 1.73145)),
        ({"pretrained": "voc"}, (1.3221, 1.73145)),
        ({"pretrained": "coco"}, (0.57273, 0.677385)),
        ({"pretrained": "coco", "priors": ((1.5, 2.5),)}, (1.5, 2.5)),
    ],
)
def test_yolov2_has_priors_in_cells_of_32_pixels(
    settings: dict[str, Any], first: tuple[float, float]
) -> None:
    network = on_meta("yolov2", 1, **settings)
    assert isinstance(network, AnchoredYOLO)
    (only,) = network.prior_maps
    assert only.stride == 32
    assert only.priors_wh[0] == (first[0] * 32, first[1] * 32)


@pytest.mark.parametrize("name", ["yolov1", "yolov2", "yolov3", "yolov3_tiny"])
def test_half_the_width_has_about_a_quarter_of_the_weights(name: str) -> None:
    whole, half = (count_parameters(on_meta(name, 20, width=width)) for width in (1, 0.5))
    assert 0.24 < half / whole < 0.27


@pytest.mark.parametrize("name", ["yolov2", "yolov3", "yolov3_tiny"])
def test_image_size_reaches_the_network(name: str) -> None:
    network = on_meta(name, 2)
    small, large = (
        count_macs(network, torch.empty(1, 3, side, side, device="meta")) for side in (96, 192)
    )
    assert large == 4 * small


class TestSettings:
    def test_pretrained_weights_are_of_the_whole_width(self) -> None:
        with pytest.raises(ValidationError, match=r"'coco' is of width 1, got 0\.5; use that, or"):
            YOLOv3Settings(pretrained="coco", width=0.5)

    def test_priors_are_shared_among_the_maps(self) -> None:
        pair = ((10.0, 10.0),) * 4
        with pytest.raises(ValidationError, match="each of 3 maps, got 4; give 3 or 6"):
            YOLOv3Settings(priors=pair)
        with pytest.raises(ValidationError, match="each of 2 maps, got 3; give 2 or 4"):
            YOLOv3TinySettings(priors=pair[:3])

    def test_priors_have_sides(self) -> None:
        with pytest.raises(ValidationError, match="greater than 0"):
            YOLOv2Settings(priors=((1.0, 0.0),))

    def test_yolov1_takes_the_size_of_its_grid_alone(self) -> None:
        rule = MODELS["yolov1"].size_rule
        assert rule(YOLOv1Settings(), 448) is None
        assert rule(YOLOv1Settings(grid=3), 192) is None
        assert rule(YOLOv1Settings(), 416) == (
            "image size of yolov1 must be 448, 64 pixels for each of grid 7, got 416; use 448, or "
            "384 with grid 6"
        )
        assert MODELS["yolov1"].needs_square

    def test_other_versions_take_any_size_from_64_on(self) -> None:
        rule = MODELS["yolov3"].size_rule
        assert rule(YOLOv3Settings(), 100) is None
        assert rule(YOLOv3Settings(), 63) == (
            "image size of yolov3 must be at least 64, for 2 pixels at stride 32, got 63; use 64"
        )
