import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection  # type: ignore[import-untyped]
from torchvision.models.detection.anchor_utils import (  # type: ignore[import-untyped]
    DefaultBoxGenerator,
)

from models.cost import count_parameters
from models.detection.one_stage import BOXES, SCORES
from models.detection.outputs import Learned, Target, Targets
from models.detection.ssd import SSD, build_ssd, hard_negatives
from models.detection.ssd_maps import L2Norm
from models.detection.ssd_settings import (
    SSD300Settings,
    SSD512Settings,
    SSDLiteSettings,
    map_sides,
)
from models.detection.ssdlite import SteadyBatchNorm, build_ssdlite

SIDE = 268  # the least with all maps
PAIR = ((10.0, 20.0, 170.5, 180.0), (130.0, 100.0, 261.0, 250.5))


def ssd300(channels: int, **settings: Any) -> SSD:
    return build_ssd(SSD300Settings.model_validate(settings), channels)


def ssd512(channels: int, **settings: Any) -> SSD:
    return build_ssd(SSD512Settings.model_validate(settings), channels)


def ssdlite(channels: int, **settings: Any) -> SSD:
    return build_ssdlite(SSDLiteSettings.model_validate(settings), channels)


def images(count: int, side: int = SIDE) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(3, side, side, generator=generator) for _ in range(count)]


def target(*boxes: tuple[float, float, float, float]) -> Target:
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.arange(1, len(boxes) + 1),
    }


@pytest.mark.parametrize(
    ("build", "channels", "count"),
    [
        (ssd300, 21, 26_285_486),
        (ssd300, 81, 34_305_206),
        (ssd300, 91, 35_641_826),
        (ssd300, 4, 24_013_232),
        (ssd300, 6, 24_280_556),
        (ssd512, 21, 27_188_676),
        (ssd512, 81, 36_038_196),
        (ssdlite, 91, 3_440_060),
    ],
)
def test_parameter_counts_are_the_published_ones(build: Any, channels: int, count: int) -> None:
    with torch.device("meta"):
        assert count_parameters(build(channels)) == count


