"""Darknet's published weights, put into our networks.

The addresses are those of the papers' site; it publishes no checksums, so that a file is known by
its length. `expected.json` of the tests has two of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from models.detection.darknet.cfg import Section
from models.detection.darknet.class_names import COCO_NAMES, VOC_NAMES
from models.detection.darknet.layers import DarknetLayers
from models.detection.darknet.weights_file import layout_of, read_weights
from models.detection.yolo import architectures
from models.detection.yolo.anchored import BOX_NUMBERS, AnchoredYOLO
from models.detection.yolo.settings import AnchoredYOLOSettings
from models.pretrained import LoadedWeights, WeightsSource, read_fetched

SITE = "https://pjreddie.com/media/files/"


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """A file, and the network that it is of."""

    name: str
    sections: tuple[Section, ...]
    layers: int | None = None  # so many of the first layers; None: all
    classes: int = 0  # of the last layers, where they are in the file
    priors: int = 0  # of each map


def _whole(name: str, sections: list[Section], classes: int, priors: int) -> PublishedWeights:
    return PublishedWeights(name, tuple(sections), classes=classes, priors=priors)


def _outputs(classes: int, priors: int) -> int:
    return priors * (BOX_NUMBERS + classes)


COCO, VOC = len(COCO_NAMES), len(VOC_NAMES)
# (model, pretrained) -> weights.
PUBLISHED: Mapping[tuple[str, str], PublishedWeights] = MappingProxyType(
    {
        ("yolov2", "imagenet"): PublishedWeights(
            "darknet19_448.conv.23",
            tuple(architectures.darknet19(1)),
            architectures.DARKNET19_LAYERS,
        ),
        ("yolov2", "coco"): _whole(
            "yolov2.weights", architectures.yolov2(1, _outputs(COCO, 5)), COCO, 5
        ),
        ("yolov2", "voc"): _whole(
            "yolov2-voc.weights", architectures.yolov2(1, _outputs(VOC, 5)), VOC, 5
        ),
        ("yolov3", "imagenet"): PublishedWeights(
            "darknet53.conv.74",
            tuple(architectures.darknet53(1)),
            architectures.DARKNET53_LAYERS,
        ),
        ("yolov3", "coco"): _whole(
            "yolov3.weights", architectures.yolov3(1, _outputs(COCO, 3)), COCO, 3
        ),
        ("yolov3_tiny", "coco"): _whole(
            "yolov3-tiny.weights", architectures.yolov3_tiny(1, _outputs(COCO, 3)), COCO, 3
        ),
    }
)


def load_yolo(network: AnchoredYOLO, settings: AnchoredYOLOSettings) -> tuple[LoadedWeights, ...]:
    """Give the network the pretrained weights that the settings name.

    The last layers are loaded where the file has them for as many classes and priors.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    published = PUBLISHED[settings.name, settings.pretrained]
    with torch.device("meta"):
        layout = layout_of(DarknetLayers(published.sections), published.layers)
    source = WeightsSource(SITE + published.name, published.name)
    weights, loaded = read_fetched(
        source, partial(read_weights, layout=layout), blank=layout.blank
    )
    network.darknet.load_state_dict(_fitting(network, published, weights), strict=False)
    return (loaded,)


def _fitting(
    network: AnchoredYOLO, published: PublishedWeights, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Leave out last layers that are of other classes or priors."""
    priors = {len(each.priors_wh) for each in network.prior_maps}
    first = network.darknet.get_submodule(network.outputs[0].removeprefix("darknet."))
    outputs = first.get_parameter("weight").shape[0]
    is_whole = priors == {published.priors} and outputs == _outputs(
        published.classes, published.priors
    )
    if is_whole:
        return dict(weights)
    last = tuple(f"{name.removeprefix('darknet.')}." for name in network.outputs)
    return {name: each for name, each in weights.items() if not name.startswith(last)}
