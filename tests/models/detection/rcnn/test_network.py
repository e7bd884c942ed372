from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.catalog import MODELS
from models.cost import count_macs, count_parameters
from models.detection.detector import padded
from models.detection.outputs import Detection, Target, Targets
from models.detection.rcnn.network import PIXELS, RCNN, build_rcnn, load_rcnn
from models.detection.rcnn.settings import RCNNSettings, rcnn_size_rule

BOX = torch.tensor([[10.0, 12.0, 40.0, 44.0]])


def small(classes: int = 2, **settings: Any) -> RCNN:
    torch.manual_seed(0)
    fields = {
        "crop": 63,
        "context": 4,
        "head_width": 8,
        "sampled_regions": 16,
        "proposals": 40,
        "score_threshold": 0.0,
        **settings,
    }
    return build_rcnn(RCNNSettings.model_validate(fields), classes + 1)


def scene() -> Tensor:
    """A bright square, where `BOX` is, on noise."""
    image = 0.2 * torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(2)) - 0.6
    image[:, 12:44, 10:40] += 1
    return image


def target(*labels: int) -> Target:
    return {"boxes": BOX.repeat(len(labels), 1), "labels": torch.tensor(labels).long()}


@pytest.mark.parametrize("classes", [1, 20, 100])
def test_parameters_are_alexnets_with_the_background_as_a_class(classes: int) -> None:
    with torch.device("meta"):
        network = build_rcnn(RCNNSettings(), classes + 1)
        theirs = models.alexnet(num_classes=classes + 1)
    assert count_parameters(network) == count_parameters(theirs)
    assert MODELS["rcnn"].parameters[classes + 1] == count_parameters(theirs)


@pytest.mark.parametrize("crop", [63, 95, 127, 200, 227])
def test_size_of_the_last_map_is_that_of_the_crop(crop: int) -> None:
    settings = RCNNSettings(crop=crop)
    with torch.device("meta"):
        network = build_rcnn(settings, 2)
        maps = network.convolutions(torch.empty(1, 3, crop, crop))
    assert maps.shape == (1, 256, settings.pool5_side, settings.pool5_side)


def test_an_image_costs_as_many_crops_as_are_sampled() -> None:
    with torch.device("meta"):
        theirs = models.alexnet(num_classes=3)
    image = torch.empty(1, 3, 300, 300, device="meta")
    crop = torch.empty(1, 3, 227, 227, device="meta")
    network = build_rcnn(RCNNSettings(sampled_regions=5), 3)
    assert count_macs(network, image) == 5 * count_macs(theirs, crop)


class TestFineTuning:
    def test_regions_are_sampled_as_the_paper_says(self) -> None:
        network, truth = small(sampled_regions=8), target(2)
        regions = torch.tensor(
            [[10.0, 12.0, 40.0, 40.0]] * 9  # IoU 28 / 32
            + [[10.0, 12.0, 25.0, 44.0]] * 9  # exactly a half
            + [[10.0, 12.0, 24.0, 44.0]] * 9  # below
        )
        boxes, labels = network._sampled(regions, truth)
        assert labels.tolist().count(2) == 2  # a quarter of 8
        assert len(labels) == 8
        best = box_iou(boxes, BOX)[:, 0]
        assert (best[labels == 2] >= 0.5).all()
        assert (best[labels == 0] < 0.5).all()

    def test_a_region_is_of_the_object_that_it_overlaps_most(self) -> None:
        network = small(sampled_regions=64, foreground_share=1.0)
        truth: Target = {
            "boxes": torch.tensor([[0.0, 0.0, 20.0, 20.0], [4.0, 0.0, 24.0, 20.0]]),
            "labels": torch.tensor([1, 2]),
        }
        boxes, labels = network._sampled(torch.tensor([[3.0, 0.0, 23.0, 20.0]]), truth)
        assert labels[boxes[:, 0] == 3].tolist() == [2]

    def test_without_an_object_all_is_background(self) -> None:
        _, labels = small()._sampled(torch.rand(30, 4).cumsum(dim=1), target())
        assert labels.tolist() == [0] * 16

    def test_loss_is_a_mean_over_images_and_accuracy_over_regions(self) -> None:
        network = small(dropout=0.0, sampled_regions=16).train()
        both = Targets([target(2), target()])
        nn.init.zeros_(network.softmax.weight)
        network.softmax.bias.data = torch.tensor([1.0, 0.0, 0.0])
        learned = network([scene(), scene()], both)
        background = -torch.tensor([1.0, 0.0, 0.0]).log_softmax(0)
        objects = int(learned.measures["region_accuracy"].diff())
        right, regions = learned.measures["region_accuracy"].tolist()
        assert objects == regions - right > 0
        first = regions - 16  # sampled of the image with an object
        expected = background[0] + objects / first * (background[2] - background[0]) / 2
        assert float(learned.losses["loss_classifier"].detach()) == pytest.approx(
            float(expected), rel=1e-5
        )


