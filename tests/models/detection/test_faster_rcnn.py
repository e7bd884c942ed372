from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import vgg  # type: ignore[import-untyped]
from torchvision.models.detection import (  # type: ignore[import-untyped]
    FasterRCNN,
    faster_rcnn,
    fasterrcnn_mobilenet_v3_large_fpn,
    fasterrcnn_resnet50_fpn,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.models.detection.rpn import AnchorGenerator  # type: ignore[import-untyped]
from torchvision.ops import MultiScaleRoIAlign  # type: ignore[import-untyped]

from models.cost import count_macs, count_parameters
from models.detection.faster_rcnn import build_mobilenet, build_resnet, build_vgg16
from models.detection.faster_rcnn_settings import (
    FasterRCNNMobileNetSettings,
    FasterRCNNResNetSettings,
    FasterRCNNVGG16Settings,
)
from models.detection.outputs import Scored, Target, Targets
from models.detection.two_stage import ProposalDetector
from models.segmentation.vgg import stage_layers

FEW: dict[str, Any] = {"sampled_regions": 8, "proposals_training": 20, "proposals": 20}
SMALL: dict[str, dict[str, Any]] = {
    "vgg16": {"base_channels": 4, "head_width": 16, "anchor_sizes": (8, 16, 32), **FEW},
    "resnet": {
        "backbone": "resnet18",
        "anchor_sizes": (8, 16, 32, 48, 64),
        "pyramid_channels": 32,
        "head_width": 16,
        **FEW,
    },
    "mobilenet": {"anchor_sizes": (16, 32), "pyramid_channels": 32, "head_width": 16, **FEW},
}
NAMES = sorted(SMALL)
PAIR = ((4.0, 6.0, 40.0, 44.0), (30.0, 20.0, 60.0, 60.0))


def built(name: str, channels: int, **settings: Any) -> ProposalDetector:
    if name == "vgg16":
        return build_vgg16(FasterRCNNVGG16Settings.model_validate(settings), channels)
    if name == "resnet":
        return build_resnet(FasterRCNNResNetSettings.model_validate(settings), channels)
    return build_mobilenet(FasterRCNNMobileNetSettings.model_validate(settings), channels)


def small(name: str, channels: int = 3, seed: int = 0, **settings: Any) -> ProposalDetector:
    torch.manual_seed(seed)
    return built(name, channels, **{**SMALL[name], **settings})


def images(*sizes_hw: tuple[int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(3, *size_hw, generator=generator) for size_hw in sizes_hw]


def target(*boxes: tuple[float, ...]) -> Target:
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": 1 + torch.arange(len(boxes)) % 2,
    }


@pytest.mark.parametrize(
    ("name", "channels", "settings", "count"),
    [
        ("vgg16", 4, {}, 136_725_377),
        ("vgg16", 6, {}, 136_766_347),
        ("vgg16", 21, {}, 137_073_622),
        ("vgg16", 91, {}, 138_507_572),
        ("vgg16", 4, {"form": "thesis"}, 136_708_989),
        ("vgg16", 6, {"form": "thesis"}, 136_749_959),
        # three more anchors in a place: 512 weights and a bias of a score and of a box each
        ("vgg16", 4, {"anchor_sizes": (64, 128, 256, 512)}, 136_725_377 + 3 * 5 * 513),
        ("resnet", 91, {}, 41_808_406),
        ("resnet", 91, {"pretrained": "coco"}, 41_755_286),
        ("resnet", 91, {"heads": "v2"}, 43_712_278),
        ("resnet", 4, {}, 41_362_531),
        ("resnet", 6, {}, 41_372_781),
        ("resnet", 21, {}, 41_449_656),
        ("mobilenet", 91, {"pretrained": "coco"}, 19_386_354),
    ],
)
def test_parameter_counts_are_the_published_ones(
    name: str, channels: int, settings: dict[str, Any], count: int
) -> None:
    with torch.device("meta"):
        assert count_parameters(built(name, channels, **settings)) == count


@pytest.fixture(scope="module")
def thesis() -> ProposalDetector:
    """The thesis's form with three classes; tests that change it change the same layer."""
    return small("vgg16", channels=4, form="thesis").eval()


class TestForms:
    def test_thesis_regresses_boxes_of_objects_alone(self, thesis: ProposalDetector) -> None:
        rows = {
            form: network.roi_heads.box_predictor.bbox_pred.out_features
            for form, network in (("thesis", thesis), ("torchvision", small("vgg16", 4)))
        }
        assert rows == {"thesis": 12, "torchvision": 16}
        assert thesis.class_rows[1].has_background is False
        assert small("vgg16", 4).class_rows[1].has_background is True

    def test_both_have_one_score_per_anchor_and_one_per_class_and_background(
        self, thesis: ProposalDetector
    ) -> None:
        for network in (thesis, small("vgg16", 4)):
            head: Any = network.rpn.head
            assert head.cls_logits.out_channels == 9
            assert network.roi_heads.box_predictor.cls_score.out_features == 4

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [({"form": "thesis"}, 0.5), ({}, 0.0), ({"form": "thesis", "dropout": 0.2}, 0.2)],
    )
    def test_dropout_follows_both_layers(self, settings: dict[str, Any], expected: float) -> None:
        head = small("vgg16", head_width=4096, **settings).roi_heads.box_head.train()
        assert head.dropout.p == expected
        for layer in (head.fc6, head.fc7):
            nn.init.zeros_(layer.weight)
            nn.init.ones_(layer.bias)
        torch.manual_seed(0)
        dropped = (head(torch.zeros(8, 32, 7, 7)) == 0).float().mean()
        assert float(dropped) == pytest.approx(expected, abs=0.01)

    def test_a_boxs_class_takes_its_own_four_outputs(self, thesis: ProposalDetector) -> None:
        """One proposal of 20x40, moved by hand: the original's formula (Ren et al., eq. 2)."""
        predictor = thesis.roi_heads.box_predictor
        deltas = torch.tensor(
            [[0, 0, 0, 0], [1, -2, 0, 0], [0, 0, 5 * 0.6931472, 0]]
        )  # of 1, 2, 3
        predictor.bbox_pred.weight.data.zero_()
        predictor.bbox_pred.bias.data = deltas.flatten()
        logits, regression = predictor(torch.zeros(1, 16))
        boxes, _, labels = thesis.roi_heads.postprocess_detections(
            torch.zeros_like(logits),
            regression,
            [torch.tensor([[30.0, 40.0, 50.0, 80.0]])],
            [(200, 200)],
        )
        found = dict(zip(labels[0].tolist(), boxes[0], strict=True))
        expected = {
            1: [30.0, 40.0, 50.0, 80.0],
            2: [32.0, 32.0, 52.0, 72.0],  # 1 / 10 of the width, -2 / 10 of the height
            3: [20.0, 40.0, 60.0, 80.0],  # twice as wide
        }
        assert found.keys() == expected.keys()
        for label, box in expected.items():
            torch.testing.assert_close(found[label], torch.tensor(box))


