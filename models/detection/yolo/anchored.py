"""What YOLOv2 and v3 share: maps of numbers for every cell and prior, and boxes of them."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.darknet.cfg import Section
from models.detection.darknet.layers import DarknetLayers
from models.detection.detector import Maps
from models.detection.one_stage import OneStageDetector
from models.detection.one_stage_settings import DetectionLimits
from models.detection.outputs import Detection, Losses, Target
from models.detection.yolo.pixels import zero_to_one
from models.detection.yolo.places import Places, PriorMap
from models.detection.yolo.settings import STRIDE
from models.detection.yolo.suppression import best_boxes

BOX_NUMBERS = 5  # x, y, w, h and objectness


class AnchoredYOLO(OneStageDetector):
    """A fully convolutional network with priors.

    Args:
        sections: The layers of the network.
        maps: Stride and priors of each map that leaves it, in order.
        limits: Of what is detected.
    """

    stride = STRIDE

    def __init__(
        self, sections: Sequence[Section], *, maps: Sequence[PriorMap], limits: DetectionLimits
    ) -> None:
        super().__init__()
        self.darknet = DarknetLayers(sections)
        self.prior_maps = tuple(maps)
        self.limits = limits

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the last convolutions."""
        return tuple(f"darknet.layers.{end - 1}.conv" for end in self.darknet.ends)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where each map's classes are computed: after the box of every prior."""
        return tuple(
            ClassRows(layer, repeats=len(each.priors_wh), fixed=BOX_NUMBERS)
            for layer, each in zip(self.outputs, self.prior_maps, strict=True)
        )

    def maps(self, images: Tensor) -> Maps:
        """Return a (b, priors x (5 + classes), h, w) map for each stride."""
        found = self.darknet(zero_to_one(images))
        return {
            f"stride {each.stride}": values
            for each, values in zip(self.prior_maps, found, strict=True)
        }

    def losses_of_images(
        self, batch: ImageList, maps: Maps, targets: list[Target]
    ) -> list[Losses]:
        """Return sums over the places of every image."""
        predicted = self._predicted(batch, maps)
        return [
            self.image_losses(numbers, places, target)
            for (numbers, places), target in zip(predicted, targets, strict=True)
        ]

    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return objects, scored by their objectness times the probability of their class."""
        found = []
        predicted = self._predicted(batch, maps)
        for (numbers, places), size_hw in zip(predicted, batch.image_sizes, strict=True):
            scores = numbers[:, 4:5].sigmoid() * self.class_probabilities(numbers[:, BOX_NUMBERS:])
            boxes = places.decoded(numbers[:, :4])
            found.append(best_boxes(boxes, scores, size_hw, limits=self.limits))
        return found

    @abstractmethod
    def class_probabilities(self, numbers: Tensor) -> Tensor:
        """Return (n, classes) probabilities of a place's classes, given that it has an object."""

    @abstractmethod
    def image_losses(self, numbers: Tensor, places: Places, target: Target) -> Losses:
        """Return the losses of an image, each ().

        Args:
            numbers: (n, 5 + classes) of all places.
            places: These.
            target: The objects of the image.
        """

    def _predicted(self, batch: ImageList, maps: Maps) -> Iterator[tuple[Tensor, Places]]:
        """Yield what was predicted for each image, (n, 5 + classes), and where.

        What a batch's largest image adds to the others is cut off, as if each were alone.
        """
        for index, (height, width) in enumerate(batch.image_sizes):
            cells_hw = math.ceil(height / self.stride), math.ceil(width / self.stride)
            flat, sizes_hw = [], []
            for each, values in zip(self.prior_maps, maps.values(), strict=True):
                rows, columns = (cells * self.stride // each.stride for cells in cells_hw)
                own = values[index, :, :rows, :columns]
                split = own.reshape(len(each.priors_wh), -1, rows, columns).movedim(1, -1)
                flat.append(split.flatten(0, 2))
                sizes_hw.append((rows, columns))
            numbers = torch.cat(flat)
            yield numbers, Places.of(self.prior_maps, sizes_hw, numbers.device)
