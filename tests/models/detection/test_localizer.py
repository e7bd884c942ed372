from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision import models  # type: ignore[import-untyped]

from models.catalog import MODELS
from models.cost import count_parameters
from models.detection.localizer import (
    GridMeans,
    Localizer,
    build_localizer,
    largest,
    load_localizer,
)
from models.detection.localizer_settings import LocalizerSettings
from models.detection.outputs import Detection, Target, Targets

NOTHING: Target = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
TWO: Target = {
    "boxes": torch.tensor([[0.0, 0.0, 10.0, 10.0], [20.0, 10.0, 60.0, 30.0]]),
    "labels": torch.tensor([1, 2]),
}


@pytest.mark.parametrize(
    ("backbone", "classes", "count"),
    [
        ("resnet18", 5, 11_181_129),
        ("resnet18", 20, 11_188_824),
        ("resnet50", 20, 23_557_208),
        ("vgg16", 20, 134_358_872),
    ],
)
def test_parameters_are_those_of_the_lectures(backbone: Any, classes: int, count: int) -> None:
    with torch.device("meta"):
        network = build_localizer(LocalizerSettings(backbone=backbone), classes + 1)
    assert count_parameters(network) == count
    if backbone == "resnet18":
        assert MODELS["localizer"].parameters[classes + 1] == count


def saying(outputs: Tensor, alpha: float = 0.5) -> Localizer:
    """A network that says the same of every image: its last layer's constants."""
    network = build_localizer(LocalizerSettings(alpha=alpha), len(outputs) - 3)
    torch.nn.init.zeros_(network.last.weight)
    network.last.bias.data = outputs
    return network


def black(count: int, side: int = 80) -> list[Tensor]:
    return [torch.zeros(3, side, side) for _ in range(count)]


def test_loss_is_the_weighted_sum_of_the_lectures() -> None:
    """By hand: the box is half as far off in x as it should be, the class one of two."""
    network = saying(torch.tensor([0.6, 0.25, 0.5, 0.35, 0.0, 0.0]), alpha=0.2).train()
    learned = network(black(2), Targets([TWO, TWO]))
    # The larger object: centre (40, 20) and 40 x 20 of 80 pixels = 0.5, 0.25, 0.5, 0.25.
    squares = 0.1**2 + 0.1**2
    losses = {name: float(value.detach()) for name, value in learned.losses.items()}
    assert losses == pytest.approx(
        {"classification": 0.2 * 0.6931472, "bbox_regression": 0.8 * squares}
    )
    assert learned.measures["box_mse"].tolist() == pytest.approx([2 * squares / 4, 2])
    assert learned.measures["region_accuracy"].tolist() == [0, 2]  # a draw is the first class


def test_image_without_an_object_counts_as_an_image_without_a_loss() -> None:
    network = saying(torch.tensor([0.6, 0.25, 0.5, 0.35, 0.0, 0.0]))
    full = network.train()(black(2), Targets([TWO, TWO]))
    half = network(black(2), Targets([TWO, NOTHING]))
    for name, value in full.losses.items():
        torch.testing.assert_close(half.losses[name], value / 2)
    assert half.measures["region_accuracy"].tolist() == [0, 1]


def test_largest_object_is_learnt() -> None:
    box, label = largest(TWO, (80, 100))
    assert box.tolist() == pytest.approx([0.4, 0.25, 0.4, 0.25])
    assert int(label) == 1
    assert largest(NOTHING, (80, 100))[0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        ((0.5, 0.25, 0.5, 0.25), (20, 10, 60, 30)),
        ((0.9, 0.5, 0.4, 0.5), (56, 20, 80, 60)),  # cut to the image
        ((0.5, 0.5, -0.2, 0.5), (48, 20, 48, 60)),  # a negative width is none
    ],
)
def test_found_box_is_in_pixels_of_the_image(
    box: tuple[float, ...], corners: tuple[float, ...]
) -> None:
    network = saying(torch.tensor([*box, 0.0, 2.0])).eval()
    with torch.no_grad():
        found: list[Detection] = network(black(2))
    assert len(found) == 2
    for detection in found:
        torch.testing.assert_close(detection["boxes"], torch.tensor([corners]).float())
        assert detection["labels"].tolist() == [2]
        assert detection["scores"].tolist() == pytest.approx([0.8807971])


@pytest.mark.parametrize("size", [(7, 7), (14, 21), (2, 3), (5, 9), (8, 7), (1, 1)])
def test_grid_means_are_pytorchs_adaptive_ones(size: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(GridMeans(7)(maps), functional.adaptive_avg_pool2d(maps, 7))


@pytest.mark.parametrize("backbone", ["resnet34", "vgg16"])
def test_pretrained_weights_are_those_of_every_layer_but_the_last(
    backbone: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = LocalizerSettings(backbone=backbone, pretrained="imagenet")
    with torch.device("meta"):
        theirs = getattr(models, backbone)().state_dict()
        network = build_localizer(settings, 4)
    seen: list[int] = []

    def shapes_alone(module: torch.nn.Module, _source: object, *, rename: Any) -> str:
        kept = {rename(key): value.shape for key, value in theirs.items()}
        del kept[None]
        assert kept == {key: value.shape for key, value in module.state_dict().items()}
        seen.append(len(kept))
        return "loaded"

    for place in ("localizer", "backbones"):
        monkeypatch.setattr(f"models.detection.{place}.load_into", shapes_alone)
    assert len(load_localizer(network, settings)) == len(seen) == 1


@pytest.mark.slow
def test_largest_objects_of_eight_real_images_are_learnt(
    eight_images: Callable[[int], Any],
) -> None:
    """In the end also with the statistics of batch normalisation, which lag behind."""
    data, steps = eight_images(64), 120
    for index, target in enumerate(data.targets):
        areas = (target["boxes"][:, 2:] - target["boxes"][:, :2]).prod(dim=1)
        one = areas.argmax()[None]
        data.targets[index] = {name: values[one] for name, values in target.items()}
    torch.manual_seed(0)
    network = build_localizer(LocalizerSettings(alpha=0.3), len(data.class_names) + 1)
    optimizer = torch.optim.AdamW(network.parameters())
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    for _ in range(steps):
        losses = network.train()(*data.batch(*torch.randperm(8).tolist())).losses
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
        cycle.step()
    assert data.ap50(network) >= 0.9
