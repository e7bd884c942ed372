from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection  # type: ignore[import-untyped]
from torchvision.models.detection.fcos import FCOSHead  # type: ignore[import-untyped]

from models.cost import count_macs, count_parameters
from models.detection.fcos import (
    FCOS,
    STRIDES,
    build_fcos,
    centredness,
    load_fcos,
    objects_of_places,
)
from models.detection.one_stage_settings import FCOSSettings
from models.detection.outputs import Learned, Target, Targets

SMALL: dict[str, Any] = {"backbone": "resnet18", "score_threshold": 0.0, "detections": 20}
PAIR = ((4.0, 6.0, 40.5, 44.0), (30.0, 20.0, 61.0, 60.5))
REACHES = (64.0, 128.0, 256.0, 512.0)


def built(channels: int, **settings: Any) -> FCOS:
    return build_fcos(FCOSSettings.model_validate(settings), channels)


def small(**settings: Any) -> FCOS:
    torch.manual_seed(0)
    return built(4, **{**SMALL, **settings})


def images(count: int, side: int = 96) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(3, side, side, generator=generator) for _ in range(count)]


def target(*boxes: tuple[float, float, float, float]) -> Target:
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.arange(1, len(boxes) + 1),
    }


@pytest.mark.parametrize(
    ("settings", "count"), [({"pretrained": "coco"}, 32_269_600), ({}, 32_322_720)]
)
def test_parameter_counts_are_the_published_ones(settings: dict[str, Any], count: int) -> None:
    with torch.device("meta"):  # torchvision's 91 classes, and a background
        assert count_parameters(built(92, **settings)) == count


def test_weights_are_named_as_torchvisions() -> None:
    with torch.device("meta"):
        ours = built(4).state_dict()
        theirs = detection.fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.state_dict().items()
    }


@pytest.fixture(scope="module")
def pair() -> tuple[FCOS, nn.Module]:
    """The same weights in torchvision's network, told to leave size and pixels alone."""
    ours = small(norm="group")
    for name in ("classification_head.cls_logits", "regression_head.bbox_ctrness"):
        nn.init.normal_(ours.head.get_parameter(f"{name}.weight"), std=0.3)  # no ties of scores
    nn.init.ones_(ours.head.get_parameter("regression_head.bbox_reg.bias"))  # all have an area
    head = FCOSHead(256, 1, 3)
    head.load_state_dict(ours.head.state_dict())
    theirs: nn.Module = detection.FCOS(
        ours.backbone,
        3,
        min_size=96,
        max_size=96,
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
        head=head,
        score_thresh=0.0,
        detections_per_img=20,
    )
    return ours, theirs


class TestAgainstTorchvision:
    def test_detections_are_the_same(self, pair: tuple[FCOS, nn.Module]) -> None:
        ours, theirs = pair
        with torch.no_grad():
            found, expected = ours.eval()(images(2)), theirs.eval()(images(2))
        for one, other in zip(found, expected, strict=True):
            assert len(one["scores"]) == 20
            assert torch.equal(one["labels"], other["labels"] + 1)
            for part in ("boxes", "scores"):
                torch.testing.assert_close(one[part], other[part], rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("boxes", [PAIR, (), PAIR[1:]])
    def test_losses_of_an_image_are_the_same(
        self, pair: tuple[FCOS, nn.Module], boxes: Any
    ) -> None:
        ours, theirs = pair
        objects = target(*boxes)
        expected = theirs.train()(images(1), [{**objects, "labels": objects["labels"] - 1}])
        found: Learned = ours.train()(images(1), Targets([objects]))
        assert set(found.losses) == {"classification", "bbox_regression", "bbox_ctrness"}
        for name, value in found.losses.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)


def test_losses_of_a_batch_are_means_over_its_images() -> None:
    network = small(norm="group").train()
    objects = [target(*PAIR), target(), target(PAIR[1])]
    together: Learned = network(images(3), Targets(objects))
    alone = [
        network([image], Targets([each])).losses
        for image, each in zip(images(3), objects, strict=True)
    ]
    for name, value in together.losses.items():
        expected = torch.stack([losses[name] for losses in alone]).mean()
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


