"""What the SVMs and box regressors are fitted to: regions of the training images.

The images are gone through twice, without augmentation:

    first    true boxes, and some regions of each image, with the length of their features
    second   the others too: of the background of both passes those that the first SVMs are
             wrongest about, and what says how boxes are to be moved
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.detector import Maps, padded
from models.detection.outputs import Target, Targets
from models.detection.rcnn.linear_models import LENGTH, Floats
from models.detection.rcnn.network import CHUNK, PIXELS, RCNN

MOST_FIRST = 32  # regions of an image that the first SVMs are fitted to
SEED = 0  # of regions that are drawn
HARD = -1.0  # margin above which an SVM's loss of a background region is not 0

Batches: TypeAlias = Iterable[tuple[list[Tensor], Targets]]


class Pool:
    """Features of regions, with a few numbers of each; the best ones, where there are too many.

    Args:
        most: Regions.
        features: Of a region.
        others: Numbers of a region.
    """

    def __init__(self, most: int, features: int, others: int = 0) -> None:
        self.count = 0
        self._features = np.zeros((most, features), np.float32)
        self._others = np.zeros((most, others), np.float32)
        self._keys = np.zeros(most)

    @property
    def features(self) -> Floats:
        """Return (count, features)."""
        return self._features[: self.count]

    @property
    def others(self) -> Floats:
        """Return (count, others)."""
        return self._others[: self.count]

    def add(self, features: Floats, others: Floats, keys: NDArray[np.float64]) -> None:
        """Take regions in, the ones with the greatest keys where not all have room."""
        order = np.argsort(-keys, kind="stable")
        fitting, rest = np.split(order, [len(self._keys) - self.count])
        # The best of those without room, against the worst of those that are in.
        worst = np.argsort(self._keys[: self.count], kind="stable")[: len(rest)]
        rest = rest[: len(worst)]
        is_better = keys[rest] > self._keys[worst]
        free = np.arange(self.count, self.count + len(fitting))
        self.count += len(fitting)
        places = np.concatenate([free, worst[is_better]])
        chosen = np.concatenate([fitting, rest[is_better]])
        self._features[places] = features[chosen]
        self._others[places] = others[chosen]
        self._keys[places] = keys[chosen]


@dataclass(frozen=True, slots=True)
class FirstExamples:
    """What the first pass through the training images finds."""

    objects: tuple[Floats, ...]  # of each class: (n, head_width) features of true boxes
    background: Floats  # (m, head_width) features of some regions
    overlaps: Floats  # (m, classes) greatest IoU of these with a true box of each class
    svm_scale: float  # that brings features to the usual length
    box_scale: float  # the same of the features that boxes are moved by
    regions: int  # that were looked at
    drawn: tuple[NDArray[np.int64], ...]  # of each image: which of its regions these are

    def background_of(self, label: int, most_iou: float) -> Floats:
        """Return the features (k, head_width) of the regions that are background to a class."""
        features: Floats = self.background[self.overlaps[:, label] < most_iou]
        return features


@dataclass(frozen=True, slots=True)
class HardExamples:
    """What both passes find, of each class."""

    background: tuple[Pool, ...]  # no region twice
    moves: tuple[Pool, ...]  # with the four numbers by which a region's box is wrong
    regions: int


class _Image(NamedTuple):
    maps: Maps
    regions: Tensor  # (n, 4)
    target: Target


def first_examples(network: RCNN, batches: Batches, *, images: int) -> FirstExamples:
    """Look at true boxes and at some regions of each image.

    Args:
        network: Fine-tuned, in evaluation mode.
        batches: Of the whole training split, once.
        images: In all of them.
    """
    classes, generator = len(network.svms.bias), np.random.default_rng(SEED)
    objects: list[list[Floats]] = [[] for _ in range(classes)]
    background: list[Floats] = []
    overlaps: list[Floats] = []
    drawn: list[NDArray[np.int64]] = []
    lengths = torch.zeros(2, dtype=torch.float64)
    regions = 0
    for number, image in enumerate(_images(network, batches)):
        true, labels = image.target["boxes"], image.target["labels"]
        count = _first_of_image(number, images, network.settings.hard_negatives)
        drawn.append(generator.permutation(len(image.regions))[:count])
        if count == 0 and not len(true):  # more images than regions are asked for
            continue
        some = image.regions[torch.from_numpy(drawn[-1]).to(true.device)]
        looked = network.look(image.maps, [torch.cat([true, some])])
        for label in range(classes):
            objects[label].append(_array(looked.fc7[: len(true)][labels == label + 1]))
        background.append(_array(looked.fc7[len(true) :]))
        overlaps.append(_array(class_overlaps(some, image.target, classes)))
        lengths += torch.stack(
            [values.double().norm(dim=1).sum().cpu() for values in (looked.fc7, looked.pool5)]
        )
        regions += len(looked.fc7)
    fc7, pool5 = (LENGTH * regions / max(total, 1e-9) for total in lengths.tolist())
    return FirstExamples(
        tuple(np.concatenate(rows) for rows in objects),
        np.concatenate(background),
        np.concatenate(overlaps),
        svm_scale=fc7,
        box_scale=pool5,
        regions=regions,
        drawn=tuple(drawn),
    )


def hard_examples(network: RCNN, batches: Batches, first: FirstExamples) -> HardExamples:
    """Look at all regions, and keep those that the SVMs are wrongest about.

    Args:
        network: Fine-tuned, in evaluation mode, with first SVMs.
        batches: Of the whole training split, once, in the order of the first pass.
        first: Its background has places in the pools already, and takes no second ones.
    """
    settings, generator = network.settings, np.random.default_rng(SEED)
    classes, pool5 = len(network.svms.bias), network.box_regression.weight.shape[1]
    background = _seeded(network, first)
    pairs = settings.box_pairs if settings.box_regression else 0
    moves = tuple(Pool(pairs, pool5, others=4) for _ in range(classes))
    regions = 0
    for image, drawn in zip(_images(network, batches), first.drawn, strict=True):
        for boxes, is_new in _chunks(image.regions, drawn):
            looked = network.look(image.maps, [boxes])
            regions += len(boxes)
            overlaps = class_overlaps(boxes, image.target, classes)
            is_background = (overlaps < settings.svm_negative_iou) & is_new[:, None]
            _take_hard(network, background, looked.fc7, is_background)
            if pairs and len(image.target["boxes"]):
                labels, near, deltas = _moves(network, boxes, image.target)
                for label, pool in enumerate(moves):
                    rows = near & (labels == label + 1)
                    features = _array(looked.pool5[rows])
                    pool.add(features, _array(deltas[rows]), generator.random(len(features)))
    return HardExamples(background, moves, regions)


def _chunks(regions: Tensor, drawn: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield an image's regions, and whether each was left out by the first pass."""
    is_new = torch.ones(len(regions), dtype=torch.bool, device=regions.device)
    is_new[torch.from_numpy(drawn).to(regions.device)] = False
    yield from zip(torch.split(regions, CHUNK), torch.split(is_new, CHUNK), strict=True)