@pytest.mark.parametrize(
    ("build", "side", "sides", "boxes"),
    [
        (ssd300, 300, [38, 19, 10, 5, 3, 1], 8_732),
        (ssd512, 512, [64, 32, 16, 8, 4, 2, 1], 24_564),
        (ssdlite, 320, [20, 10, 5, 3, 2, 1], 3_234),
    ],
)
def test_maps_and_boxes_are_those_of_the_paper(
    build: Any, side: int, sides: list[int], boxes: int
) -> None:
    with torch.device("meta"):
        network = build(2)
        maps = network.maps(torch.empty(1, 3, side, side))
    scores = [each for name, each in maps.items() if name.startswith(SCORES)]
    assert [each.shape[-1] for each in scores] == sides
    assert sum(each.shape[1] // 2 * each.shape[2] * each.shape[3] for each in scores) == boxes


@pytest.mark.parametrize("build", [ssd300, ssd512])
@pytest.mark.parametrize("side", [268, 299, 300, 333, 512])
def test_sides_of_maps_are_known_without_the_network(build: Any, side: int) -> None:
    settings = {ssd300: SSD300Settings(), ssd512: SSD512Settings()}[build]
    with torch.device("meta"):
        maps = build(2).backbone(torch.empty(1, 3, side, side))
    assert [each.shape[-1] for each in maps.values()] == map_sides(settings, side)


def narrow(build: Any, **settings: Any) -> SSD:
    """Build a network of few channels whose scores differ from box to box."""
    torch.manual_seed(0)
    network: SSD = build(4, base_channels=8, score_threshold=0.0, detections=30, **settings)
    for name, weights in network.head.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(weights, std=0.5)
    return network


@pytest.fixture(scope="module")
def pair() -> tuple[SSD, nn.Module]:
    """The same layers in torchvision's network, told to leave the pixels alone."""
    ours = narrow(ssd300, scales="coco")
    generator = DefaultBoxGenerator(  # as in torchvision's SSD300
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
    )
    theirs: nn.Module = detection.ssd.SSD(
        ours.backbone,
        generator,
        (300, 300),
        4,
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
        head=ours.head,
        score_thresh=0.0,
        detections_per_img=30,
    )
    return ours, theirs


class TestAgainstTorchvision:
    def test_detections_are_the_same(self, pair: tuple[SSD, nn.Module]) -> None:
        ours, theirs = (network.eval() for network in pair)
        with torch.no_grad():
            found, expected = ours(images(2, 300)), theirs(images(2, 300))
        for one, other in zip(found, expected, strict=True):
            assert len(one["scores"]) == 30
            assert torch.equal(one["labels"], other["labels"])
            for part in ("boxes", "scores"):
                torch.testing.assert_close(one[part], other[part], rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize("boxes", [PAIR, (), PAIR[1:]])
    def test_losses_of_an_image_are_the_same(
        self, pair: tuple[SSD, nn.Module], boxes: Any
    ) -> None:
        ours, theirs = (network.train() for network in pair)
        expected = theirs(images(1, 300), [target(*boxes)])
        found: Learned = ours(images(1, 300), Targets([target(*boxes)]))
        assert set(found.losses) == set(expected) == {"classification", "bbox_regression"}
        for name, value in found.losses.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-5)


class TestSSDliteAgainstTorchvision:
    @pytest.fixture
    def lite(self) -> tuple[SSD, nn.Module]:
        torch.manual_seed(0)
        ours = ssdlite(4)
        theirs: nn.Module = detection.ssdlite320_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=4
        )
        theirs.load_state_dict(ours.state_dict())
        return ours, theirs

    def test_detections_and_losses_are_the_same(self, lite: tuple[SSD, nn.Module]) -> None:
        ours, theirs = lite
        pixels = [torch.rand(3, 320, 320, generator=torch.Generator().manual_seed(1))] * 2
        scaled = [2 * each - 1 for each in pixels]  # torchvision does so itself
        objects = [target(*PAIR)] * 2  # alike: torchvision divides by the boxes of a batch
        expected = theirs.train()(pixels, objects)
        found: Learned = ours.train()(scaled, Targets(objects))
        for name, value in found.losses.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-4)
        with torch.no_grad():
            (one, _), (other, _) = ours.eval()(scaled), theirs.eval()(pixels)
        assert torch.equal(one["labels"], other["labels"])
        torch.testing.assert_close(one["boxes"], other["boxes"], rtol=1e-4, atol=1e-3)


def test_losses_of_a_batch_are_means_over_its_images() -> None:
    network = narrow(ssd300).train()
    objects = [target(*PAIR), target(), target(PAIR[1])]
    together: Learned = network(images(3), Targets(objects))
    alone = [
        network([image], Targets([each])).losses
        for image, each in zip(images(3), objects, strict=True)
    ]
    for name, value in together.losses.items():
        expected = torch.stack([losses[name] for losses in alone]).mean()
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-5)


class TestHardNegativeMining:
    @pytest.mark.parametrize(
        ("objects", "ratio", "count"), [(4, 3.0, 12), (3, 1.5, 5), (0, 3.0, 0)]
    )
    def test_greatest_losses_are_kept(self, objects: int, ratio: float, count: int) -> None:
        losses = torch.rand(40, generator=torch.Generator().manual_seed(1))
        kept = hard_negatives(losses, objects=objects, ratio=ratio)
        assert kept.tolist() == sorted(losses.tolist(), reverse=True)[:count]

    def test_all_are_kept_where_there_are_too_few(self) -> None:
        assert len(hard_negatives(torch.rand(5), objects=4, ratio=3.0)) == 5

    def test_all_are_kept_without_mining(self) -> None:
        losses = torch.rand(50)
        assert torch.equal(hard_negatives(losses, objects=1, ratio=None), losses)

    def test_loss_is_that_of_a_brute_force_version(self) -> None:
        network = narrow(ssd300, negatives_per_object=2.0)
        generator = torch.Generator().manual_seed(4)
        corners = torch.rand(60, 2, generator=generator) * 100
        anchors = torch.cat([corners, corners + 60], dim=1)
        objects = anchors[[7, 31]] + 5
        numbers = {
            SCORES: torch.randn(60, 4, generator=generator),
            BOXES: torch.zeros(60, 4),
        }
        found = network.image_losses(
            numbers, anchors, {"boxes": objects, "labels": torch.tensor([3, 1])}
        )
        labels = [label_of(box, objects.tolist(), [3, 1]) for box in anchors.tolist()]
        losses = [
            -math.log(math.exp(row[label]) / sum(math.exp(value) for value in row))
            for row, label in zip(numbers[SCORES].tolist(), labels, strict=True)
        ]
        with_object = [loss for loss, label in zip(losses, labels, strict=True) if label]
        without = [loss for loss, label in zip(losses, labels, strict=True) if not label]
        hardest = sorted(without)[-2 * len(with_object) :]
        assert 2 <= len(with_object) < 20  # so that not all of the others count
        expected = (sum(with_object) + sum(hardest)) / len(with_object)
        assert float(found["classification"]) == pytest.approx(expected, rel=1e-5)