def torchvision_vgg(channels: int) -> FasterRCNN:
    """Torchvision's parts put together as in its tutorial, a sixteenth as wide."""
    layers: list[Any] = [4, 4, "M", 8, 8, "M", 16, 16, 16, "M", *[32, 32, 32, "M"] * 2]
    backbone = vgg.make_layers(layers)[:-1]
    backbone.out_channels = 32
    return FasterRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(((8, 16, 32),), ((0.5, 1.0, 2.0),)),
        box_roi_pool=MultiScaleRoIAlign(["0"], 7, 2),
        box_head=faster_rcnn.TwoMLPHead(32 * 49, 16),
        box_predictor=faster_rcnn.FastRCNNPredictor(16, channels),
        **TOLD,
    )


TOLD: dict[str, Any] = {
    "min_size": 96,
    "max_size": 96,
    "image_mean": [0.0] * 3,
    "image_std": [1.0] * 3,
    "box_score_thresh": 0.0,
    "box_detections_per_img": 20,
    "rpn_pre_nms_top_n_test": 50,
    "rpn_post_nms_top_n_test": 50,
}
LIKE_TOLD: dict[str, Any] = {
    "score_threshold": 0.0,
    "detections": 20,
    "proposals": 50,
    "candidates": 50,
    "sampled_regions": 512,
    "proposals_training": 2000,
    "candidates_training": 2000,
}


