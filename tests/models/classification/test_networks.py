"""Every classifier that is not small: its weights counted, and as those it is taken from."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models  # type: ignore[import-untyped]

from models.classification.catalog import CLASSIFIERS
from models.cost import count_macs, count_parameters
from models.resolve import resolve

# Name, settings, weights of 1,000 classes; those of torchvision's table, of timm's, and counted by
# hand in `test_plain` and `test_lenet5`.
COUNTS: tuple[tuple[str, Mapping[str, Any], int], ...] = (
    ("alexnet", {"form": "paper"}, 60_965_224),
    ("alexnet", {"form": "dense"}, 62_378_344),
    ("alexnet", {"form": "torchvision"}, 61_100_840),
    ("zfnet", {}, 62_357_608),
    ("vgg", {"depth": 11}, 132_863_336),
    ("vgg", {"depth": 13}, 133_047_848),
    ("vgg", {"depth": 16}, 138_357_544),
    ("vgg", {"depth": 19}, 143_667_240),
    ("vgg", {"depth": 11, "batch_norm": True}, 132_868_840),
    ("vgg", {"depth": 13, "batch_norm": True}, 133_053_736),
    ("vgg", {"depth": 16, "batch_norm": True}, 138_365_992),
    ("vgg", {"depth": 19, "batch_norm": True}, 143_678_248),
    ("googlenet", {"auxiliary_weight": 0}, 6_624_904),
    ("googlenet", {}, 13_004_888),
    ("inception_v3", {"auxiliary_weight": 0}, 23_834_568),
    ("inception_v3", {}, 27_161_264),
    ("inception_v4", {}, 42_679_816),
    ("xception", {}, 22_855_952),
    ("mobilenet_v1", {}, 4_231_976),
    ("mobilenet_v2", {}, 3_504_872),
    ("mobilenet_v3", {"version": "small"}, 2_542_856),
    ("mobilenet_v3", {"version": "large"}, 5_483_032),
    ("resnet", {"depth": 18}, 11_689_512),
    ("resnet", {"depth": 34}, 21_797_672),
    ("resnet", {"depth": 50}, 25_557_032),
    ("resnet", {"depth": 101}, 44_549_160),
    ("resnet", {"depth": 152}, 60_192_808),
    ("efficientnet", {"version": "b0"}, 5_288_548),
    ("efficientnet", {"version": "b1"}, 7_794_184),
    ("efficientnet", {"version": "b2"}, 9_109_994),
    ("efficientnet", {"version": "b3"}, 12_233_232),
    ("efficientnet", {"version": "b4"}, 19_341_616),
    ("efficientnet", {"version": "b5"}, 30_389_784),
    ("efficientnet", {"version": "b6"}, 43_040_704),
    ("efficientnet", {"version": "b7"}, 66_347_960),
)
# Billions of multiply-accumulates of a picture (torchvision's table, and the papers').
COSTS: tuple[tuple[str, Mapping[str, Any], int, float], ...] = (
    ("alexnet", {"form": "paper"}, 227, 0.724),
    ("zfnet", {}, 224, 1.168),
    ("vgg", {"depth": 16}, 224, 15.47),
    ("resnet", {"depth": 50}, 224, 4.09),
    ("googlenet", {}, 224, 1.498),
    ("mobilenet_v1", {}, 224, 0.569),
    ("mobilenet_v2", {}, 224, 0.301),
)


def on_meta(name: str, settings: Mapping[str, Any], classes: int) -> nn.Module:
    entry = CLASSIFIERS[name]
    with torch.device("meta"):
        network: nn.Module = resolve(str(entry.builder))(
            entry.settings.model_validate({"name": name, **settings}), classes
        )
    return network


@pytest.mark.parametrize(("name", "settings", "expected"), COUNTS)
def test_networks_have_the_weights_that_are_published(
    name: str, settings: Mapping[str, Any], expected: int
) -> None:
    assert count_parameters(on_meta(name, settings, 1000)) == expected


@pytest.mark.parametrize(("name", "settings", "side", "expected"), COSTS)
def test_a_picture_costs_what_is_published(
    name: str, settings: Mapping[str, Any], side: int, expected: float
) -> None:
    picture = torch.empty(1, 3, side, side, device="meta")
    macs = count_macs(on_meta(name, settings, 1000), picture) / 1e9
    assert macs == pytest.approx(expected, rel=0.003)


def _torchvision(name: str, **arguments: Any) -> nn.Module:
    network: nn.Module = models.get_model(name, weights=None, num_classes=5, **arguments)
    return network


def _timm(name: str) -> nn.Module:
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=5)
    return network


SAME: dict[str, tuple[dict[str, Any], Callable[[], nn.Module], int]] = {
    "alexnet": ({"form": "torchvision"}, lambda: _torchvision("alexnet"), 96),
    "vgg": ({"depth": 11, "batch_norm": True}, lambda: _torchvision("vgg11_bn"), 64),
    "resnet": ({"depth": 18}, lambda: _torchvision("resnet18"), 64),
    "googlenet": (
        {},
        lambda: _torchvision("googlenet", aux_logits=True, init_weights=False),
        96,
    ),
    "inception_v3": (
        {"auxiliary_weight": 0},
        lambda: _torchvision("inception_v3", aux_logits=False, init_weights=False),
        128,
    ),
    "inception_v4": ({}, lambda: _timm("inception_v4"), 128),
    "xception": ({}, lambda: _timm("legacy_xception"), 72),
    "mobilenet_v1": ({}, lambda: _timm("mobilenetv1_100"), 64),
    "mobilenet_v2": ({}, lambda: _torchvision("mobilenet_v2"), 64),
    "mobilenet_v3": ({"version": "small"}, lambda: _torchvision("mobilenet_v3_small"), 64),
    "efficientnet": ({"version": "b0"}, lambda: _torchvision("efficientnet_b0"), 64),
}


LARGE = ("alexnet", "vgg", "inception_v4")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in SAME],
)
def test_networks_say_what_those_they_are_taken_from_say(name: str) -> None:
    settings, build, side = SAME[name]
    torch.manual_seed(5)
    theirs = build().eval()
    entry = CLASSIFIERS[name]
    ours = resolve(str(entry.builder))(entry.settings(name=name, **settings), 5).eval()
    names = [each for each in ours.state_dict() if not each.startswith("pixels.")]
    weights = dict(zip(names, _in_order_of(ours, theirs), strict=True))
    ours.load_state_dict(weights, strict=False)
    picture = torch.randn(2, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(ours(picture), theirs(picture), rtol=1e-4, atol=1e-5)


def _in_order_of(ours: nn.Module, theirs: nn.Module) -> list[Tensor]:
    """Return the published network's weights, with those of the last layer where it is here."""
    state = dict(theirs.state_dict())
    last = [name for name, layer in theirs.named_modules() if isinstance(layer, nn.Linear)]
    decides = next(
        name
        for name in reversed(last)
        if not name.startswith(("aux", "Aux")) and state[f"{name}.bias"].numel() == 5
    )
    if not hasattr(ours, "output"):
        return list(state.values())
    moved = [state.pop(f"{decides}.{kind}") for kind in ("weight", "bias")]
    return [*state.values(), *moved]
