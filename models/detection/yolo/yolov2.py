"""YOLOv2 (Redmon & Farhadi 2017, "YOLO9000: better, faster, stronger").

The loss, of which the paper says little, is that of Darknet's `region` layer as read in its
source, with the numbers of yolov2-voc.cfg: half the squared error, summed over places.

    box          of sigmoid(t_x), sigmoid(t_y), t_w, t_h at the places of objects
    objectness   at the places of objects towards the box's IoU with its object, weight 5;
                 towards 0 at all others, but not where a box overlaps some object by more than 0.6
    classes      cross-entropy of a softmax at the places of objects

Left out: Darknet draws all boxes towards their priors, at weight 0.01, for the first 12,800
images. It would make the loss depend on how much was trained before.
"""

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.outputs import Losses, Target
from models.detection.yolo import architectures
from models.detection.yolo.anchored import BOX_NUMBERS, AnchoredYOLO
from models.detection.yolo.places import Places, PriorMap, best_overlap, last_of_each
from models.detection.yolo.settings import STRIDE, YOLOv2Settings

# Width and height, in cells of 32 pixels.
PRIORS_VOC = (
    (1.3221, 1.73145),
    (3.19275, 4.00944),
    (5.05587, 8.09892),
    (9.47112, 4.84053),
    (11.2364, 10.0071),
)
PRIORS_COCO = (
    (0.57273, 0.677385),
    (1.87446, 2.06253),
    (3.33843, 5.47434),
    (7.88282, 3.52778),
    (9.77052, 9.16828),
)


class YOLOv2(AnchoredYOLO):
    """Darknet-19 with a passthrough layer.

    Args:
        settings: Of the study.
        classes: Without the background.
    """

    def __init__(self, settings: YOLOv2Settings, classes: int) -> None:
        usual = PRIORS_COCO if settings.pretrained == "coco" else PRIORS_VOC
        cells = settings.priors or usual
        outputs = len(cells) * (BOX_NUMBERS + classes)
        priors_wh = tuple((width * STRIDE, height * STRIDE) for width, height in cells)
        super().__init__(
            architectures.yolov2(settings.width, outputs),
            maps=[PriorMap(STRIDE, priors_wh)],
            limits=settings,
        )
        self.settings = settings

    def class_probabilities(self, numbers: Tensor) -> Tensor:
        """Return a softmax over the classes."""
        return numbers.softmax(dim=1)

    def image_losses(self, numbers: Tensor, places: Places, target: Target) -> Losses:
        """Return losses of box, objectness and classes."""
        settings, objects = self.settings, target["boxes"]
        own = places.assigned(objects)
        kept = last_of_each(own)
        own, objects, labels = own[kept], objects[kept], target["labels"][kept] - 1
        with torch.no_grad():
            boxes = places.decoded(numbers[:, :4])
            overlaps = box_iou(boxes[own], objects).diagonal()
            is_empty = best_overlap(boxes, target["boxes"]) <= settings.ignore_iou
            is_empty[own] = False
        objectness = numbers[:, 4].sigmoid()
        of_objects = (objectness[own] - overlaps).square().sum()
        of_others = (objectness * is_empty).square().sum()
        found, expected = numbers[own], places.encoded(objects, own)
        box = torch.cat((found[:, :2].sigmoid(), found[:, 2:4]), dim=1) - expected
        classes = functional.cross_entropy(found[:, BOX_NUMBERS:], labels, reduction="sum")
        return {
            "loss_box_reg": settings.coordinate_weight * box.square().sum() / 2,
            "loss_objectness": (
                settings.object_weight * of_objects + settings.no_object_weight * of_others
            )
            / 2,
            "loss_classifier": settings.class_weight * classes,
        }


def build_yolov2(settings: YOLOv2Settings, out_channels: int) -> YOLOv2:
    """Build the network with random weights.

    Args:
        settings: Of the study.
        out_channels: Classes and a background, for which the network has no outputs.
    """
    return YOLOv2(settings, out_channels - 1)
