from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision.models import resnet18, vgg  # type: ignore[import-untyped]

from models.detection.faster_rcnn import (
    build_mobilenet,
    build_resnet,
    build_vgg16,
    load_mobilenet,
    load_resnet,
    load_vgg16,
)
from models.detection.faster_rcnn_settings import (
    FasterRCNNMobileNetSettings,
    FasterRCNNResNetSettings,
    FasterRCNNVGG16Settings,
    region_pyramid_size_rule,
    vgg16_size_rule,
)
from models.detection.two_stage import ProposalDetector
from models.pretrained import PretrainedWeightsError

Value = Callable[[Any], Any]  # network -> what a setting became


@pytest.mark.parametrize(
    ("settings", "value", "expected"),
    [
        ({"pooling": "roi_pool"}, lambda n: n.roi_heads.box_roi_pool.kind, "roi_pool"),
        ({"head_width": 32}, lambda n: n.roi_heads.box_head.fc7.out_features, 32),
        ({"base_channels": 8}, lambda n: n.backbone.out_channels, 64),
        ({"sampled_regions": 64}, lambda n: n.roi_heads.fg_bg_sampler.batch_size_per_image, 64),
        ({"foreground_share": 0.5}, lambda n: n.roi_heads.fg_bg_sampler.positive_fraction, 0.5),
        ({"foreground_iou": 0.6}, lambda n: n.roi_heads.proposal_matcher.high_threshold, 0.6),
        ({"background_iou": 0.4}, lambda n: n.roi_heads.proposal_matcher.low_threshold, 0.4),
        ({"least_background_iou": 0.1}, lambda n: n.roi_heads.least_background_iou, 0.1),
        ({"box_weights": (8, 8, 4, 4)}, lambda n: n.roi_heads.box_coder.weights, (8, 8, 4, 4)),
        ({"score_threshold": 0.3}, lambda n: n.roi_heads.score_thresh, 0.3),
        ({"nms": 0.3}, lambda n: n.roi_heads.nms_thresh, 0.3),
        ({"detections": 9}, lambda n: n.roi_heads.detections_per_img, 9),
        ({"anchor_sizes": (32, 64)}, lambda n: n.rpn.anchor_generator.sizes, ((32, 64),)),
        ({"aspect_ratios": (1.0,)}, lambda n: n.rpn.anchor_generator.aspect_ratios, ((1.0,),)),
        ({"anchor_foreground_iou": 0.6}, lambda n: n.rpn.proposal_matcher.high_threshold, 0.6),
        ({"anchor_background_iou": 0.2}, lambda n: n.rpn.proposal_matcher.low_threshold, 0.2),
        ({"sampled_anchors": 64}, lambda n: n.rpn.fg_bg_sampler.batch_size_per_image, 64),
        ({"anchor_foreground_share": 0.2}, lambda n: n.rpn.fg_bg_sampler.positive_fraction, 0.2),
        ({"anchor_box_weights": (4,) * 4}, lambda n: n.rpn.box_coder.weights, (4,) * 4),
        ({"candidates_training": 3000}, lambda n: n.rpn.train().pre_nms_top_n(), 3000),
        ({"candidates_training": None}, lambda n: n.rpn.train().pre_nms_top_n(), 2000),
        ({"candidates": 3000}, lambda n: n.rpn.eval().pre_nms_top_n(), 3000),
        ({"candidates": None}, lambda n: n.rpn.eval().pre_nms_top_n(), 300),
        ({"proposals_training": 77}, lambda n: n.rpn.train().post_nms_top_n(), 77),
        ({"proposals": 77}, lambda n: n.rpn.eval().post_nms_top_n(), 77),
        ({"proposal_nms": 0.6}, lambda n: n.rpn.nms_thresh, 0.6),
        ({"proposal_threshold": 0.2}, lambda n: n.rpn.score_thresh, 0.2),
    ],
)
def test_every_setting_arrives(settings: dict[str, Any], value: Value, expected: Any) -> None:
    with torch.device("meta"):
        usual = build_vgg16(FasterRCNNVGG16Settings(), 4)
        changed = build_vgg16(FasterRCNNVGG16Settings.model_validate(settings), 4)
    assert value(changed) == expected
    assert value(usual) != expected or None in settings.values()