def squares(side: int) -> Tensor:
    """Return the squares around the places of all levels of an image."""
    rows = []
    for stride in STRIDES:
        places = torch.arange(0.0, side, stride)
        down, across = torch.meshgrid(places, places, indexing="ij")
        centres = torch.stack([across.flatten(), down.flatten()], dim=1)
        rows.append(torch.cat([centres - stride / 2, centres + stride / 2], dim=1))
    return torch.cat(rows)


def smallest_object(place: Tensor, objects: Tensor, radius: float) -> int:
    """Say which object a place has, as the papers say it (Tian et al. 2019, 3.2; 2020, 3.1)."""
    stride = float(place[2] - place[0])
    x, y = (float(value) for value in (place[:2] + place[2:]) / 2)
    level = STRIDES.index(int(stride))
    least, most = [0.0, *REACHES][level], [*REACHES, float("inf")][level]
    found, best = -1, float("inf")
    for index, (left, top, right, bottom) in enumerate(objects.tolist()):
        borders = (x - left, y - top, right - x, bottom - y)
        centre = abs(x - (left + right) / 2), abs(y - (top + bottom) / 2)
        if min(borders) <= 0 or max(centre) >= radius * stride:
            continue
        area = (right - left) * (bottom - top)
        if least <= max(borders) <= most and area < best:
            found, best = index, area
    return found


def test_places_have_the_objects_that_the_papers_give_them() -> None:
    places = squares(640)
    generator = torch.Generator().manual_seed(2)
    seen = 0
    for radius in (0.7, 1.5, 3.0):
        corners = torch.rand(12, 2, generator=generator) * 500
        sides = torch.rand(12, 2, generator=generator) ** 2 * 600 + 3
        objects = torch.cat([corners, (corners + sides).clamp(max=640)], dim=1)
        found = objects_of_places(objects, places, reaches=REACHES, radius=radius)
        expected = [smallest_object(place, objects, radius) for place in places]
        assert found.tolist() == expected
        seen += int((found >= 0).sum())
    assert seen > 100


def test_centre_of_an_object_is_1_and_a_place_near_its_border_less() -> None:
    borders = torch.tensor([[5.0, 3, 5, 3], [1, 2, 4, 2], [1, 1, 4, 4]])
    expected = torch.tensor([1.0, 0.5, 0.25])  # sqrt(1/4 * 1), sqrt(1/4 * 1/4)
    torch.testing.assert_close(centredness(borders), expected)


def test_smaller_reaches_take_small_objects_to_higher_levels() -> None:
    places, objects = squares(128), torch.tensor([[20.0, 20, 60, 60]])
    usual, lower = (
        objects_of_places(objects, places, reaches=reaches, radius=1.5)
        for reaches in (REACHES, (8.0, 16.0, 64.0, 96.0))
    )
    strides = places[:, 2] - places[:, 0]
    assert set(strides[usual >= 0].tolist()) == {8}
    assert set(strides[lower >= 0].tolist()) == {32}


@pytest.mark.parametrize(("side", "widest"), [(64, 8), (150, 20), (256, 32)])
def test_image_size_reaches_the_network(side: int, widest: int) -> None:
    with torch.device("meta"):
        network = built(2, **SMALL)
    seen: list[int] = []
    network.head["regression_head"].get_submodule("bbox_reg").register_forward_hook(
        lambda *call: seen.append(call[2].shape[-1])
    )
    count_macs(network, torch.empty(1, 3, side, side, device="meta"))
    assert seen[0] == widest
    assert len(seen) == len(STRIDES)


def test_narrow_pyramid_learns_from_a_single_small_image() -> None:
    network = small(pyramid_channels=32).train()
    found: Learned = network(images(1, 64), Targets([target(PAIR[0])]))
    assert all(value.isfinite() for value in found.losses.values())


def test_coco_weights_are_put_everywhere_but_into_the_scores(
    weights_cache: Path,
) -> None:
    source, network = built(92, pretrained="coco"), built(3, pretrained="coco")
    torch.save(source.state_dict(), weights_cache / "fcos_resnet50_fpn_coco-99b0c9b7.pth")
    load_fcos(network, FCOSSettings(pretrained="coco"))
    given, theirs = network.state_dict(), source.state_dict()
    differ = {each for each in given if not torch.equal(given[each], theirs[each])}
    layer = "head.classification_head.cls_logits"
    assert differ == {f"{layer}.weight", f"{layer}.bias"}