def label_of(box: list[float], objects: list[list[float]], labels: list[int]) -> int:
    """Return the label of the object that a box overlaps most, from an IoU of 0.5 on."""
    best, label = 0.0, 0
    for other, its_label in zip(objects, labels, strict=True):
        sides = [min(box[i + 2], other[i + 2]) - max(box[i], other[i]) for i in (0, 1)]
        common = max(0.0, sides[0]) * max(0.0, sides[1])
        overlap = common / (2 * 60 * 60 - common)
        if overlap >= 0.5 and overlap > best:
            best, label = overlap, its_label
    return label


class TestMatching:
    def image_losses(self, boxes: Tensor, *objects: Any) -> dict[str, Tensor]:
        numbers = {SCORES: torch.zeros(len(boxes), 4), BOXES: torch.ones(len(boxes), 4)}
        return narrow(ssd300).image_losses(numbers, boxes, target(*objects))

    def test_best_box_of_an_object_has_it_however_little_they_overlap(self) -> None:
        boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 90, 90]])
        assert float(self.image_losses(boxes, (0, 0, 2, 2))["bbox_regression"]) > 0

    def test_object_that_no_box_overlaps_teaches_nothing(self) -> None:
        boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 90, 90]])
        losses = self.image_losses(boxes, (20, 20, 30, 30))
        assert {float(value) for value in losses.values()} == {0.0}


class TestL2Norm:
    def test_every_place_has_the_length_it_starts_with(self) -> None:
        maps = torch.randn(2, 6, 4, 5) * 100
        lengths = L2Norm(6)(maps).square().sum(dim=1).sqrt()
        torch.testing.assert_close(lengths, torch.full((2, 4, 5), 20.0))

    def test_channels_have_factors_of_their_own(self) -> None:
        norm = L2Norm(2)
        norm.factors.data = torch.tensor([1.0, 10.0])
        found = norm(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1))
        assert found.flatten().tolist() == pytest.approx([0.6, 8.0])

    def test_places_without_any_value_stay_so(self) -> None:
        assert not L2Norm(3)(torch.zeros(1, 3, 2, 2)).any()


def test_normalisation_of_a_single_value_is_that_of_the_running_statistics() -> None:
    norm, usual = SteadyBatchNorm(4), nn.BatchNorm2d(4)
    norm.running_mean = torch.arange(4.0)
    before = norm.running_mean.clone()
    single, several = torch.randn(1, 4, 1, 1), torch.randn(2, 4, 1, 1)
    found = norm.train()(single)
    torch.testing.assert_close(found[0, :, 0, 0], single[0, :, 0, 0] - before, atol=1e-4, rtol=0)
    assert torch.equal(norm.running_mean, before)
    torch.testing.assert_close(norm(several), usual.train()(several))


def test_fewer_maps_are_the_largest_ones() -> None:
    with torch.device("meta"):
        network = ssd300(4, aspect_ratios=((2,), (2, 3), (2, 3)))
        maps = network.maps(torch.empty(1, 3, 96, 96))
    assert [each.shape[-1] for each in maps.values()] == [12, 6, 3] * 2
