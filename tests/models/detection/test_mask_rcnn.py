from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from pydantic import ValidationError
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.detection import maskrcnn_resnet50_fpn  # type: ignore[import-untyped]

from models.cost import count_macs, count_parameters
from models.detection.mask_rcnn import MaskRCNNNetwork, build_mask_rcnn, load_mask_rcnn
from models.detection.outputs import Scored, Target, Targets
from models.detection.settings import MaskRCNNSettings, mask_rcnn_size_rule
from models.pretrained import PretrainedWeightsError

SMALL: dict[str, Any] = {
    "backbone": "resnet18",
    "anchor_sizes": (8, 16, 32, 48, 64),
    "pyramid_channels": 64,
    "head_width": 64,
    "sampled_regions": 8,
    "proposals_training": 20,
    "proposals": 20,
}


def built(channels: int, **settings: Any) -> MaskRCNNNetwork:
    return build_mask_rcnn(MaskRCNNSettings.model_validate(settings), channels)


def small(channels: int = 3, seed: int = 0, **settings: Any) -> MaskRCNNNetwork:
    torch.manual_seed(seed)
    return built(channels, **{**SMALL, **settings})


def images(*sizes_hw: tuple[int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(3, *size_hw, generator=generator) for size_hw in sizes_hw]


def targets(*of_images: Target) -> Targets:
    return Targets(of_images)


def target(*boxes: tuple[float, float, float, float], side: int = 64) -> Target:
    masks = torch.zeros(len(boxes), side, side, dtype=torch.bool)
    for index, (left, top, right, bottom) in enumerate(boxes):
        masks[index, int(top) : int(bottom), int(left) : int(right)] = True
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.ones(len(boxes), dtype=torch.int64),
        "masks": masks,
    }


@pytest.fixture(scope="module")
def untrained() -> MaskRCNNNetwork:
    """A network that no test changes."""
    return small(score_threshold=0.0, detections=10).eval()


PAIR = ((4.0, 6.0, 40.0, 44.0), (30.0, 20.0, 60.0, 60.0))


@pytest.mark.parametrize(
    ("channels", "settings", "count"),
    [
        (91, {}, 44_454_513),
        (91, {"pretrained": "imagenet"}, 44_401_393),
        (91, {"pretrained": "coco"}, 44_401_393),
        (91, {"heads": "v2"}, 46_359_409),
        (4, {}, 43_986_279),
        (6, {}, 43_997_043),
        (21, {}, 44_077_773),
    ],
)
def test_parameter_counts_are_the_published_ones(
    channels: int, settings: dict[str, Any], count: int
) -> None:
    with torch.device("meta"):
        assert count_parameters(built(channels, **settings)) == count


@pytest.fixture(scope="module")
def pair() -> tuple[MaskRCNNNetwork, nn.Module]:
    """The same weights in torchvision's network, told to leave size and pixels alone."""
    torch.manual_seed(1)
    ours = built(4, score_threshold=0.0, detections=20, proposals=50)
    theirs: nn.Module = maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=4,
        min_size=96,
        max_size=96,
        image_mean=[0.0] * 3,
        image_std=[1.0] * 3,
        box_score_thresh=0.0,
        box_detections_per_img=20,
        rpn_pre_nms_top_n_test=50,
        rpn_post_nms_top_n_test=50,
    )
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


