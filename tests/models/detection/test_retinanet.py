import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import (  # type: ignore[import-untyped]
    RetinaNet as TorchvisionRetinaNet,
)
from torchvision.models.detection import (
    retinanet_resnet50_fpn,
    retinanet_resnet50_fpn_v2,
)
from torchvision.models.detection._utils import Matcher  # type: ignore[import-untyped]
from torchvision.models.detection.retinanet import RetinaNetHead  # type: ignore[import-untyped]
from torchvision.ops import sigmoid_focal_loss  # type: ignore[import-untyped]

from models.cost import count_macs, count_parameters
from models.detection.one_stage import BOXES, SCORES, objects_of
from models.detection.one_stage_settings import RetinaNetSettings
from models.detection.outputs import Learned, Target, Targets
from models.detection.retinanet import RetinaNet, build_retinanet, load_retinanet, sides

SMALL: dict[str, Any] = {"backbone": "resnet18", "score_threshold": 0.0, "detections": 20}
PAIR = ((4.0, 6.0, 40.5, 44.0), (30.0, 20.0, 61.0, 60.5))


def built(channels: int, **settings: Any) -> RetinaNet:
    return build_retinanet(RetinaNetSettings.model_validate(settings), channels)


def small(channels: int = 4, **settings: Any) -> RetinaNet:
    torch.manual_seed(0)
    return built(channels, **{**SMALL, **settings})


def images(count: int, side: int = 96) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(3, side, side, generator=generator) for _ in range(count)]


def target(*boxes: tuple[float, float, float, float]) -> Target:
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.arange(1, len(boxes) + 1),
    }


def learned(network: nn.Module, pictures: list[Tensor], *of_images: Target) -> Learned:
    found: Learned = network.train()(pictures, Targets(of_images))
    return found


@pytest.mark.parametrize(
    ("classes", "settings", "count"),
    [  # torchvision's "classes", of which it counts a background that nothing is
        (91, {}, 34_068_119),
        (91, {"pretrained": "coco"}, 34_014_999),
        (91, {"heads": "v2"}, 38_198_935),
        (4, {}, 32_263_304),
        (6, {}, 32_304_794),
        (21, {}, 32_615_969),
    ],
)
def test_parameter_counts_are_the_published_ones(
    classes: int, settings: dict[str, Any], count: int
) -> None:
    with torch.device("meta"):
        assert count_parameters(built(classes + 1, **settings)) == count


@pytest.mark.parametrize(
    ("heads", "function"), [("v1", retinanet_resnet50_fpn), ("v2", retinanet_resnet50_fpn_v2)]
)
def test_weights_are_named_as_torchvisions(heads: str, function: Any) -> None:
    with torch.device("meta"):
        ours = built(4, heads=heads).state_dict()
        theirs = function(weights=None, weights_backbone=None, num_classes=3).state_dict()
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }


def twin(ours: RetinaNet, heads: str) -> nn.Module:
    """Return torchvision's network of the same weights, told to leave size and pixels alone."""
    head = RetinaNetHead(
        256, 9, 3, norm_layer=(lambda width: nn.GroupNorm(32, width)) if heads == "v2" else None
    )
    head.load_state_dict(ours.head.state_dict())
    head.regression_head._loss_type = "giou" if heads == "v2" else "l1"
    theirs: nn.Module = TorchvisionRetinaNet(
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
    return theirs


@pytest.mark.parametrize("heads", ["v1", "v2"])
class TestAgainstTorchvision:
    def test_detections_are_the_same(self, heads: str) -> None:
        ours = small(heads=heads)
        theirs = twin(ours, heads)
        with torch.no_grad():
            found, expected = ours.eval()(images(2)), theirs.eval()(images(2))
        for one, other in zip(found, expected, strict=True):
            assert len(one["scores"]) == 20
            assert torch.equal(one["labels"], other["labels"] + 1)
            for part in ("boxes", "scores"):
                torch.testing.assert_close(one[part], other[part], rtol=1e-5, atol=1e-5)

    def test_losses_are_the_same(self, heads: str) -> None:
        ours = small(heads=heads, norm="group")
        theirs = twin(ours, heads).train()
        objects = [target(*PAIR), target(), target(PAIR[1])]
        from_zero = [{**each, "labels": each["labels"] - 1} for each in objects]
        expected = theirs(images(3), from_zero)
        losses = learned(ours, images(3), *objects).losses
        assert set(losses) == set(expected) == {"classification", "bbox_regression"}
        for name, value in losses.items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)