def pair_vgg16() -> tuple[ProposalDetector, nn.Module]:
    ours, theirs = small("vgg16", 4, **LIKE_TOLD), torchvision_vgg(4)
    numbers = {
        f"stages.{our}": their.replace("features.", "")
        for their, our in stage_layers(ours.backbone.get_submodule("stages")).items()  # type: ignore[arg-type]
    }
    state: dict[str, Tensor] = {}
    for name, value in ours.state_dict().items():
        layer, _, kind = name.removeprefix("backbone.").rpartition(".")
        state[f"backbone.{numbers[layer]}.{kind}" if layer in numbers else name] = value
    theirs.load_state_dict(state)
    return ours, theirs


def pair_resnet() -> tuple[ProposalDetector, nn.Module]:
    ours = built("resnet", 4, **LIKE_TOLD)
    theirs = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=4, **TOLD)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def pair_mobilenet() -> tuple[ProposalDetector, nn.Module]:
    ours = built("mobilenet", 4, **LIKE_TOLD)
    theirs = fasterrcnn_mobilenet_v3_large_fpn(
        weights=None, weights_backbone=None, num_classes=4, **TOLD
    )
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


@pytest.fixture(scope="module", params=[pair_vgg16, pair_resnet, pair_mobilenet])
def pair(request: pytest.FixtureRequest) -> tuple[ProposalDetector, nn.Module]:
    """The same weights in torchvision's network, told to leave size and pixels alone."""
    torch.manual_seed(1)
    make: Callable[[], tuple[ProposalDetector, nn.Module]] = request.param
    return make()


class TestAgainstTorchvision:
    def test_detections_are_the_same(self, pair: tuple[ProposalDetector, nn.Module]) -> None:
        ours, theirs = (network.eval() for network in pair)
        with torch.no_grad():
            found, expected = ours(images((96, 96), (96, 96))), theirs(images((96, 96), (96, 96)))
        assert len(found) == 2
        for one, other in zip(found, expected, strict=True):
            assert len(one["scores"]) > 5
            for part in ("boxes", "labels", "scores"):
                torch.testing.assert_close(one[part], other[part], rtol=1e-5, atol=1e-4)

    def test_losses_are_the_same(self, pair: tuple[ProposalDetector, nn.Module]) -> None:
        losses = []
        for network in pair:
            torch.manual_seed(3)
            if network is pair[0]:
                torch.rand(1)  # torchvision draws which size to bring an image to
            objects: Any = [target(*PAIR)]
            objects = Targets(objects) if network is pair[0] else objects
            learned = network.train()(images((96, 96)), objects)
            losses.append(learned.losses if network is pair[0] else learned)
        assert set(losses[0]) == set(losses[1])
        assert len(losses[0]) == 4
        for name, value in losses[0].items():
            torch.testing.assert_close(value, losses[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("vgg16", {150: [10], 300: [19], 600: [38]}),
        (
            "resnet",
            {150: [40, 20, 10, 5, 3], 300: [80, 40, 20, 10, 5], 600: [152, 76, 38, 19, 10]},
        ),
        ("mobilenet", {150: [5, 5, 3], 300: [10, 10, 5], 600: [19, 19, 10]}),
    ],
)
def test_image_sizes_of_the_thesis_give_different_maps(
    name: str, places: dict[int, list[int]]
) -> None:
    """Torchvision's network brings each of them to 800 pixels."""
    with torch.device("meta"):
        network = built(name, 4, **SMALL[name])
    head: Any = network.rpn.head
    seen: list[list[int]] = []
    head.register_forward_pre_hook(lambda _, given: seen.append([m.shape[-1] for m in given[0]]))
    for size in places:
        count_macs(network, torch.empty(1, 3, size, size, device="meta"))
    assert seen == list(places.values())


