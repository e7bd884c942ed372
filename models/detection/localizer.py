"""Classification with localisation: what the one object of an image is, and where.

One network, one layer at its end: four numbers for the box and a logit for each class. The loss is
alpha x cross entropy + (1 - alpha) x squared distance of the boxes. Of an image with several
objects the largest one is learnt; one without an object has no loss, for there is no class that
means "nothing". So one box is found in each image, whatever is in it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models  # type: ignore[import-untyped]
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.ops import box_convert  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.backbones import load_imagenet, without
from models.detection.detector import Detector, Maps
from models.detection.localizer_settings import LocalizerSettings
from models.detection.outputs import Detection, Learned, Target
from models.pretrained import LoadedWeights, load_into
from models.segmentation.vgg import vgg16_source

BOX = 4  # numbers of a box: the centre, width and height, as shares of the image
VGG_SIDE = 7  # of the map that VGG-16's connected layers see
FEATURES = "features"  # the only map: one vector of each image


class GridMeans(nn.Module):
    """`nn.AdaptiveAvgPool2d` as products of matrices, whose gradient is the same on every run.

    Args:
        side: Rows and columns that maps are brought to.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, maps: Tensor) -> Tensor:
        """Return (b, c, side, side) of (b, c, h, w)."""
        rows, columns = (self._weights(length, maps) for length in maps.shape[-2:])
        return torch.einsum("ph,bchw,qw->bcpq", rows, maps, columns)

    def _weights(self, length: int, like: Tensor) -> Tensor:
        """Return (side, length): how much each place of an axis counts in each mean."""
        numbers = torch.arange(self.side, device=like.device)
        first, last = numbers * length // self.side, -(-(numbers + 1) * length // self.side)
        places = torch.arange(length, device=like.device)
        is_inside = (places >= first[:, None]) & (places < last[:, None])
        return (is_inside / (last - first)[:, None]).to(like.dtype)


class Localizer(Detector):
    """One box and one class for each image.

    Args:
        backbone: Images (b, 3, h, w) to features (b, inputs).
        inputs: Features.
        classes: Without a background.
        alpha: Weight of the class's loss; that of the box's is 1 - alpha.
    """

    stride = 1  # the network takes images of any size, but all of a batch have the same

    def __init__(self, backbone: nn.Module, inputs: int, *, classes: int, alpha: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.last = nn.Linear(inputs, BOX + classes)
        self.alpha = alpha

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """Return nothing: losses and detections come from the same layers."""
        return ()

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the classes are: after the box."""
        return (ClassRows("last", fixed=BOX),)

    def forward_at_fixed_cost(self, image: Tensor) -> None:
        """Run every layer on (1, 3, h, w)."""
        self.last(self.backbone(image))

    def maps(self, images: Tensor) -> Maps:
        """Return the features of each image, (b, inputs)."""
        return {FEATURES: self.backbone(images)}

    def learn(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Learned:
        """Return the losses of class and box, and how good both are, of images with objects."""
        boxes, logits = self._outputs(maps)
        has_object = boxes.new_tensor([float(len(each["boxes"]) > 0) for each in targets])
        pairs = zip(targets, batch.image_sizes, strict=True)
        wanted = [largest(target, size_hw) for target, size_hw in pairs]
        true_boxes = torch.stack([box for box, _ in wanted])
        labels = torch.stack([label for _, label in wanted])
        of_class = functional.cross_entropy(logits, labels, reduction="none") * has_object
        squares = (boxes - true_boxes).square().sum(dim=1) * has_object
        losses = {
            "classification": self.alpha * of_class.mean(),
            "bbox_regression": (1 - self.alpha) * squares.mean(),
        }
        hits = (logits.argmax(dim=1) == labels) * has_object
        measures = {
            "region_accuracy": torch.stack([hits.sum(), has_object.sum()]),
            "box_mse": torch.stack([squares.detach().sum() / BOX, has_object.sum()]),
        }
        return Learned(losses, measures)

    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return one box of each image, with its likeliest class."""
        boxes, logits = self._outputs(maps)
        scores, labels = logits.softmax(dim=1).max(dim=1)
        found: list[Detection] = []
        for index, size_hw in enumerate(batch.image_sizes):
            sides = boxes.new_tensor((size_hw[1], size_hw[0]) * 2)
            corners = box_convert(boxes[index], "cxcywh", "xyxy").clamp(0, 1) * sides
            # A negative width would turn the box round.
            low, high = corners[:2], torch.maximum(corners[:2], corners[2:])
            found.append(
                {
                    "boxes": torch.cat([low, high])[None],
                    "labels": labels[index : index + 1] + 1,
                    "scores": scores[index : index + 1],
                }
            )
        return found

    def _outputs(self, maps: Maps) -> tuple[Tensor, Tensor]:
        """Return boxes (b, 4) and logits (b, classes)."""
        outputs = self.last(maps[FEATURES])
        return outputs[:, :BOX], outputs[:, BOX:]


def largest(target: Target, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the box (4,) and the class () from 0 of an image's largest object.

    Without an object both are zeros. The box is centre, width and height, as shares of the image.
    """
    boxes = target["boxes"]
    if not len(boxes):
        return boxes.new_zeros(BOX), target["labels"].new_zeros(())
    sides = boxes.new_tensor((size_hw[1], size_hw[0]) * 2)
    index = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).argmax()
    shares: Tensor = box_convert(boxes[index], "xyxy", "cxcywh") / sides
    return shares, target["labels"][index] - 1


def build_localizer(settings: LocalizerSettings, out_channels: int) -> Localizer:
    """Build the network with random weights; channel 0 is the background, which it lacks."""
    backbone = getattr(models, settings.backbone)()
    if settings.backbone == "vgg16":
        last = backbone.classifier[-1]
        backbone.avgpool = GridMeans(VGG_SIDE)
        backbone.classifier[-1] = nn.Identity()
    else:
        last = backbone.fc
        backbone.fc = nn.Identity()
    return Localizer(backbone, last.in_features, classes=out_channels - 1, alpha=settings.alpha)


def load_localizer(network: Localizer, settings: LocalizerSettings) -> tuple[LoadedWeights, ...]:
    """Give all but the last layer the weights of ImageNet's classifier.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    if settings.backbone == "vgg16":
        source = vgg16_source(batch_norm=False)
        return (load_into(network.backbone, source, rename=without("classifier.6.")),)
    return (load_imagenet(network.backbone, settings.backbone),)