class TestFocalLoss:
    def test_it_is_torchvisions(self) -> None:
        network = small(focal_gamma=1.5, focal_alpha=0.3)
        generator = torch.Generator().manual_seed(1)
        logits = torch.randn(50, 3, generator=generator) * 4
        has_object = torch.rand(50, generator=generator) < 0.3
        labels = torch.randint(1, 4, (int(has_object.sum()),), generator=generator)
        truth = torch.zeros_like(logits)
        truth[torch.where(has_object)[0], labels - 1] = 1
        expected = sigmoid_focal_loss(logits, truth, alpha=0.3, gamma=1.5, reduction="sum")
        torch.testing.assert_close(network.focal_loss(logits, has_object, labels), expected)

    def test_hand_worked_value(self) -> None:
        # An object of class 2 with probabilities 1/2, 3/4, and 1/2 of the third class:
        # 0.25 (1/4)^2 log(4/3) + 2 * 0.75 (1/2)^2 log 2.
        logits = torch.tensor([[0.0, math.log(3), 0.0]])
        found = small().focal_loss(logits, torch.tensor([True]), torch.tensor([2]))
        expected = 0.25 / 16 * math.log(4 / 3) + 2 * 0.75 / 4 * math.log(2)
        assert float(found) == pytest.approx(expected, rel=1e-6)

    def test_untrained_network_gives_every_class_the_prior(self) -> None:
        network = small(prior=0.02).eval()
        with torch.no_grad():
            maps = network.maps(torch.randn(1, 3, 64, 64))
        assert float(maps[f"{SCORES}.0"].sigmoid().mean()) == pytest.approx(0.02, rel=0.05)


class TestMatching:
    def test_anchors_between_the_thresholds_count_for_nothing(self) -> None:
        network = small()
        anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 4.5], [0, 0, 10, 1]])
        numbers = {SCORES: torch.zeros(3, 3), BOXES: torch.zeros(3, 4)}
        for row, is_counted in enumerate((True, False, True)):
            scores = numbers[SCORES].clone().requires_grad_()
            losses = network.image_losses(
                {**numbers, SCORES: scores}, anchors, target((0, 0, 10, 10))
            )
            losses["classification"].backward()  # type: ignore[no-untyped-call]
            assert scores.grad is not None
            assert bool(scores.grad[row].any()) == is_counted

    def test_object_that_no_anchor_overlaps_has_none(self) -> None:
        matcher = Matcher(0.5, 0.4, allow_low_quality_matches=True)
        anchors = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
        objects = torch.tensor([[0.0, 0, 9, 10], [90, 90, 91, 91]])
        assert objects_of(matcher, objects, anchors).tolist() == [0, -1]

    def test_loss_of_an_image_is_divided_by_its_anchors_with_objects(self) -> None:
        network = small()
        numbers = {SCORES: torch.zeros(2, 3), BOXES: torch.ones(2, 4)}
        anchors = torch.tensor([[0.0, 0, 10, 10]]).repeat(2, 1)
        losses = network.image_losses(numbers, anchors, target((0, 0, 10, 10)))
        assert float(losses["bbox_regression"]) == 4.0  # not 8: of two anchors


@pytest.mark.parametrize(
    ("side", "levels"), [(64, [8, 4, 2, 1, 1]), (150, [20, 10, 5, 3, 2]), (256, [32, 16, 8, 4, 2])]
)
def test_image_size_reaches_the_network(side: int, levels: list[int]) -> None:
    with torch.device("meta"):
        network = built(2, **SMALL)
    seen: list[int] = []
    network.head["classification_head"].get_submodule("cls_logits").register_forward_hook(
        lambda *call: seen.append(call[2].shape[-1])
    )
    count_macs(network, torch.empty(1, 3, side, side, device="meta"))
    assert seen == levels


