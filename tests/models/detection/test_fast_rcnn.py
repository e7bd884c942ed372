from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.catalog import MODELS
from models.cost import count_parameters
from models.detection.fast_rcnn import SearchingDetector, build_resnet, build_vgg16, load_resnet
from models.detection.fast_rcnn_settings import FastRCNNResNetSettings, FastRCNNVGG16Settings
from models.detection.faster_rcnn import load_vgg16
from models.detection.outputs import Target, Targets
from models.detection.selective_search.proposals import pixels_of, remembered

CONVOLUTIONS, CONNECTED = 14_714_688, 119_545_856  # of VGG-16
BOX = torch.tensor([[10.0, 12.0, 40.0, 44.0]])


def scene() -> Tensor:
    """A bright square, where `BOX` is, on noise."""
    image = 0.2 * torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(2)) - 0.6
    image[:, 12:44, 10:40] += 1
    return image


def target(*labels: int) -> Target:
    return {"boxes": BOX.repeat(len(labels), 1), "labels": torch.tensor(labels).long()}


def small(**settings: Any) -> SearchingDetector:
    torch.manual_seed(0)
    fields = {"base_channels": 4, "head_width": 16, "sampled_regions": 16, **settings}
    return build_vgg16(FastRCNNVGG16Settings.model_validate(fields), 3)


@pytest.mark.parametrize("classes", [1, 3, 20, 80])
def test_parameters_are_those_of_vgg16_and_two_last_layers(classes: int) -> None:
    with torch.device("meta"):
        network = build_vgg16(FastRCNNVGG16Settings(), classes + 1)
    last = (classes + 1) * 4097 + 4 * classes * 4097
    assert count_parameters(network) == CONVOLUTIONS + CONNECTED + last
    assert MODELS["fast_rcnn_vgg16"].parameters[classes + 1] == CONVOLUTIONS + CONNECTED + last


def test_last_layers_start_as_in_the_paper() -> None:
    torch.manual_seed(1)
    predictor = build_resnet(FastRCNNResNetSettings(), 21).roi_heads.box_predictor
    for layer, std in ((predictor.cls_score, 0.01), (predictor.bbox_pred, 0.001)):
        assert float(layer.weight.detach().std()) == pytest.approx(std, rel=0.05)
        assert not layer.bias.any()


def test_regions_are_those_of_selective_search() -> None:
    network, image = small(proposals=30), scene()
    found, losses = network.propose(ImageList(image[None], [(64, 64)]), {})
    expected = remembered(
        pixels_of(image, is_normalized=False), FastRCNNVGG16Settings(proposals=30)
    )
    assert torch.equal(found[0], torch.from_numpy(expected))
    assert losses == {}


@pytest.mark.parametrize(("least", "allowed"), [(0.1, True), (0.0, False)])
def test_background_is_sampled_from_what_touches_an_object(least: float, allowed: bool) -> None:
    network = small(least_background_iou=least, sampled_regions=512)
    regions, _ = network.propose(ImageList(scene()[None], [(64, 64)]), {})
    boxes, _, labels, _ = network.roi_heads.select_training_samples(regions, [target(1)])
    best = box_iou(boxes[0], BOX)[:, 0]
    assert (best[labels[0] == 1] >= 0.5).all()
    background = best[labels[0] == 0]
    assert len(background) > 3
    assert (background < 0.5).all()
    assert bool((background >= 0.1).all()) is allowed


def test_at_most_a_quarter_of_the_sampled_regions_are_objects() -> None:
    network = small(sampled_regions=8)
    regions, _ = network.propose(ImageList(scene()[None], [(64, 64)]), {})
    _, _, labels, _ = network.roi_heads.select_training_samples(regions, [target(1)])
    assert len(labels[0]) <= 8
    assert int((labels[0] > 0).sum()) == 2