def _take_hard(network: RCNN, pools: Sequence[Pool], fc7: Tensor, is_background: Tensor) -> None:
    """Add to each class's pool the background (n, classes) that is inside its SVM's margin."""
    margins = network.svms(fc7)
    is_hard = is_background & (margins > HARD)
    for label, pool in enumerate(pools):
        rows = is_hard[:, label]
        _add_alone(pool, _array(fc7[rows]), _array(margins[rows, label]))


def _first_of_image(number: int, images: int, most: int) -> int:
    """Return how many regions of an image are looked at first: of all images at most `most`."""
    return min(MOST_FIRST, (number + 1) * most // images - number * most // images)


def _seeded(network: RCNN, first: FirstExamples) -> tuple[Pool, ...]:
    """Return each class's pool, with the background of the first pass in it."""
    settings = network.settings
    pools = []
    for label in range(len(first.objects)):
        pool = Pool(settings.hard_negatives, network.svms.weight.shape[1])
        features = first.background_of(label, settings.svm_negative_iou)
        for start in range(0, len(features), CHUNK):
            part = torch.from_numpy(features[start : start + CHUNK])
            margins = network.svms(part.to(network.svms.weight.device))[:, label]
            _add_alone(pool, part.numpy(), _array(margins))
        pools.append(pool)
    return tuple(pools)


def _add_alone(pool: Pool, features: Floats, margins: Floats) -> None:
    """Add regions of which nothing but the features is kept."""
    pool.add(features, np.zeros((len(features), 0), np.float32), margins.astype(np.float64))


def class_overlaps(boxes: Tensor, target: Target, classes: int) -> Tensor:
    """Return the greatest IoU of boxes (n, 4) with a true box of each class, (n, classes)."""
    overlaps = boxes.new_zeros(len(boxes), classes)
    for label in sorted(set(target["labels"].tolist())):
        true = target["boxes"][target["labels"] == label]
        overlaps[:, label - 1] = box_iou(boxes, true).amax(dim=1)
    return overlaps


def _moves(network: RCNN, boxes: Tensor, target: Target) -> tuple[Tensor, Tensor, Tensor]:
    """Return of boxes (n, 4) the label of the nearest object, whether it is near, and deltas."""
    best, matched = box_iou(target["boxes"], boxes).max(dim=0)
    deltas = network.box_coder.encode_single(target["boxes"][matched], boxes)
    return target["labels"][matched], best >= network.settings.box_iou, deltas


def _images(network: RCNN, batches: Batches) -> Iterator[_Image]:
    for images, targets in batches:
        batch = padded(images, network.stride)
        maps = network.maps(batch.tensors)
        of_images = zip(network.regions(batch), targets.of_images, strict=True)
        for index, (regions, target) in enumerate(of_images):
            yield _Image({PIXELS: maps[PIXELS][index : index + 1]}, regions, target)


def _array(values: Tensor) -> Floats:
    array: Floats = values.float().cpu().numpy()
    return array
