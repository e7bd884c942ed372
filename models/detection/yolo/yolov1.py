"""YOLOv1 (Redmon et al. 2016, "You only look once").

The network is the paper's figure 3, without batch normalisation, its loss equation 3. The last
layer is linear and gives for each cell B times x and y inside the cell, the square roots of w and
h as shares of the image's sides, and a confidence; then the classes.

Where the paper is silent, Darknet's `detection` layer was followed: a box is responsible for the
cell's object that overlaps it most, by the least distance of coordinates where none overlaps; of
several objects with their centre in one cell, one is learnt (there a random one, here the last).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.darknet.layers import LEAK, DarknetLayers
from models.detection.detector import Maps
from models.detection.one_stage import OneStageDetector
from models.detection.outputs import Detection, Losses, Target
from models.detection.yolo.architectures import STEP, yolov1_convolutions
from models.detection.yolo.pixels import zero_to_one
from models.detection.yolo.places import last_of_each
from models.detection.yolo.settings import CELL, YOLOv1Settings
from models.detection.yolo.suppression import best_boxes

BOX_NUMBERS = 5  # x, y, roots of w and h, and confidence
CONNECTED = 4096  # outputs of the first connected layer
GRID = "grid"  # name of the only map


class YOLOv1(OneStageDetector):
    """Convolutions and two connected layers, which take images of one size.

    Weights start as He et al. (2015) have them, the boxes of a cell in its middle and each of
    another size, so that they soon find objects of their own.

    Args:
        settings: Of the study.
        classes: Without the background.
    """

    stride = CELL

    def __init__(self, settings: YOLOv1Settings, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.numbers = settings.boxes * BOX_NUMBERS + classes  # of a cell
        cells, middle = settings.grid**2, max(STEP, round(CONNECTED * settings.width))
        self.convolutions = DarknetLayers(yolov1_convolutions(settings.width))
        *_, (_, last) = self.convolutions.convolutions()
        self.connected = nn.Linear(last.conv.out_channels * cells, middle)
        self.dropout = nn.Dropout(settings.dropout)
        self.output = nn.Linear(middle, cells * self.numbers)
        nn.init.kaiming_normal_(self.connected.weight, a=LEAK)
        nn.init.zeros_(self.connected.bias)
        nn.init.normal_(self.output.weight, std=0.01)
        with torch.no_grad():
            self.output.bias.copy_(_first_numbers(settings.boxes, classes).repeat(cells))

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the classes are computed: after the boxes of each cell."""
        settings = self.settings
        return (ClassRows("output", repeats=settings.grid**2, fixed=settings.boxes * BOX_NUMBERS),)

    def maps(self, images: Tensor) -> Maps:
        """Return the numbers of all cells, (b, cells, 5 B + classes), row by row.

        Raises:
            ValueError: the images have another size than the connected layers are for.
        """
        side = self.settings.grid * CELL
        if images.shape[-2:] != (side, side):
            height, width = images.shape[-2:]
            raise ValueError(
                f"images of yolov1 with grid {self.settings.grid} must have {side}x{side} pixels, "
                f"got {height}x{width}; set data.image_size to {side}, with stretched images"
            )
        (values,) = self.convolutions(zero_to_one(images))
        values = functional.leaky_relu(self.connected(values.flatten(1)), LEAK)
        numbers = self.output(self.dropout(values))
        return {GRID: numbers.reshape(len(images), -1, self.numbers)}

    def losses_of_images(
        self,
        batch: ImageList,  # noqa: ARG002  # all images have one size
        maps: Maps,
        targets: list[Target],
    ) -> list[Losses]:
        """Return the parts of equation 3."""
        pairs = zip(maps[GRID], targets, strict=True)
        return [self._image_losses(numbers, target) for numbers, target in pairs]

    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return objects, scored by confidence times the probability of their class."""
        found = []
        for numbers, size_hw in zip(maps[GRID], batch.image_sizes, strict=True):
            boxes, confidence, classes = self.decoded(numbers)
            scores = (confidence[..., None] * classes[:, None]).clamp(0, 1).flatten(0, 1)
            found.append(best_boxes(boxes.flatten(0, 1), scores, size_hw, limits=self.settings))
        return found

    def decoded(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the boxes that the network means, and what it thinks of them.

        Args:
            numbers: (cells, 5 B + classes).

        Returns:
            (cells, B, 4) xyxy pixels, (cells, B) confidences, (cells, classes).
        """
        boxes = self._boxes(numbers)
        index = torch.arange(len(numbers), device=numbers.device)
        cells_xy = torch.stack((index % self.settings.grid, index // self.settings.grid), dim=1)
        centres = (boxes[..., :2] + cells_xy[:, None]) * CELL
        halves = boxes[..., 2:4].square() * (self.settings.grid * CELL / 2)
        corners = torch.cat((centres - halves, centres + halves), dim=-1)
        return corners, boxes[..., 4], numbers[:, self.settings.boxes * BOX_NUMBERS :]

    def _boxes(self, numbers: Tensor) -> Tensor:
        """Return (cells, B, 5) of (cells, 5 B + classes) numbers."""
        count = self.settings.boxes
        return numbers[:, : count * BOX_NUMBERS].reshape(len(numbers), count, BOX_NUMBERS)

    def _image_losses(self, numbers: Tensor, target: Target) -> Losses:
        settings, objects = self.settings, target["boxes"]
        own, expected = self._encoded(objects)
        kept = last_of_each(own)
        own, objects, expected = own[kept], objects[kept], expected[kept]
        corners, confidence, classes = self.decoded(numbers)
        best, overlaps = _responsible(corners[own].detach(), objects)
        has_object = torch.zeros_like(confidence, dtype=torch.bool)
        has_object[own, best] = True
        chosen = self._boxes(numbers[own])[torch.arange(len(own), device=own.device), best]
        one_hot = functional.one_hot(target["labels"][kept] - 1, classes.shape[1])
        of_objects = (chosen[:, 4] - overlaps).square().sum()
        of_others = (confidence * ~has_object).square().sum()
        coordinates = (chosen[:, :4] - expected).square().sum()
        return {
            "loss_box_reg": settings.coordinate_weight * coordinates,
            "loss_objectness": of_objects + settings.no_object_weight * of_others,
            "loss_classifier": (classes[own] - one_hot).square().sum(),
        }

    def _encoded(self, objects: Tensor) -> tuple[Tensor, Tensor]:
        """Return (m,) the cell of each object, and (m, 4) what its box should be there."""
        grid = self.settings.grid
        centres = (objects[:, :2] + objects[:, 2:]) / 2 / CELL
        cells_xy = centres.long().clamp(max=grid - 1)
        roots = ((objects[:, 2:] - objects[:, :2]) / (grid * CELL)).sqrt()
        encoded = torch.cat((centres - cells_xy, roots), dim=1)
        return cells_xy[:, 1] * grid + cells_xy[:, 0], encoded


def build_yolov1(settings: YOLOv1Settings, out_channels: int) -> YOLOv1:
    """Build the network with random weights.

    Args:
        settings: Of the study.
        out_channels: Classes and a background, for which the network has no outputs.
    """
    return YOLOv1(settings, out_channels - 1)


def _first_numbers(boxes: int, classes: int) -> Tensor:
    """Return the numbers that a cell starts from."""
    roots = [(each + 1) / (boxes + 1) for each in range(boxes)]
    of_boxes = [number for root in roots for number in (0.5, 0.5, root, root, 0.0)]
    return torch.tensor([*of_boxes, *[1 / max(classes, 1)] * classes])


def _responsible(corners: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
    """Return which of its cell's boxes is responsible for each object, and their IoU.

    Args:
        corners: (m, B, 4) xyxy, of the objects' cells.
        objects: (m, 4) xyxy.
    """
    count, boxes = corners.shape[:2]
    overlaps = box_iou(corners.flatten(0, 1), objects).reshape(count, boxes, count)
    own = overlaps[torch.arange(count), :, torch.arange(count)]  # (m, B)
    distances = (_xywh(corners) - _xywh(objects)[:, None]).square().sum(dim=-1)
    overlaps_none = (own <= 0).all(dim=1)
    best = torch.where(overlaps_none, distances.argmin(dim=1), own.argmax(dim=1))
    return best, own.gather(1, best[:, None])[:, 0]


def _xywh(corners: Tensor) -> Tensor:
    first, second = corners[..., :2], corners[..., 2:]
    return torch.cat(((first + second) / 2, second - first), dim=-1)
