"""Which cited row says what a network of the catalog is published to score on ImageNet.

Of networks that torchvision publishes weights of, those of its first recipe (V1), which are
nearest to the papers'.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from reports.baselines.citations import Baseline
from reports.baselines.registry import load
from reports.network_record import Published
from trackers.records import JsonValue

TORCHVISION = "torchvision-classification"
VGG_DEPTHS, RESNET_DEPTHS = (11, 13, 16, 19), (18, 34, 50, 101, 152)
Variant = Mapping[str, JsonValue]  # settings of the model that make it this one


def published_network(model: str, settings: Mapping[str, JsonValue]) -> Published | None:
    """Return what a network with these settings is published to score; None: nothing is cited.

    Args:
        model: As the catalog names it.
        settings: Of the model, by their names; a network of another width is another network.
    """
    if settings.get("width", 1.0) != 1.0:
        return None
    for name, variant, baseline, row in _cited():
        if name == model and all(settings.get(each) == value for each, value in variant.items()):
            return _published(baseline, row)
    return None


def _cited() -> Iterator[tuple[str, Variant, str, str]]:
    """Yield model, variant, and the baseline and its row."""
    yield "alexnet", {"form": "paper"}, "alexnet-2012", "AlexNet (1 CNN)"
    yield "alexnet", {"form": "torchvision"}, TORCHVISION, "alexnet, V1"
    yield "zfnet", {}, "zfnet-2014", "ZFNet (1 convnet)"
    for depth in VGG_DEPTHS:
        yield "vgg", {"depth": depth, "batch_norm": False}, TORCHVISION, f"vgg{depth}, V1"
        yield "vgg", {"depth": depth, "batch_norm": True}, TORCHVISION, f"vgg{depth}_bn, V1"
    yield "googlenet", {}, TORCHVISION, "googlenet, V1"
    yield "inception_v3", {}, TORCHVISION, "inception_v3, V1"
    yield "inception_v4", {}, "inception-v4-2017", "Inception-v4 (single crop)"
    for depth in RESNET_DEPTHS:
        yield "resnet", {"depth": depth}, TORCHVISION, f"resnet{depth}, V1"
    yield "xception", {}, "xception-2017", "Xception (single crop)"
    yield "mobilenet_v1", {}, "mobilenet-2017", "MobileNet v1 1.0-224"
    yield "mobilenet_v2", {}, TORCHVISION, "mobilenet_v2, V1"
    for size in ("small", "large"):
        yield "mobilenet_v3", {"version": size}, TORCHVISION, f"mobilenet_v3_{size}, V1"
    for number in range(8):
        version = f"b{number}"
        yield "efficientnet", {"version": version}, TORCHVISION, f"efficientnet_{version}, V1"


@cache
def _published(baseline: str, row: str) -> Published:
    numbers: dict[str, Baseline] = {
        each.protocol.metric: each
        for each in load([baseline])
        if each.row == row and each.protocol.dataset == "imagenet"
    }
    top1, top5 = numbers["top1"], numbers.get("top5")
    return Published(
        top1=top1.value,
        top5=None if top5 is None else top5.value,
        image_size=top1.protocol.image_size,
        source=top1.source,
    )
