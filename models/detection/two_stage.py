"""What networks share that first find regions and then look at each of them.

    images ──► maps ──► propose ──► regions ──► sampled: losses (`learn_regions`)
                                           └──► all: detections (`find`)

`RegionDetector` leaves open where regions come from; a `ProposalDetector` has a network for it.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.detector import Detector, Maps, padded
from models.detection.outputs import Detection, Learned, Losses, Measures, Scored, Target
from models.detection.proposals import ProposalNetwork, overlapping_boxes
from models.detection.region_heads import (
    ObjectBoxPredictor,
    RegionHeads,
    Sampled,
    region_losses,
)
from models.detection.region_pooling import RegionPooling, kernels_as_built

SizesHw = list[tuple[int, int]]  # of the images of a batch, pixels


class RegionDetector(Detector):
    """Maps of whole images, and heads that look at regions of them.

    Args:
        backbone: Images (b, 3, h, w) to named maps, all of `backbone.out_channels`.
        roi_heads: What looks at regions.
        stride: Pixels; of the backbone's smallest map that it makes by convolutions.
    """

    def __init__(self, backbone: nn.Module, roi_heads: RegionHeads, *, stride: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.roi_heads = roi_heads
        self.stride = stride

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """Return what looks at regions."""
        return (self.roi_heads,)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where scores and boxes of classes are computed."""
        is_for_objects = isinstance(self.roi_heads.box_predictor, ObjectBoxPredictor)
        return (
            ClassRows("roi_heads.box_predictor.cls_score", has_background=True),
            ClassRows(
                "roi_heads.box_predictor.bbox_pred",
                per_class=4,
                has_background=not is_for_objects,
            ),
        )

    @abstractmethod
    def propose(
        self, batch: ImageList, maps: Maps, targets: list[Target] | None = None
    ) -> tuple[list[Tensor], Losses]:
        """Return regions to look at, and the losses of finding them.

        Args:
            batch: The images.
            maps: Of the images.
            targets: Of the images; where losses are asked for.

        Returns:
            b times (n, 4) xyxy, pixels of the network's input; and losses, () each.
        """

    def maps(self, images: Tensor) -> Maps:
        """Return the backbone's maps."""
        maps: Maps = self.backbone(images)
        return maps

    def learn(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Learned:
        """Return the losses of proposals and of regions."""
        proposals, of_proposals = self.propose(batch, maps, targets)
        with self._pooling_of(maps):
            sampled = Sampled(*self.roi_heads.select_training_samples(proposals, targets))
            of_regions, measures = self.learn_regions(maps, sampled, batch.image_sizes, targets)
        return Learned({**of_regions, **of_proposals}, measures)

    def learn_regions(
        self,
        maps: Maps,
        sampled: Sampled,
        sizes_hw: SizesHw,
        targets: list[Target],  # noqa: ARG002  # for networks that learn more of them
    ) -> tuple[Losses, Measures]:
        """Return losses and measures of sampled regions."""
        heads: Any = self.roi_heads
        pooled = heads.box_roi_pool(maps, sampled.boxes, sizes_hw)
        logits, deltas = heads.box_predictor(heads.box_head(pooled))
        return region_losses(logits, deltas, sampled)

    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return objects."""
        proposals, _ = self.propose(batch, maps)
        return self.find(batch, maps, proposals)

    def find(self, batch: ImageList, maps: Maps, proposals: list[Tensor]) -> list[Detection]:
        """Return the objects in regions."""
        with self._pooling_of(maps):
            found: list[Detection] = self.roi_heads(maps, proposals, batch.image_sizes)[0]
        return found

    def forward_at_fixed_cost(self, image: Tensor) -> None:
        """Run every layer as often as a training image makes it at most, also on "meta".

        How many regions a forward pass goes through depends on the image, and finding them needs
        values; the regions that are sampled for the loss bound it.

        Args:
            image: (1, 3, h, w).
        """
        maps = self.maps(padded(list(image), self.stride).tensors)
        self.propose_at_fixed_cost(maps)
        heads: Any = self.roi_heads
        regions = heads.fg_bg_sampler.batch_size_per_image
        heads.box_predictor(heads.box_head(self._pooled(heads.box_roi_pool, regions, image)))

    def propose_at_fixed_cost(self, maps: Maps) -> None:
        """Run the layers that find regions, where there are any."""

    def _pooled(self, pooling: RegionPooling, regions: int, like: Tensor) -> Tensor:
        """Return something of the shape of pooled regions."""
        shape = (regions, self.backbone.out_channels, *pooling.output_size)
        return like.new_empty(shape, dtype=torch.float32)

    @contextmanager
    def _pooling_of(self, maps: Maps) -> Iterator[None]:
        """Have regions of these maps pooled as decision 016 says."""
        poolings = [each for each in self.roi_heads.children() if isinstance(each, RegionPooling)]
        with kernels_as_built(poolings, next(iter(maps.values())).device):
            yield


class ProposalDetector(RegionDetector):
    """A region detector with a network that proposes the regions (Ren et al. 2015).

    Args:
        backbone: Images (b, 3, h, w) to named maps, all of `backbone.out_channels`.
        rpn: What proposes regions.
        roi_heads: What looks at them.
        stride: Pixels; of the backbone's smallest map that it makes by convolutions.
    """

    def __init__(
        self, backbone: nn.Module, rpn: ProposalNetwork, roi_heads: RegionHeads, *, stride: int
    ) -> None:
        super().__init__(backbone, roi_heads, stride=stride)
        del self.roi_heads  # to be listed after what it comes after, as `freeze_to` counts
        self.rpn, self.roi_heads = rpn, roi_heads

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """Return what finds proposals, and what looks at them."""
        return self.rpn, self.roi_heads

    def propose(
        self, batch: ImageList, maps: Maps, targets: list[Target] | None = None
    ) -> tuple[list[Tensor], Losses]:
        """Return proposals after non-maximum suppression, and the losses where asked for."""
        found: tuple[list[Tensor], Losses] = self.rpn(batch, maps, targets)
        return found

    def propose_at_fixed_cost(self, maps: Maps) -> None:
        """Run the proposal network's layers."""
        head: Any = self.rpn.head
        head(list(maps.values()))

    def score(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Scored:
        """Return what was found, what would be learnt, and how good the proposals were."""
        proposals, _ = self.propose(batch, maps)
        overlapping = overlapping_boxes(proposals, targets)
        detections = self.find(batch, maps, proposals)
        losses, measures = self.learned_by_image(batch, maps, targets)
        return Scored(detections, losses, {**measures, "overlapping_boxes": overlapping})