def test_anchors_of_every_place_have_the_areas_and_shapes_of_the_paper() -> None:
    network = small()
    cell = network.generator.cell_anchors[0]
    widths, heights = cell[:, 2] - cell[:, 0], cell[:, 3] - cell[:, 1]
    expected = [
        (scale / math.sqrt(ratio), scale * math.sqrt(ratio))
        for ratio in (0.5, 1, 2)
        for scale in (32, 32 * 2 ** (1 / 3), 32 * 2 ** (2 / 3))
    ]
    for width, height, (wide, high) in zip(widths, heights, expected, strict=True):
        assert abs(float(width) - wide) <= 2  # whole pixels on either side
        assert abs(float(height) - high) <= 2


def test_sides_of_a_level_end_below_those_of_the_next() -> None:
    assert sides(32, 3) == (32, 40, 50)
    assert sides(64, 3)[0] == 64
    assert sides(10, 1) == (10,)


@pytest.mark.parametrize("precision", [torch.bfloat16])
def test_layers_run_in_mixed_precision_and_losses_in_full(precision: torch.dtype) -> None:
    network = small(norm="group")
    with torch.autocast("cpu", dtype=precision):
        maps = network.maps(torch.randn(1, 3, 64, 64))
        found = learned(network, images(1, 64), target(PAIR[0]))
    assert {value.dtype for value in maps.values()} == {precision}
    assert {value.dtype for value in found.losses.values()} == {torch.float32}


class TestPretrainedWeights:
    """Weights of the right names, as torchvision's files have them, in a cache of our own."""

    @pytest.fixture(autouse=True)
    def _cache(self, weights_cache: Path) -> None:
        self.folder = weights_cache

    @pytest.mark.parametrize(
        ("heads", "name"),
        [
            ("v1", "retinanet_resnet50_fpn_coco-eeacb38b.pth"),
            ("v2", "retinanet_resnet50_fpn_v2_coco-5905b1c5.pth"),
        ],
    )
    def test_coco_weights_are_put_everywhere_but_into_the_scores(
        self, heads: str, name: str
    ) -> None:
        settings: dict[str, Any] = {"pretrained": "coco", "heads": heads}
        source, network = built(92, **settings), built(3, **settings)
        state = dict(source.state_dict())
        if heads == "v1":  # the file is older than the names of these layers
            for layer in list(state):
                if ".conv." in layer and ".0." in layer.partition(".conv.")[2]:
                    before, _, after = layer.partition(".conv.")
                    number, _, kind = after.partition(".0.")
                    state[f"{before}.conv.{2 * int(number)}.{kind}"] = state.pop(layer)
            assert "head.regression_head.conv.6.bias" in state
        torch.save(state, self.folder / name)
        (loaded,) = load_retinanet(network, RetinaNetSettings.model_validate(settings))
        assert loaded.file == name
        given, theirs = network.state_dict(), source.state_dict()
        differ = {each for each in given if not torch.equal(given[each], theirs[each])}
        layer = "head.classification_head.cls_logits"
        assert differ == {f"{layer}.weight", f"{layer}.bias"}

    def test_imagenet_weights_are_put_into_the_backbone(self) -> None:
        settings = {"backbone": "resnet18", "pretrained": "imagenet"}
        network = built(3, **settings)
        body = network.backbone.get_submodule("body").state_dict()
        drawn = {name: torch.randn_like(value) for name, value in body.items()}
        file = self.folder / "resnet18-f37072fd.pth"
        torch.save({**drawn, "fc.weight": torch.zeros(2, 2)}, file)
        load_retinanet(network, RetinaNetSettings.model_validate(settings))
        assert all(torch.equal(drawn[name], body[name]) for name in body)


def test_statistics_of_coco_are_used_as_they_were_trained() -> None:
    def spread(**settings: Any) -> set[Any]:
        with torch.device("meta"):
            network = built(3, **settings)
        return {module.eps for module in network.modules() if hasattr(module, "running_var")}

    assert spread(pretrained="coco") == {0.0}
    assert spread(pretrained="imagenet") == {1e-5}
    assert spread(pretrained="coco", heads="v2") == {1e-5}