def test_settings_of_the_pyramid_arrive() -> None:
    settings = FasterRCNNResNetSettings(
        backbone="resnet18", pyramid_channels=64, head_width=128, norm="group"
    )
    with torch.device("meta"):
        network: Any = build_resnet(settings, 4)
    assert network.backbone.out_channels == 64
    assert network.roi_heads.box_head.fc6.in_features == 64 * 49
    assert network.roi_heads.box_head.fc7.out_features == 128
    assert isinstance(network.backbone.body.bn1, nn.GroupNorm)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trainable_layers": 3}, "keep random layers as they are; remove it, or set pretrained"),
        ({"head_width": 64, "pretrained": "imagenet"}, "has fully connected layers of 4096 units"),
        ({"base_channels": 8, "pretrained": "imagenet"}, "needs base_channels 64"),
        ({"sampled_regions": 2}, "0.25 of 2 sampled_regions must be at least one region"),
        ({"background_iou": 0.6}, "got 0, 0.6 and 0.5; put them in this order"),
        ({"least_background_iou": 0.5}, "got 0.5, 0.5 and 0.5; put them in this order"),
        ({"anchor_background_iou": 0.8}, "must be at most anchor_foreground_iou, got 0.8 and 0.7"),
        ({"candidates": 200}, "candidates must be at least 300, as many as are to be left"),
        ({"candidates_training": 9}, "candidates_training must be at least 2000"),
        ({"sampled_anchors": 2, "anchor_foreground_share": 0.4}, "must be at least one anchor"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FasterRCNNVGG16Settings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "frozen"}, "use 'batch' or 'group', or set pretrained"),
        ({"pretrained": "coco", "backbone": "resnet18"}, "is of backbone 'resnet50'"),
        ({"pretrained": "coco", "pyramid_channels": 64}, "has pyramid_channels 256, got 64"),
        ({"pretrained": "coco", "head_width": 64}, "has head_width 1024, got 64"),
        ({"pretrained": "coco", "aspect_ratios": (1.0,)}, "needs 3 aspect_ratios, got 1"),
        ({"pyramid_channels": 48}, "multiple of 32"),
    ],
)
def test_settings_of_the_pyramid_that_cannot_work_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        FasterRCNNResNetSettings.model_validate(settings)


def test_mobilenets_coco_weights_need_five_anchor_sizes() -> None:
    with pytest.raises(ValidationError, match="needs 5 anchor_sizes, got 2"):
        FasterRCNNMobileNetSettings(pretrained="coco", anchor_sizes=(16, 32))


def test_image_that_is_too_small_is_refused_with_the_least_size() -> None:
    assert vgg16_size_rule(FasterRCNNVGG16Settings(), 32) is None
    assert "at least 32" in str(vgg16_size_rule(FasterRCNNVGG16Settings(), 31))
    assert region_pyramid_size_rule(FasterRCNNResNetSettings(), 64) is None
    assert "at least 64" in str(region_pyramid_size_rule(FasterRCNNResNetSettings(), 63))


@pytest.mark.parametrize(
    ("layers", "frozen"),
    [(None, {"0", "1"}), (0, {"0", "1", "2", "3", "4"}), (1, {"0", "1", "2", "3"}), (5, set())],
)
def test_stages_of_vgg16_that_stay_as_they_are(layers: int | None, frozen: set[str]) -> None:
    settings = FasterRCNNVGG16Settings(pretrained="imagenet", trainable_layers=layers)
    with torch.device("meta"):
        stages = build_vgg16(settings, 4).backbone.get_submodule("stages")
    fixed = {name.split(".")[0] for name, w in stages.named_parameters() if not w.requires_grad}
    assert fixed == frozen


@pytest.mark.parametrize(("layers", "first"), [(None, 7), (0, 17), (1, 16), (6, 0)])
def test_first_block_of_mobilenet_that_learns(layers: int | None, first: int) -> None:
    settings = FasterRCNNMobileNetSettings(pretrained="imagenet", trainable_layers=layers)
    with torch.device("meta"):
        body = build_mobilenet(settings, 4).backbone.get_submodule("body")
    learning = {int(n.split(".")[0]) for n, w in body.named_parameters() if w.requires_grad}
    assert learning == set(range(first, 17))


