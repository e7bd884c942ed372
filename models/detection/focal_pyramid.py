"""What RetinaNet and FCOS share: two small networks on every level of a pyramid, a focal loss.

Each of K classes has a sigmoid of its own, and there is none of a background. torchvision counts
one, which nothing is: its network of "91 classes" has 92 output channels here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import (  # type: ignore[import-untyped]
    AnchorGenerator,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]

from models.class_rows import ClassRows
from models.detection.backbones import load_imagenet
from models.detection.one_stage import SCORES, AnchoredDetector
from models.detection.one_stage_settings import STRIDE, FocalPyramidSettings
from models.losses.focal import sigmoid_focal_terms
from models.pretrained import LoadedWeights, WeightsSource, load_into

STAGES = (2, 3, 4)  # of the ResNet, which levels P3 to P5 are made of
COCO_IDS = 91  # rows of torchvision's detectors: ids from 0, which no object has, to 90
CLASSES = "head.classification_head.cls_logits"  # the layer with outputs by class


class FocalPyramid(AnchoredDetector):
    """A pyramid, and torchvision's heads on its levels.

    Args:
        backbone: Images (b, 3, h, w) to named maps, from the largest on.
        head: "classification_head" and "regression_head", named as in torchvision's networks.
        generator: Of the boxes of a place.
        columns: Numbers of a box, by kind.
        settings: Of the study.
    """

    stride = STRIDE

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.ModuleDict,
        *,
        generator: AnchorGenerator,
        columns: Mapping[str, int],
        settings: FocalPyramidSettings,
    ) -> None:
        super().__init__(columns, settings)
        self.backbone = backbone
        self.head = head
        self.generator = generator
        self.focus = (settings.focal_gamma, settings.focal_alpha)

    @property
    def class_rows(self) -> tuple[ClassRows, ...]:
        """Return where scores of classes are computed."""
        return (ClassRows(CLASSES, repeats=self.generator.num_anchors_per_location()[0]),)

    def anchors(self, batch: ImageList, maps: Sequence[Tensor]) -> Tensor:
        """Return the boxes (n, 4) that places start from."""
        anchors: Tensor = self.generator(batch, maps)[0]
        return anchors

    def focal_loss(self, logits: Tensor, has_object: Tensor, labels: Tensor) -> Tensor:
        """Return the sum over boxes and classes; Lin et al. 2017, eq. 5.

        Args:
            logits: (n, classes).
            has_object: (n,) bool.
            labels: Of the boxes that have one, int64 from 1.
        """
        truth = torch.zeros_like(logits, dtype=torch.bool)
        truth[has_object] = functional.one_hot(labels - 1, self.columns[SCORES]).bool()
        gamma, alpha = self.focus
        return sigmoid_focal_terms(logits, truth, gamma=gamma, alpha=alpha).sum()


def load_pyramid(
    network: FocalPyramid,
    settings: FocalPyramidSettings,
    url: str,
    rename: Callable[[str], str | None],
) -> tuple[LoadedWeights, ...]:
    """Give the backbone weights of ImageNet, or all layers weights of COCO.

    The layer of classes gets them only if it is of as many as COCO has ids.

    Args:
        network: Just built.
        settings: Which say which.
        url: Of torchvision's weights of COCO.
        rename: Name of a weight there to that in torchvision's network of today.

    Raises:
        PretrainedWeightsError: they cannot be had.
        OSError: the disk is full.
    """
    if settings.pretrained == "imagenet":
        return (load_imagenet(network.backbone.get_submodule("body"), settings.backbone),)
    kept = nn.ModuleDict({"backbone": network.backbone})
    scores = network.head["classification_head"]
    layers = nn.ModuleDict({"conv": scores.get_submodule("conv")})
    kept["head"] = nn.ModuleDict(
        {"classification_head": layers, "regression_head": network.head["regression_head"]}
    )
    source, (rows,) = WeightsSource.named_by_hash(url), network.class_rows
    of_classes: Any = scores.get_submodule("cls_logits")
    if of_classes.out_channels == rows.repeats * COCO_IDS:
        layers["cls_logits"] = of_classes
        return (load_into(kept, source, rename=rename),)

    def rename_others(name: str) -> str | None:
        return None if name.startswith(CLASSES) else rename(name)

    return (load_into(kept, source, rename=rename_others),)
