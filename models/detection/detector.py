"""What all detectors have in common: batches, precision, and losses of single images.

Images keep the size they come in: torchvision's own transform would bring every image to 800
pixels, whatever size a study asks for. They are padded to what the network's stride asks for; a
training batch to its largest image, which costs one pass for all. In evaluation mode an image is
padded by itself: zeros beside it count in group normalisation and lend the borders other
neighbours, and a score must not depend on which images share its batch.

In mixed precision that is the precision of the layers that make the maps. What follows computes
boxes, and half precision has no room for the coordinates of pixels.
"""

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.detection.outputs import Detection, Learned, Scored, Target, Targets

SAMPLING_SEED = 0  # of what a validation loss is taken of, where a network samples

Maps = dict[str, Tensor]  # name -> (b, c, h, w)
Passed = Learned | list[Detection] | Scored


class Detector(nn.Module):
    """Images to losses or detections, as `models.detection.outputs` says.

    An architecture fills in `maps`, `learn`, `detect` and `heads`, and `forward_at_fixed_cost`
    (see `models.cost`) where the cost of a forward pass depends on the image.
    """

    stride = 32  # pixels; height and width of a batch are padded to multiples of it

    def forward(self, images: Sequence[Tensor], targets: Targets | None = None) -> Passed:
        """Find the objects, or learn how to.

        Args:
            images: (3, h, w) float32 each; sizes may differ.
            targets: Of these images; needed in training mode.
        """
        if self.training:
            return self._passed(images, targets)
        groups = alike(images, self.stride)
        return in_order(
            groups,
            [
                self._passed(
                    [images[index] for index in group],
                    targets and Targets([targets.of_images[index] for index in group]),
                )
                for group in groups
            ],
        )

    def _passed(self, images: Sequence[Tensor], targets: Targets | None) -> Passed:
        """Run images of which each is padded to the largest."""
        batch = padded(images, self.stride)
        maps = self.maps(batch.tensors)
        with torch.autocast(batch.tensors.device.type, enabled=False):
            maps = {name: each.float() for name, each in maps.items()}
            if self.training:
                return self.learn(batch, maps, targets.of_images if targets else [])
            if targets is None:
                return self.detect(batch, maps)
            return self.score(batch, maps, targets.of_images)

    @abstractmethod
    def maps(self, images: Tensor) -> Maps:
        """Run every layer that runs in the precision asked for, on (b, 3, h, w) images."""

    @abstractmethod
    def learn(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Learned:
        """Return the losses of a batch, each a mean over its images."""

    @abstractmethod
    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return what was found in each image, in its own pixels, the highest score first."""

    def score(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Scored:
        """Return what was found, and what would be learnt of each image."""
        detections = self.detect(batch, maps)
        return Scored(detections, *self.learned_by_image(batch, maps, targets))

    @property
    @abstractmethod
    def heads(self) -> tuple[nn.Module, ...]:
        """Modules that look whether they are in training mode to tell losses from detections."""

    def learned_by_image(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Learned:
        """Return losses (b,) and measures (b, 2), sampled alike every time."""
        rows: list[Learned] = []
        gpus = list(range(torch.cuda.device_count()))
        with torch.random.fork_rng(gpus), _as_in_training(self.heads):
            for index, target in enumerate(targets):
                torch.manual_seed(SAMPLING_SEED)
                one = slice(index, index + 1)
                alone = ImageList(batch.tensors[one], batch.image_sizes[one])
                rows.append(
                    self.learn(alone, {n: each[one] for n, each in maps.items()}, [target])
                )
        return Learned(
            {name: torch.stack([row.losses[name] for row in rows]) for name in rows[0].losses},
            {name: torch.stack([row.measures[name] for row in rows]) for name in rows[0].measures},
        )


def padded(images: Sequence[Tensor], stride: int) -> ImageList:
    """Put images (3, h, w) into one tensor, with zeros to the right and below.

    Args:
        images: At least one.
        stride: Pixels; the tensor's sides are multiples of it.
    """
    sizes = [(each.shape[-2], each.shape[-1]) for each in images]
    height, width = (_padded_side(max(side), stride) for side in zip(*sizes, strict=True))
    tensors = [
        functional.pad(each, (0, width - each.shape[-1], 0, height - each.shape[-2]))
        for each in images
    ]
    return ImageList(torch.stack(tensors), sizes)


def alike(images: Sequence[Tensor], stride: int) -> list[list[int]]:
    """Return the places of images (3, h, w) that are padded to the same size, group by group."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        size_hw = tuple(_padded_side(side, stride) for side in image.shape[-2:])
        groups.setdefault(size_hw, []).append(index)
    return list(groups.values())


def in_order(groups: Sequence[Sequence[int]], passed: Sequence[Passed]) -> Passed:
    """Put what evaluation mode returned of each group of images in the images' order.

    Args:
        groups: Places of the images of each group.
        passed: Detections of each group, or `Scored` of each.
    """
    if len(passed) == 1:
        return passed[0]  # all images are of one group, in order
    places = [index for group in groups for index in group]
    order = sorted(range(len(places)), key=places.__getitem__)
    scored = [each for each in passed if isinstance(each, Scored)]
    if not scored:
        found = [detection for each in passed if isinstance(each, list) for detection in each]
        return [found[place] for place in order]
    detections = [detection for each in scored for detection in each.detections]
    return Scored(
        [detections[place] for place in order],
        _joined([each.losses for each in scored], order),
        _joined([each.measures for each in scored], order),
    )


def _joined(parts: Sequence[Mapping[str, Tensor]], order: Sequence[int]) -> dict[str, Tensor]:
    """Return (b, …) of each name, of parts with some of the rows each."""
    return {name: torch.cat([each[name] for each in parts])[list(order)] for name in parts[0]}


def _padded_side(side: int, stride: int) -> int:
    return math.ceil(side / stride) * stride


@contextmanager
def _as_in_training(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Have modules return losses; their layers stay as they are, and keep their statistics."""
    for module in modules:
        module.training = True
    try:
        yield
    finally:
        for module in modules:
            module.training = False
