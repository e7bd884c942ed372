"""What every network of the catalog that finds objects must hold to."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.catalog import MODELS
from models.class_rows import HasClassRows
from models.cost import count_macs, count_parameters
from models.detection.outputs import Detection, Learned, Scored, Target, Targets
from models.resolve import resolve
from models.settings import ModelSettings

WITH_MASKS = {name for name, entry in MODELS.items() if "instance_segmentation" in entry.tasks}
DETECTORS = sorted(
    name
    for name, entry in MODELS.items()
    if entry.builder is not None and entry.tasks & {"instance_segmentation", "object_detection"}
)
ANY_SHAPE = [name for name in DETECTORS if not MODELS[name].needs_square]
REGIONS = {
    "sampled_regions": 8,
    "proposals_training": 20,
    "proposals": 20,
    "score_threshold": 0.0,
    "detections": 10,
    "head_width": 32,
}
PYRAMID = {"backbone": "resnet18", "anchor_sizes": (8, 16, 32, 48, 64)}
FEW = {"candidates": 50, "detections": 10, "score_threshold": 0.0}
THREE_MAPS = {  # where every map has boxes like those of `two_objects`
    "aspect_ratios": ((2,), (2, 3), (2, 3)),
    "scales": (0.45, 0.55, 0.65, 0.75),
    "foreground_iou": 0.3,
    "negatives_per_object": None,
}
SEARCHED = {"sampled_regions": 8, "proposals": 20, "score_threshold": 0.0}
SMALL: dict[str, dict[str, Any]] = {
    # Settings that make a network small enough to run here; unnamed ones run at their defaults.
    "mask_rcnn": {**PYRAMID, **REGIONS},
    "faster_rcnn_resnet": {**PYRAMID, **REGIONS},
    "faster_rcnn_mobilenet": {**REGIONS, "anchor_sizes": (8, 16, 32)},
    "faster_rcnn_vgg16": {
        **REGIONS,
        "base_channels": 8,
        "anchor_sizes": (16, 32, 64),
        "candidates": 60,
        "candidates_training": 60,
    },
    "fast_rcnn_vgg16": {**SEARCHED, "base_channels": 8, "head_width": 32},
    "fast_rcnn_resnet": {**SEARCHED, "backbone": "resnet18", "head_width": 32},
    "rcnn": {**SEARCHED, "crop": 63, "context": 8, "head_width": 64},
    "retinanet": {**PYRAMID, **FEW, "head_layers": 1},
    "fcos": {"backbone": "resnet18", **FEW, "head_layers": 1},
    "ssd300": {"base_channels": 8, **THREE_MAPS, **FEW},
    "ssd512": {"base_channels": 8, **THREE_MAPS, **FEW},
    "ssdlite": {**THREE_MAPS, **FEW},
    "yolov1": {"grid": 2, "width": 0.05, **FEW},
    "yolov2": {"width": 0.1, **FEW},
    "yolov3": {"width": 0.1, **FEW},
    "yolov3_tiny": {"width": 0.1, **FEW},
}
OF_CROPS = {"rcnn"}  # brings every region to the same size, whatever the image's
CHANNELS = 3
LEAST_SIDE = 64
Network = tuple[str, nn.Module]


def settings_of(name: str) -> ModelSettings:
    return MODELS[name].settings.model_validate({"name": name, **SMALL.get(name, {})})


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network: nn.Module = resolve(str(MODELS[name].builder))(settings_of(name), CHANNELS)
    return network


def side_of(name: str) -> int:
    entry, settings = MODELS[name], settings_of(name)
    return next(
        side for side in range(LEAST_SIDE, 1024) if entry.size_rule(settings, side) is None
    )


def images(side: int, count: int = 2, *, width: int | None = None) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    shape = (3, side, width or side)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


def target(name: str, boxes: Tensor, labels: Tensor, side: int) -> Target:
    """Return objects, with masks that fill their boxes where the network has any."""
    if name not in WITH_MASKS:
        return {"boxes": boxes, "labels": labels}
    masks = torch.zeros(len(boxes), side, side, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top:bottom, left:right] = True
    return {"boxes": boxes, "labels": labels, "masks": masks}


def two_objects(name: str) -> Target:
    boxes = torch.tensor([[4.0, 6.0, 40.0, 44.0], [30.0, 20.0, 60.0, 60.0]])
    return target(name, boxes, torch.tensor([1, 2]), side_of(name))


def odd_targets(name: str) -> list[Target]:
    """No object, 300 objects, one of a single pixel, two in the same place."""
    side = side_of(name)
    places = torch.arange(300.0)
    left, top = places % 20 * 3, places // 20 * 4
    many = torch.stack([left, top, left + 3, top + 4], dim=1)
    pixel = torch.tensor([[side - 1.0, side - 1.0, side, side]])
    twins = torch.tensor([[8.0, 8.0, 50.0, 40.0]]).repeat(2, 1)
    both = torch.tensor([1, 2])
    return [
        target(name, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), side),
        target(name, many, both.repeat(150), side),
        target(name, pixel, both[:1], side),
        target(name, twins, both, side),
    ]


@pytest.fixture(scope="module", params=DETECTORS)
def built(request: pytest.FixtureRequest) -> Network:
    return request.param, build(request.param)


@pytest.fixture
def detector(built: Network) -> Network:
    """Name and network, untrained."""
    name, network = built
    return name, copy.deepcopy(network)


@pytest.mark.parametrize("name", DETECTORS)
def test_parameter_counts_are_those_of_the_catalog(name: str) -> None:
    entry = MODELS[name]
    for channels in (2, 81):
        with torch.device("meta"):
            made = resolve(str(entry.builder))(entry.settings(name=name), channels)
        assert count_parameters(made) == entry.parameters[channels]


@pytest.mark.parametrize("name", DETECTORS)
def test_same_seed_gives_the_same_weights_and_another_seed_others(name: str) -> None:
    first, second, other = (build(name, seed).state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_every_detector_says_where_its_classes_are(detector: Network) -> None:
    assert isinstance(detector[1], HasClassRows)


def test_gradients_reach_every_parameter(detector: Network) -> None:
    name, network = detector
    learned: Learned = network.train()(images(side_of(name)), Targets([two_objects(name)] * 2))
    assert all(value.shape == () for value in learned.losses.values())
    assert all(value.shape == (2,) for value in learned.measures.values())
    parameters = dict(network.named_parameters())
    total = torch.stack(list(learned.losses.values())).sum()
    gradients = torch.autograd.grad(total, [*parameters.values()])
    unmoved = [
        key
        for key, gradient in zip(parameters, gradients, strict=True)
        if not gradient.abs().sum() > 0
    ]
    assert unmoved == []


def test_detections_are_in_order_of_score_and_of_known_classes(detector: Network) -> None:
    name, network = detector
    side = side_of(name)
    with torch.no_grad():
        found: list[Detection] = network.eval()(images(side))
    assert len(found) == 2
    for detection in found:
        count = len(detection["scores"])
        assert count > 0
        assert detection["boxes"].shape == (count, 4)
        assert detection["boxes"].dtype == detection["scores"].dtype == torch.float32
        assert ((detection["boxes"] >= 0) & (detection["boxes"] <= side)).all()
        assert (detection["scores"].diff() <= 0).all()
        assert ((detection["scores"] >= 0) & (detection["scores"] <= 1)).all()
        assert detection["labels"].dtype == torch.int64
        assert set(detection["labels"].tolist()) <= set(range(1, CHANNELS))
        assert ("masks" in detection) == (name in WITH_MASKS)
        if name in WITH_MASKS:
            assert detection["masks"].shape == (count, 1, side, side)


def test_images_of_a_batch_do_not_mix(detector: Network) -> None:
    name, network = detector
    pair = images(side_of(name))
    with torch.no_grad():
        together, alone = network.eval()(pair), network(pair[:1])
    torch.testing.assert_close(together[0]["scores"], alone[0]["scores"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ANY_SHAPE)
def test_images_of_different_shapes_are_a_batch(name: str) -> None:
    network, side = build(name), side_of(name)
    pair = [*images(side, 1), *images(side, 1, width=side + 37)]
    objects = two_objects(name)
    wider = {**objects}
    if "masks" in wider:
        wider["masks"] = nn.functional.pad(objects["masks"], (0, 37))
    both = Targets([objects, wider])  # type: ignore[list-item]  # a copy of a Target
    with torch.no_grad():
        learned: Learned = network.train()(pair, both)
        scored: Scored = network.eval()(pair, both)
    assert all(value.isfinite() for value in learned.losses.values())
    for image, detection in zip(pair, scored.detections, strict=True):
        height, width = image.shape[-2:]
        assert (detection["boxes"][:, 0::2] <= width).all()
        assert (detection["boxes"][:, 1::2] <= height).all()


def test_evaluation_with_targets_gives_losses_and_measures_of_each_image(
    detector: Network,
) -> None:
    name, network = detector
    with torch.no_grad():
        scored = network.eval()(images(side_of(name)), Targets([two_objects(name)] * 2))
        found = network(images(side_of(name)))
    assert isinstance(scored, Scored)
    assert scored.losses
    assert all(loss.shape == (2,) and loss.isfinite().all() for loss in scored.losses.values())
    assert all(value.shape == (2, 2) for value in scored.measures.values())
    for ours, theirs in zip(scored.detections, found, strict=True):
        assert torch.equal(ours["boxes"], theirs["boxes"])


def test_evaluation_changes_neither_the_network_nor_the_random_state(detector: Network) -> None:
    name, network = detector
    network.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    torch.manual_seed(5)
    random = torch.get_rng_state()
    with torch.no_grad():
        first = network(images(side_of(name)), Targets([two_objects(name)] * 2))
        assert torch.equal(torch.get_rng_state(), random)
        torch.rand(3)
        second = network(images(side_of(name)), Targets([two_objects(name)] * 2))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())
    assert all(torch.equal(first.losses[key], second.losses[key]) for key in first.losses)


def test_odd_images_train_and_are_scored_without_nan(detector: Network) -> None:
    name, network = detector
    side, odd = side_of(name), odd_targets(name)
    for batch in (odd, [odd[0]] * 2):  # among others, and with nothing but images without objects
        network.train().zero_grad()
        learned: Learned = network(images(side, len(batch)), Targets(batch))
        torch.stack(list(learned.losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        gradients = [each.grad for each in network.parameters() if each.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
        with torch.no_grad():
            scored: Scored = network.eval()(images(side, len(batch)), Targets(batch))
        for said in (learned, scored):
            assert all(value.isfinite().all() for value in said.losses.values())
            assert all(value.isfinite().all() for value in said.measures.values())


def test_cost_can_be_counted_without_values(detector: Network) -> None:
    name, network = detector
    sides = [side_of(name)] if MODELS[name].needs_square else [64, 128]
    costs = [count_macs(network, torch.empty(1, 3, side, side, device="meta")) for side in sides]
    if name in OF_CROPS:
        assert costs[0] == costs[1]
    else:
        assert costs == sorted(set(costs))
    assert costs[0] > 0