def test_regions_of_normalised_images_are_found_in_their_pixels() -> None:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    image = (scene() + 1) / 2
    normalised = (image - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    plain, pretrained = small(), build_resnet(FastRCNNResNetSettings(pretrained="imagenet"), 3)
    batches = [ImageList(each[None], [(64, 64)]) for each in (scene(), normalised)]
    assert torch.equal(
        plain.propose(batches[0], {})[0][0], pretrained.propose(batches[1], {})[0][0]
    )


@pytest.mark.parametrize("pooling", ["roi_pool", "roi_align"])
def test_pooling_is_the_one_asked_for(pooling: str) -> None:
    assert small(pooling=pooling).roi_heads.box_roi_pool.kind == pooling


def test_a_step_learns_what_is_in_the_box() -> None:
    network = small(dropout=0.0).train()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    totals = []
    for _ in range(40):
        torch.manual_seed(5)
        losses = network([scene()], Targets([target(2)])).losses
        assert set(losses) == {"loss_classifier", "loss_box_reg"}
        totals.append(float(sum(losses.values()).detach()))
        optimizer.zero_grad()
        torch.autograd.backward(sum(losses.values()))
        optimizer.step()
    assert totals[-1] < 0.5 * totals[0]


@pytest.mark.parametrize(
    ("stages", "learning"),
    [
        (None, {"layer3", "layer2"}),
        (0, set()),
        (1, {"layer3"}),
        (3, {"layer3", "layer2", "layer1"}),
        (4, {"layer3", "layer2", "layer1", "conv1", "bn1"}),
    ],
)
def test_pretrained_resnet_is_trained_from_its_last_stage_on(
    stages: int | None, learning: set[str]
) -> None:
    settings = FastRCNNResNetSettings(pretrained="imagenet", norm="batch", trainable_layers=stages)
    with torch.device("meta"):
        body = build_resnet(settings, 3).backbone.get_submodule("body")
    names = {name.split(".")[0] for name, each in body.named_parameters() if each.requires_grad}
    assert names == learning


class TestPretrained:
    @pytest.fixture(autouse=True)
    def _cache(self, weights_cache: Path) -> None:
        self.folder = weights_cache

    def put(self, network: nn.Module, name: str) -> None:
        torch.save(network.state_dict(), self.folder / name)

    def test_resnet_takes_all_stages_that_it_has(self) -> None:
        torch.manual_seed(7)
        classifier = models.resnet18(norm_layer=nn.BatchNorm2d)
        name = models.ResNet18_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
        self.put(classifier, name)
        settings = FastRCNNResNetSettings(pretrained="imagenet", norm="batch")
        network = build_resnet(settings, 3)
        (loaded,) = load_resnet(network, settings)
        assert loaded.file == name
        body = network.backbone.get_submodule("body")
        for key, value in body.state_dict().items():
            assert torch.equal(value, classifier.state_dict()[key]), key

    def test_vgg16_takes_its_connected_layers_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with torch.device("meta"):
            classifier = models.vgg16()
            network = build_vgg16(FastRCNNVGG16Settings(pretrained="imagenet"), 3)
        asked: list[list[str]] = []

        def shapes_alone(module: nn.Module, _source: object, *, rename: Any) -> str:
            theirs = {rename(key): value for key, value in classifier.state_dict().items()}
            del theirs[None]
            own = module.state_dict()
            assert {key: v.shape for key, v in theirs.items()} == {
                key: v.shape for key, v in own.items()
            }
            asked.append(list(own))
            return "loaded"

        monkeypatch.setattr("models.detection.faster_rcnn.load_into", shapes_alone)
        assert load_vgg16(network, FastRCNNVGG16Settings(pretrained="imagenet"))
        assert {"fc6.weight", "fc7.bias", "stages.0.0.weight"} <= set(asked[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trainable_layers": 3}, "keep random layers as they are; remove it, or set pretrained"),
        ({"head_width": 64, "pretrained": "imagenet"}, "has fully connected layers of 4096 units"),
        ({"sampled_regions": 3}, "must be at least one region"),
        ({"least_background_iou": 0.6}, "put them in this order"),
        ({"search_side": 8}, "greater than or equal to 16"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FastRCNNVGG16Settings.model_validate(settings)