class TestPretrainedWeights:
    """Weights of the right names, as torchvision's files have them, in a cache of our own."""

    @pytest.fixture(autouse=True)
    def _cache(self, weights_cache: Path) -> None:
        self.folder = weights_cache

    def put(self, name: str, state: dict[str, Tensor]) -> None:
        torch.save(state, self.folder / name)

    def test_vgg16s_convolutions_and_connected_layers_are_the_classifiers(self) -> None:
        layers: list[Any] = [
            4,
            4,
            "M",
            8,
            8,
            "M",
            *[16, 16, 16, "M"],
            *[32, 32, 32, "M"] * 2,
        ]
        classifier = nn.ModuleDict({"features": vgg.make_layers(layers)})
        sizes = ((32 * 49, 16), (16, 16), (16, 10))
        classifier["classifier"] = nn.ModuleDict(
            {str(3 * index): nn.Linear(*size) for index, size in enumerate(sizes)}
        )
        self.put("vgg16-397923af.pth", classifier.state_dict())
        network = small_vgg16()
        load_vgg16(network, FasterRCNNVGG16Settings())
        images = torch.randn(1, 3, 64, 64)
        with torch.no_grad():
            found = network.backbone(images)["0"]
            expected = classifier["features"][:-1](images)  # type: ignore[index]
        assert torch.equal(found, expected)
        head: Any = network.roi_heads.box_head
        assert torch.equal(head.fc6.weight, classifier["classifier"]["0"].weight)  # type: ignore[index]
        assert torch.equal(head.fc7.weight, classifier["classifier"]["3"].weight)  # type: ignore[index]

    @pytest.mark.parametrize(
        ("settings", "file"),
        [
            (
                FasterRCNNResNetSettings(pretrained="coco"),
                "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
            ),
            (
                FasterRCNNMobileNetSettings(pretrained="coco"),
                "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth",
            ),
        ],
        ids=["resnet", "mobilenet"],
    )
    def test_coco_weights_are_put_everywhere_but_into_the_last_layers(
        self, settings: FasterRCNNResNetSettings | FasterRCNNMobileNetSettings, file: str
    ) -> None:
        source, network = built(settings, 91), built(settings, 3)
        self.put(file, source.state_dict())
        if isinstance(settings, FasterRCNNResNetSettings):
            load_resnet(network, settings)
        else:
            load_mobilenet(network, settings)
        given, theirs = network.state_dict(), source.state_dict()
        differ = {name for name in given if not torch.equal(given[name], theirs[name])}
        assert differ == {name for name in given if "box_predictor" in name}

    def test_imagenet_weights_are_put_into_a_resnet(self) -> None:
        settings = FasterRCNNResNetSettings(backbone="resnet18", pretrained="imagenet")
        source, network = resnet18(), built(settings, 3)
        self.put("resnet18-f37072fd.pth", source.state_dict())
        load_resnet(network, settings)
        weights = network.backbone.get_submodule("body").state_dict()
        assert all(torch.equal(source.state_dict()[name], weights[name]) for name in weights)

    def test_imagenet_weights_are_put_into_a_mobilenet(self) -> None:
        settings = FasterRCNNMobileNetSettings(pretrained="imagenet")
        source, network = built(settings, 3), built(settings, 3)
        body = source.backbone.get_submodule("body").state_dict()
        state = {f"features.{name}": torch.rand_like(value) for name, value in body.items()}
        self.put("mobilenet_v3_large-8738ca79.pth", {**state, "classifier.0.bias": torch.ones(1)})
        load_mobilenet(network, settings)
        weights = network.backbone.get_submodule("body").state_dict()
        assert all(torch.equal(state[f"features.{name}"], weights[name]) for name in weights)

    def test_weights_of_another_network_are_told(self) -> None:
        self.put("vgg16-397923af.pth", {"features.0.weight": torch.zeros(1)})
        with pytest.raises(PretrainedWeightsError, match="got those of another network"):
            load_vgg16(small_vgg16(), FasterRCNNVGG16Settings())


def small_vgg16() -> ProposalDetector:
    return build_vgg16(FasterRCNNVGG16Settings(base_channels=4, head_width=16), 3)


def built(
    settings: FasterRCNNResNetSettings | FasterRCNNMobileNetSettings, channels: int
) -> ProposalDetector:
    if isinstance(settings, FasterRCNNResNetSettings):
        return build_resnet(settings, channels)
    return build_mobilenet(settings, channels)
