"""Published detectors keep the classes that a study knows as well, by name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection  # type: ignore[import-untyped]

from models.catalog import MODELS
from models.detection.darknet.class_names import COCO_NAMES
from models.detection.darknet.layers import DarknetLayers
from models.detection.darknet.weights_file import write_weights
from models.detection.pretrained_classes import torchvision_coco
from models.detection.yolo.pretrained import PUBLISHED
from models.resolve import resolve
from models.settings import ModelSettings
from models.starting import load_pretrained_classes
from models.transfer import class_rows_of

NAMES = ("bus", "blood cell", "person")  # of the study; COCO has the first and the last


def built(name: str, classes: int, **settings: Any) -> tuple[nn.Module, ModelSettings]:
    entry = MODELS[name]
    chosen = entry.settings.model_validate({"name": name, **settings})
    network: nn.Module = resolve(str(entry.builder))(chosen, classes + 1)
    return network, chosen


def yolo_rows(weights: Tensor, classes: int) -> Tensor:
    """Return (priors, box numbers and classes, …) of an output layer."""
    return weights.view(3, 5 + classes, *weights.shape[1:])


def test_yolo_keeps_boxes_and_the_classes_of_equal_name(weights_cache: Path) -> None:
    torch.manual_seed(1)
    published = DarknetLayers(PUBLISHED["yolov3_tiny", "coco"].sections)
    write_weights(weights_cache / "yolov3-tiny.weights", published)
    network, settings = built("yolov3_tiny", len(NAMES), pretrained="coco")
    before = network.get_parameter("darknet.layers.15.conv.weight").detach().clone()

    (loaded,) = load_pretrained_classes(network, settings, NAMES)

    assert loaded["classes"] == "bus, person"
    for layer in ("15", "22"):
        ours = yolo_rows(network.get_parameter(f"darknet.layers.{layer}.conv.weight"), 3)
        theirs = yolo_rows(published.get_parameter(f"layers.{layer}.conv.weight"), 80)
        assert torch.equal(ours[:, :5], theirs[:, :5])
        assert torch.equal(ours[:, 5], theirs[:, 5 + COCO_NAMES.index("bus")])
        assert torch.equal(ours[:, 7], theirs[:, 5 + COCO_NAMES.index("person")])
    new = yolo_rows(network.get_parameter("darknet.layers.15.conv.weight"), 3)[:, 6]
    assert torch.equal(new, yolo_rows(before, 3)[:, 6])


def test_faster_rcnn_keeps_scores_and_boxes_of_the_classes_of_equal_name(
    weights_cache: Path,
) -> None:
    source, _ = built("faster_rcnn_mobilenet", 90, pretrained="coco")
    file = "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth"
    torch.save(source.state_dict(), weights_cache / file)
    network, settings = built("faster_rcnn_mobilenet", len(NAMES), pretrained="coco")

    (loaded,) = load_pretrained_classes(network, settings, NAMES)

    assert (loaded["file"], loaded["classes"]) == (file, "bus, person")
    known = torchvision_coco()
    pairs = [(0, 0), (1, 1 + known.index("bus")), (3, 1 + known.index("person"))]
    predictor = "roi_heads.box_predictor"
    for part, per_class in (("cls_score.weight", 1), ("bbox_pred.weight", 4)):
        both = [n.get_parameter(f"{predictor}.{part}") for n in (network, source)]
        ours, theirs = (each.view(-1, per_class, *each.shape[1:]) for each in both)
        for new, old in pairs:
            assert torch.equal(ours[new], theirs[old])
        assert not torch.equal(ours[2], theirs[2])
    assert torch.equal(
        network.get_parameter("rpn.head.cls_logits.weight"),
        source.get_parameter("rpn.head.cls_logits.weight"),
    )


@pytest.mark.parametrize(
    ("name", "builder", "file", "background"),
    [
        ("retinanet", "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_coco-eeacb38b.pth", 0),
        ("fcos", "fcos_resnet50_fpn", "fcos_resnet50_fpn_coco-99b0c9b7.pth", 0),
        ("ssd300", "ssd300_vgg16", "ssd300_vgg16_coco-b556d3b4.pth", 1),
        (
            "ssdlite",
            "ssdlite320_mobilenet_v3_large",
            "ssdlite320_mobilenet_v3_large_coco-a79551df.pth",
            1,
        ),
    ],
)
def test_one_stage_detectors_keep_scores_of_the_classes_of_equal_name(
    weights_cache: Path, name: str, builder: str, file: str, background: int
) -> None:
    torch.manual_seed(1)
    theirs: nn.Module = getattr(detection, builder)(weights=None, weights_backbone=None)
    torch.save(theirs.state_dict(), weights_cache / file)
    network, settings = built(name, len(NAMES), pretrained="coco")

    (loaded,) = load_pretrained_classes(network, settings, NAMES)

    assert (loaded["file"], loaded["classes"]) == (file, "bus, person")
    bus, person = (1 + torchvision_coco().index(each) for each in ("bus", "person"))
    for rows in class_rows_of(network):
        both = [n.get_parameter(f"{rows.layer}.weight") for n in (network, theirs)]
        ours, published = (each.view(rows.repeats, -1, *each.shape[1:]) for each in both)
        assert torch.equal(ours[:, background], published[:, bus])
        assert torch.equal(ours[:, background + 2], published[:, person])
        assert not torch.equal(ours[:, background + 1], published[:, person - 1])


def test_nothing_is_drawn_for_what_is_only_copied_from(weights_cache: Path) -> None:
    write_weights(
        weights_cache / "yolov3-tiny.weights",
        DarknetLayers(PUBLISHED["yolov3_tiny", "coco"].sections),
    )
    network, settings = built("yolov3_tiny", len(NAMES), pretrained="coco")
    before = torch.get_rng_state()
    load_pretrained_classes(network, settings, NAMES)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("names", "changes"),
    [
        (("blood cell",), {}),
        (NAMES, {"priors": ((10, 10), (20, 20), (30, 30), (40, 40))}),
    ],
)
def test_where_no_class_or_prior_fits_the_last_layers_are_new(
    weights_cache: Path, names: tuple[str, ...], changes: dict[str, Any]
) -> None:
    published = DarknetLayers(PUBLISHED["yolov3_tiny", "coco"].sections)
    write_weights(weights_cache / "yolov3-tiny.weights", published)
    network, settings = built("yolov3_tiny", len(names), pretrained="coco", **changes)
    before = network.get_parameter("darknet.layers.15.conv.weight").detach().clone()

    (loaded,) = load_pretrained_classes(network, settings, names)

    assert "classes" not in loaded
    assert torch.equal(network.get_parameter("darknet.layers.15.conv.weight"), before)
    assert torch.equal(
        network.get_parameter("darknet.layers.0.conv.weight"),
        published.get_parameter("layers.0.conv.weight"),
    )


def test_torchvision_names_each_of_coco_s_ids_once() -> None:
    names = torchvision_coco()
    assert len(names) == len(set(names)) == 90
    assert set(COCO_NAMES) < set(names)
