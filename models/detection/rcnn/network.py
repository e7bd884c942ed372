"""AlexNet on crops of regions; classes by a softmax while it learns, and by SVMs when it has.

In training mode the network is fine-tuned: sampled regions are classified as one of the classes,
or background. Until SVMs are fitted, that softmax finds the objects too.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import AlexNet_Weights, alexnet  # type: ignore[import-untyped]
from torchvision.models.detection._utils import (  # type: ignore[import-untyped]
    BalancedPositiveNegativeSampler,
    BoxCoder,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.backbones import without
from models.detection.detector import Detector, Maps
from models.detection.outputs import Detection, Learned, Target
from models.detection.rcnn.crops import warped
from models.detection.rcnn.settings import RCNNSettings
from models.detection.selective_search.proposals import SearchedRegions
from models.detection.suppression import Candidates, suppressed
from models.fitted_linear import FittedLinear
from models.pretrained import LoadedWeights, WeightsSource, load_into
from models.segmentation.initialisation import draw_rectified

CHANNELS = 256  # of AlexNet's last convolution
PIXELS = "pixels"  # the only map: the images themselves
CHUNK = 128  # crops that go through the network at once when objects are looked for
CANDIDATES = 1000  # of a class, by score, that non-maximum suppression looks at
UNITS = (1.0, 1.0, 1.0, 1.0)  # of box targets: sides of the region, logarithms of factors


class Looked(NamedTuple):
    """What the network makes of crops."""

    pool5: Tensor  # (n, values after the last pooling) float32
    fc7: Tensor  # (n, head_width) float32


class RCNN(Detector):
    """Images to objects, region by region.

    Args:
        settings: Of regions, network and detections.
        classes: Without the background.
    """

    stride = 1  # every region is brought to the same size

    def __init__(self, settings: RCNNSettings, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.regions = SearchedRegions(settings, is_normalized=settings.pretrained != "none")
        width, pool5 = settings.head_width, CHANNELS * settings.pool5_side**2
        self.convolutions = _convolutions()
        self.connected = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(pool5, width),
            nn.ReLU(inplace=True),
            nn.Dropout(settings.dropout),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
        )
        self.softmax = nn.Linear(width, classes + 1)
        self.svms = FittedLinear(width, classes)
        self.box_regression = FittedLinear(pool5, 4 * classes)
        self._sampler = BalancedPositiveNegativeSampler(
            settings.sampled_regions, settings.foreground_share
        )
        self.box_coder = BoxCoder(UNITS)
        self._is_mixed = False

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """Return nothing: no part looks at its mode but dropout."""
        return ()

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where the classes are."""
        return (
            ClassRows("softmax", has_background=True),
            ClassRows("svms"),
            ClassRows("box_regression", per_class=4),
        )

    def forward_at_fixed_cost(self, image: Tensor) -> None:
        """Run every layer on as many crops as a training image makes at most."""
        side = self.settings.crop
        shape = (self.settings.sampled_regions, 3, side, side)
        pool5 = self.convolutions(image.new_empty(shape)).flatten(1)
        self.softmax(self.connected(pool5))

    def maps(self, images: Tensor) -> Maps:
        """Return the images: what is seen of them is decided by regions."""
        self._is_mixed = torch.is_autocast_enabled(images.device.type)
        return {PIXELS: images}

    def learn(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Learned:
        """Return the loss of classifying sampled regions, and how many were right."""
        pairs = zip(self.regions(batch), targets, strict=True)
        sampled = [self._sampled(regions, target) for regions, target in pairs]
        labels = [each for _, each in sampled]
        logits = self.softmax(self.look(maps, [boxes for boxes, _ in sampled]).fc7)
        losses = [
            functional.cross_entropy(each, label)
            for each, label in zip(
                torch.split(logits, [len(each) for each in labels]), labels, strict=True
            )
        ]
        hits = (logits.argmax(dim=1) == torch.cat(labels)).float()
        accuracy = torch.stack([hits.sum(), torch.ones_like(hits).sum()])
        return Learned(
            {"loss_classifier": torch.stack(losses).mean()}, {"region_accuracy": accuracy}
        )

    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return objects: regions with a score above the least, the best of those that overlap."""
        found: list[Detection] = []
        for index, boxes in enumerate(self.regions(batch)):
            alone = {PIXELS: maps[PIXELS][index : index + 1]}
            pieces = [
                self._judged(self.look(alone, [part]), part) for part in torch.split(boxes, CHUNK)
            ]
            scores, moved = (torch.cat(each) for each in zip(*pieces, strict=True))
            found.append(self._best(scores, moved, batch.image_sizes[index]))
        return found

    def look(self, maps: Maps, boxes: list[Tensor]) -> Looked:
        """Return what the network makes of regions, those of all images in order.

        Args:
            maps: Of `maps`, which also tells in which precision to look.
            boxes: b times (n, 4) xyxy, pixels.
        """
        pixels = maps[PIXELS]
        crops = warped(pixels, boxes, side=self.settings.crop, context=self.settings.context)
        with torch.autocast(pixels.device.type, enabled=self._is_mixed):
            pool5 = self.convolutions(crops).flatten(1)
            fc7 = self.connected(pool5)
        return Looked(pool5.float(), fc7.float())

    def _sampled(self, regions: Tensor, target: Target) -> tuple[Tensor, Tensor]:
        """Return boxes and labels of regions to take a loss of, true boxes among them."""
        boxes, labels = torch.cat([target["boxes"], regions]), target["labels"]
        found = labels.new_zeros(len(boxes))
        if len(labels):
            best, matched = box_iou(target["boxes"], boxes).max(dim=0)
            found = torch.where(best >= self.settings.foreground_iou, labels[matched], 0)
        objects, background = self._sampler([found])
        chosen = torch.where(objects[0] | background[0])[0]
        return boxes[chosen], found[chosen]

    def _judged(self, looked: Looked, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (n, classes), and boxes (n, classes, 4) where each class sees them."""
        if self.svms.is_fitted:
            scores = self.svms(looked.fc7).sigmoid()
        else:
            scores = self.softmax(looked.fc7).softmax(dim=1)[:, 1:]
        if self.box_regression.is_fitted:
            moved = self.box_coder.decode(self.box_regression(looked.pool5), [boxes])
        else:
            moved = boxes[:, None].expand(-1, scores.shape[1], -1)
        return scores, moved

    def _best(self, scores: Tensor, boxes: Tensor, size_hw: tuple[int, int]) -> Detection:
        values, places = scores.topk(min(CANDIDATES, len(scores)), dim=0)
        classes = torch.arange(scores.shape[1], device=scores.device).expand_as(places)
        good = values > self.settings.score_threshold
        candidates = Candidates(
            boxes[places[good], classes[good]], classes[good] + 1, values[good]
        )
        limits = self.settings
        return suppressed(candidates, size_hw, nms=limits.nms, detections=limits.detections)


def _convolutions() -> nn.Module:
    """Build AlexNet's, without the pooling that brings maps of any size to 6x6.

    At 227 pixels they are, and its gradient has no deterministic kernel.
    """
    with torch.device("meta"):  # the other layers, most of the weights, are thrown away
        features = alexnet().features
    drawn: nn.Module = features.to_empty(device=torch.get_default_device())
    return drawn.apply(draw_rectified)


def build_rcnn(settings: RCNNSettings, out_channels: int) -> RCNN:
    """Build the network with random weights and without SVMs; channel 0 is the background."""
    return RCNN(settings, out_channels - 1)


def load_rcnn(network: RCNN, _: RCNNSettings) -> tuple[LoadedWeights, ...]:
    """Give all but the last layer the weights of ImageNet's classifier.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    kept = nn.ModuleDict({"features": network.convolutions, "classifier": network.connected})
    source = WeightsSource.named_by_hash(AlexNet_Weights.IMAGENET1K_V1.url)
    return (load_into(kept, source, rename=without("classifier.6.")),)