class TestDetections:
    def found(self, network: RCNN) -> Detection:
        with torch.no_grad():
            found: list[Detection] = network.eval()([scene()])
        return found[0]

    def test_until_svms_are_fitted_the_softmax_finds(self) -> None:
        network = small()
        nn.init.zeros_(network.softmax.weight)
        network.softmax.bias.data = torch.tensor([0.0, 1.0, 2.0])
        shares = torch.tensor([0.0, 1.0, 2.0]).softmax(0)
        found = self.found(network)
        for label in (1, 2):
            scores = found["scores"][found["labels"] == label]
            torch.testing.assert_close(scores, shares[label].expand_as(scores))

    def test_then_svms_do_on_scaled_features(self) -> None:
        network, width = small(), 8
        boxes = network.regions(padded([scene()], 1))[0]
        with torch.no_grad():
            looked = network.eval().look({PIXELS: scene()[None]}, [boxes])
        weight = torch.randn(2, width, generator=torch.Generator().manual_seed(3))
        network.svms.settle(weight, torch.tensor([0.5, -1.0]), scale=3.0)
        margins = 3 * looked.fc7 @ weight.T + torch.tensor([0.5, -1.0])
        found = self.found(network)
        best = margins.sigmoid().amax(dim=0)
        for label in (1, 2):
            assert found["scores"][found["labels"] == label][0] == pytest.approx(best[label - 1])

    def test_class_without_an_svm_is_never_found(self) -> None:
        network = small()
        network.svms.settle(torch.zeros(2, 8), torch.tensor([1.0, -torch.inf]), scale=1.0)
        assert set(self.found(network)["labels"].tolist()) == {1}

    def test_each_class_moves_a_box_its_own_way(self) -> None:
        network = small(nms=1.0, detections=100)
        network.svms.settle(torch.zeros(2, 8), torch.ones(2), scale=1.0)
        plain = self.found(network)
        shift = torch.tensor([0, 0, 0, 0, 0.0, 0.0, 0.0, -0.6931472])  # half as high
        network.box_regression.settle(torch.zeros(8, 256), shift, scale=1.0)
        moved = self.found(network)

        def sides(found: Detection, label: int) -> Tensor:
            boxes = found["boxes"][found["labels"] == label]
            return (boxes[:, 2:] - boxes[:, :2]).sort(dim=0).values

        torch.testing.assert_close(sides(moved, 1), sides(plain, 1))
        torch.testing.assert_close(
            sides(moved, 2), sides(plain, 2) * torch.tensor([1.0, 0.5]), rtol=1e-4, atol=1e-4
        )

    def test_saved_weights_find_the_same(self) -> None:
        network, other = small(), small()
        network.svms.settle(torch.randn(2, 8), torch.randn(2), scale=2.0)
        network.box_regression.settle(torch.randn(8, 256) / 100, torch.randn(8) / 10, scale=1.0)
        other.load_state_dict(network.state_dict())
        for name, values in self.found(network).items():
            assert torch.equal(values, self.found(other)[name])  # type: ignore[literal-required, arg-type]


def test_pretrained_weights_are_alexnets(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.device("meta"):
        theirs = models.alexnet().state_dict()
        network = build_rcnn(RCNNSettings(pretrained="imagenet"), 3)
    seen: list[int] = []

    def shapes_alone(module: nn.Module, _source: object, *, rename: Any) -> str:
        kept = {rename(key): value.shape for key, value in theirs.items()}
        del kept[None]
        assert kept == {key: value.shape for key, value in module.state_dict().items()}
        seen.append(len(kept))
        return "loaded"

    monkeypatch.setattr("models.detection.rcnn.network.load_into", shapes_alone)
    load_rcnn(network, RCNNSettings(pretrained="imagenet"))
    assert seen == [14]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"crop": 32}, "greater than or equal to 63"),
        (
            {"crop": 64, "context": 32},
            "must leave something of the crop's 64 pixels .* at most 31",
        ),
        ({"sampled_regions": 3}, "must be at least one region"),
        ({"head_width": 64, "pretrained": "imagenet"}, "has fully connected layers of 4096 units"),
        ({"crop": 127, "pretrained": "imagenet"}, "got 127 with 3x3; use 227"),
        ({"box_regression": False, "ridge": 10.0}, "ridge has no effect with box_regression fals"),
        ({"box_regression": False, "box_iou": 0.7}, "box_iou has no effect"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RCNNSettings.model_validate(settings)


def test_images_without_room_for_regions_are_refused() -> None:
    assert rcnn_size_rule(RCNNSettings(), 16) is None
    assert "got 15; use 16" in str(rcnn_size_rule(RCNNSettings(), 15))