@pytest.mark.parametrize("name", NAMES)
class TestOddImages:
    @pytest.mark.parametrize(
        "boxes",
        [
            (),
            ((10.0, 10.0, 11.0, 11.0),),
            ((0.0, 0.0, 64.0, 64.0),),
            tuple((float(i % 50), float(i // 5 % 50), i % 50 + 9.0, i // 5 % 50 + 12.0)
                  for i in range(300)),
        ],
        ids=["none", "of one pixel", "the whole image", "300"],
    )  # fmt: skip
    @pytest.mark.parametrize("least", [0.0, 0.1])
    def test_they_are_trained_on_and_scored(
        self, name: str, boxes: tuple[tuple[float, ...], ...], least: float
    ) -> None:
        network = small(name, least_background_iou=least).train()
        both = Targets([target(*boxes), target(*PAIR)])
        learned = network(images((64, 64), (64, 64)), both)
        torch.autograd.backward(torch.stack(list(learned.losses.values())).sum())
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
        with torch.no_grad():
            scored = network.eval()(images((64, 64), (64, 64)), both)
        assert isinstance(scored, Scored)
        for values in (*scored.losses.values(), *scored.measures.values()):
            assert values.isfinite().all()
        assert float(scored.measures["overlapping_boxes"][0, 1]) == bool(boxes)


@pytest.mark.parametrize("name", NAMES)
def test_cost_is_that_of_a_training_pass(name: str) -> None:
    network = small(name, sampled_regions=4).eval()  # batch statistics are no part of it
    for head in network.heads:
        head.training = True
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        batch = images((64, 64))[0][None]
        network.learn(ImageList(batch, [(64, 64)]), network.maps(batch), [target(*PAIR)])
    example = torch.empty(1, 3, 64, 64, device="meta")
    assert count_macs(network, example) == counter.get_total_flops() / 2


class TestMeasures:
    def scored(self, count: int) -> Scored:
        network = small("resnet", norm="group").eval()
        objects = [target(*PAIR), target(PAIR[0]), target()][:count]
        with torch.no_grad():
            found = network(images(*[(64, 64)] * count), Targets(objects))
        assert isinstance(found, Scored)
        return found

    def test_of_an_image_they_do_not_depend_on_the_images_beside_it(self) -> None:
        together, alone = self.scored(3).measures, self.scored(1).measures
        assert set(together) == {"region_accuracy", "box_mse", "overlapping_boxes"}
        for name, values in together.items():
            assert values.shape == (3, 2)
            torch.testing.assert_close(values[:1], alone[name])

    def test_images_without_objects_have_regions_and_no_boxes_to_compare(self) -> None:
        measures = {name: values[2].tolist() for name, values in self.scored(3).measures.items()}
        assert measures["region_accuracy"][1] == 8
        assert measures["box_mse"] == [0.0, 0.0]
        assert measures["overlapping_boxes"] == [0.0, 0.0]

    def test_of_training_they_are_those_of_the_regions_sampled(self) -> None:
        network = small("vgg16").train()
        learned = network(images((64, 64), (64, 64)), Targets([target(*PAIR), target()]))
        assert set(learned.measures) == {"region_accuracy", "box_mse"}
        right, regions = learned.measures["region_accuracy"].tolist()
        assert regions == 16
        assert 0 <= right <= 16
        assert 1 <= learned.measures["box_mse"][1] <= 2  # a quarter of eight, of one image
        assert not any(values.requires_grad for values in learned.measures.values())

    def test_overlapping_boxes_are_of_as_many_proposals_as_scoring_has(self) -> None:
        """Two proposals of which one is the box: the share is a half, whatever training takes."""
        network = small("vgg16", proposals=2, candidates=None, proposals_training=20).eval()
        box = torch.tensor([[8.0, 8.0, 40.0, 40.0], [41.0, 41.0, 60.0, 60.0]])
        asked: list[int] = []

        def proposed(*_: object) -> tuple[list[Tensor], dict[str, Tensor]]:
            asked.append(network.rpn.post_nms_top_n())
            return [box], {}

        network.rpn.forward = proposed
        with torch.no_grad():
            scored = network(images((64, 64)), Targets([target((8.0, 8.0, 40.0, 40.0))]))
        assert asked[0] == 2
        assert scored.measures["overlapping_boxes"].tolist() == [[0.5, 1.0]]


def test_networks_say_where_their_classes_are() -> None:
    network = small("resnet")
    rows = {each.layer: each.per_class for each in network.class_rows}
    assert rows == {
        "roi_heads.box_predictor.cls_score": 1,
        "roi_heads.box_predictor.bbox_pred": 4,
    }
    for each in network.class_rows:
        assert network.get_submodule(each.layer).out_features == 3 * each.per_class