class TestAgainstTorchvision:
    def test_detections_are_the_same(self, pair: tuple[MaskRCNNNetwork, nn.Module]) -> None:
        ours, theirs = (network.eval() for network in pair)
        with torch.no_grad():
            found, expected = ours(images((96, 96), (96, 96))), theirs(images((96, 96), (96, 96)))
        assert len(found) == 2
        for one, other in zip(found, expected, strict=True):
            assert len(one["scores"]) == 20
            for part in ("boxes", "labels", "scores", "masks"):
                torch.testing.assert_close(one[part], other[part], rtol=1e-5, atol=1e-5)

    def test_losses_are_the_same(self, pair: tuple[MaskRCNNNetwork, nn.Module]) -> None:
        losses = []
        for network in pair:
            torch.manual_seed(3)
            if network is pair[0]:
                torch.rand(1)  # torchvision draws which size to bring an image to
            objects: Any = [target(*PAIR, side=96)]
            objects = Targets(objects) if network is pair[0] else objects
            learned = network.train()(images((96, 96)), objects)
            losses.append(learned.losses if network is pair[0] else learned)
        assert set(losses[0]) == set(losses[1])
        assert len(losses[0]) == 5
        for name, value in losses[0].items():
            torch.testing.assert_close(value, losses[1][name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("size", "inside"), [(64, 64), (67, 96), (96, 96), (150, 160)])
def test_network_works_on_the_image_size_asked_for(size: int, inside: int) -> None:
    with torch.device("meta"):
        network = built(2, **SMALL)
    seen: list[tuple[int, ...]] = []
    network.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    count_macs(network, torch.empty(1, 3, size, size, device="meta"))
    assert seen == [(1, 3, inside, inside)]


def test_detections_lie_in_their_own_image(untrained: MaskRCNNNetwork) -> None:
    sizes = ((64, 90), (100, 70))
    with torch.no_grad():
        found = untrained(images(*sizes))
    for detection, (height, width) in zip(found, sizes, strict=True):
        assert detection["masks"].shape[1:] == (1, height, width)
        assert detection["boxes"].min() >= 0
        assert (detection["boxes"].amax(dim=0)[2:] <= torch.tensor([width, height])).all()


class TestLossesOfEvaluation:
    def scored(self, network: MaskRCNNNetwork, count: int) -> Scored:
        objects = [target(*PAIR), target(PAIR[0]), target()][:count]
        with torch.no_grad():
            found = network.eval()(images(*[(64, 64)] * count), targets(*objects))
        assert isinstance(found, Scored)
        return found

    def test_nothing_of_the_network_or_the_random_state_changes(self) -> None:
        network = small(heads="v2")
        before = {name: value.clone() for name, value in network.state_dict().items()}
        state = torch.get_rng_state()
        self.scored(network, 3)
        assert torch.equal(torch.get_rng_state(), state)
        assert all(torch.equal(before[name], v) for name, v in network.state_dict().items())
        assert not any(module.training for module in network.modules())

    def test_an_images_losses_do_not_depend_on_the_images_beside_it(
        self, untrained: MaskRCNNNetwork
    ) -> None:
        together, alone = self.scored(untrained, 3).losses, self.scored(untrained, 1).losses
        for name, values in together.items():
            assert values.shape == (3,)
            torch.testing.assert_close(values[:1], alone[name], rtol=1e-5, atol=1e-6)

    def test_they_are_those_of_training(self) -> None:
        network = small(norm="group")  # whose normalisation is the same in both
        of_evaluation = self.scored(network, 1).losses
        torch.manual_seed(0)
        of_training = network.train()(images((64, 64)), targets(target(*PAIR))).losses
        for name, value in of_training.items():
            torch.testing.assert_close(of_evaluation[name][0], value.detach())

    def test_detections_are_those_without_targets(self, untrained: MaskRCNNNetwork) -> None:
        found = self.scored(untrained, 2).detections
        with torch.no_grad():
            expected = untrained(images((64, 64), (64, 64)))
        for one, other in zip(found, expected, strict=True):
            assert len(one["scores"]) == 10
            assert torch.equal(one["scores"], other["scores"])


@pytest.mark.parametrize("heads", ["v1", "v2"])
def test_images_without_objects_are_trained_on(heads: str) -> None:
    network = small(heads=heads).train()
    losses = network(images((64, 64), (64, 64)), targets(target(), target())).losses
    assert float(losses["loss_mask"].detach()) == 0.0
    torch.autograd.backward(torch.stack(list(losses.values())).sum())
    assert all(value.isfinite().all() for value in network.state_dict().values())
    with torch.no_grad():
        assert len(network.eval()(images((64, 64)))) == 1


def test_boxes_are_computed_in_full_precision_in_mixed_precision_too() -> None:
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    network = small(score_threshold=0.0)
    seen: list[Tensor] = []
    hook = network.rpn.register_forward_pre_hook(
        lambda _, given: seen.append(given[2][0]["boxes"])
    )
    wrapped = fabric.setup_module(network)
    exact = (4.125, 6.0, 40.0, 44.0078125)  # a bfloat16 has 8 bits
    losses = wrapped(images((64, 64)), targets(target(exact))).losses
    hook.remove()
    assert seen[0].tolist() == [[*exact]]
    assert {value.dtype for value in losses.values()} == {torch.float32}
    with torch.no_grad():
        (found,) = wrapped.eval()(images((64, 64)))
    assert not torch.equal(found["boxes"], found["boxes"].bfloat16().float())


def test_cost_is_that_of_a_training_pass_with_objects() -> None:
    network = small(norm="group").train()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(images((64, 64)), targets(target(*PAIR)))
    example = torch.empty(1, 3, 64, 64, device="meta")
    assert count_macs(network, example) == counter.get_total_flops() / 2


def test_frozen_stages_get_no_gradient() -> None:
    with torch.device("meta"):
        network = built(2, pretrained="imagenet", trainable_layers=1)
    trained = {
        name.split(".")[2]
        for name, weights in network.named_parameters()
        if name.startswith("backbone.body") and weights.requires_grad
    }
    assert trained == {"layer4"}
    assert all(weights.requires_grad for weights in network.rpn.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trainable_layers": 3}, "keep random layers as they are; remove it, or set pretrained"),
        ({"norm": "frozen"}, "use 'batch' or 'group', or set pretrained"),
        ({"norm": "group", "pretrained": "imagenet"}, "has no weights in pretrained 'imagenet'"),
        ({"backbone": "resnet18", "pretrained": "coco"}, "is of backbone 'resnet50'"),
        ({"aspect_ratios": (1.0,), "pretrained": "coco"}, "needs 3 aspect_ratios, got 1"),
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MaskRCNNSettings.model_validate(settings)


def test_image_that_is_too_small_is_refused_with_the_least_size() -> None:
    assert mask_rcnn_size_rule(MaskRCNNSettings(), 64) is None
    message = mask_rcnn_size_rule(MaskRCNNSettings(), 48)
    assert message == (
        "image size of mask_rcnn must be at least 64, for 2 pixels at stride 32, got 48; use 64"
    )


class TestPretrainedWeights:
    """Weights of the right names, as torchvision's files have them, in a cache of our own."""

    @pytest.fixture(autouse=True)
    def _cache(self, weights_cache: Path) -> None:
        self.folder = weights_cache

    def put(self, name: str, state: dict[str, Tensor]) -> None:
        torch.save(state, self.folder / name)

    def test_coco_weights_are_put_everywhere_but_into_the_last_layers(self) -> None:
        source, network = built(91, pretrained="coco"), built(3, pretrained="coco")
        self.put("maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth", source.state_dict())
        (loaded,) = load_mask_rcnn(network, MaskRCNNSettings(pretrained="coco"))
        assert loaded.file == "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth"
        given, theirs = network.state_dict(), source.state_dict()
        differ = {name for name in given if not torch.equal(given[name], theirs[name])}
        last = ("roi_heads.box_predictor", "roi_heads.mask_predictor.mask_fcn_logits")
        assert differ == {name for name in given if name.startswith(last)}

    def test_imagenet_weights_are_put_into_the_backbone(self) -> None:
        settings = MaskRCNNSettings(backbone="resnet18", pretrained="imagenet")
        network = build_mask_rcnn(settings, 2)
        body = network.backbone.get_submodule("body").state_dict()
        drawn = {name: torch.randn_like(value) for name, value in body.items()}
        self.put("resnet18-f37072fd.pth", {**drawn, "fc.weight": torch.zeros(2, 2)})
        load_mask_rcnn(network, settings)
        assert all(torch.equal(drawn[name], body[name]) for name in body)

    def test_weights_of_another_network_are_told(self) -> None:
        self.put("resnet18-f37072fd.pth", {"conv1.weight": torch.zeros(1)})
        settings = MaskRCNNSettings(backbone="resnet18", pretrained="imagenet")
        with pytest.raises(PretrainedWeightsError, match="got those of another network"):
            load_mask_rcnn(build_mask_rcnn(settings, 2), settings)


def test_measures_of_regions_and_proposals_are_reported(untrained: MaskRCNNNetwork) -> None:
    with torch.no_grad():
        scored = untrained(images((64, 64)), targets(target(*PAIR)))
    assert set(scored.measures) == {"region_accuracy", "box_mse", "overlapping_boxes"}
    assert all(values.shape == (1, 2) for values in scored.measures.values())
