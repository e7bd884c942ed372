"""What networks share that say of every place of their maps what is there, in one stage.

    images ──► maps: numbers of every place ──► losses
                                           └──► boxes and scores ──► the best: detections

Every layer makes maps, so that mixed precision covers all of them.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import Matcher  # type: ignore[import-untyped]
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.detector import Detector, Maps, padded
from models.detection.matching import NONE, matched_where_overlapping
from models.detection.one_stage_settings import DetectionLimits
from models.detection.outputs import Detection, Learned, Losses, Target
from models.detection.suppression import Candidates, best_of_all, joined, suppressed

SCORES, BOXES = "scores", "boxes"  # kinds of numbers

Numbers = Mapping[str, Tensor]  # kind -> (boxes, columns) of an image


class OneStageDetector(Detector):
    """A network whose numbers are both what is learnt and what boxes are made of."""

    @property
    def heads(self) -> tuple[nn.Module, ...]:
        """Return nothing: no layer tells losses from detections."""
        return ()

    def learn(self, batch: ImageList, maps: Maps, targets: list[Target]) -> Learned:
        """Return the losses, means over images."""
        rows = self.losses_of_images(batch, maps, targets)
        return Learned({name: torch.stack([r[name] for r in rows]).mean() for name in rows[0]}, {})

    def forward_at_fixed_cost(self, image: Tensor) -> None:
        """Run every layer; what follows them depends on the image and multiplies little.

        Args:
            image: (1, 3, h, w).
        """
        self.maps(padded(list(image), self.stride).tensors)

    @abstractmethod
    def losses_of_images(
        self, batch: ImageList, maps: Maps, targets: list[Target]
    ) -> list[Losses]:
        """Return the losses of every image, each ()."""


class AnchoredDetector(OneStageDetector):
    """A network that starts from given boxes at every place, and has a row of numbers for each.

    Its maps are named "<kind>.<level>" and are (b, boxes of a place * columns, h, w). The losses
    of an image are divided by the boxes that have an object in that image, not in its batch, so
    that they do not depend on the images beside it.

    Args:
        columns: Numbers of a box, by kind.
        limits: Of what is detected.
    """

    def __init__(self, columns: Mapping[str, int], limits: DetectionLimits) -> None:
        super().__init__()
        self.columns = dict(columns)
        self.limits = limits

    @abstractmethod
    def anchors(self, batch: ImageList, maps: Sequence[Tensor]) -> Tensor:
        """Return the boxes that the places of maps (b, …, h, w) start from.

        Returns:
            (boxes, 4) xyxy, pixels of the network's input; level by level, row by row.
        """

    @abstractmethod
    def image_losses(self, numbers: Numbers, anchors: Tensor, target: Target) -> Losses:
        """Return the losses of an image, each ()."""

    @abstractmethod
    def scores(self, numbers: Numbers) -> Tensor:
        """Return (boxes, classes) in [0, 1]."""

    @abstractmethod
    def boxes(self, numbers: Numbers, anchors: Tensor) -> Tensor:
        """Return (boxes, 4) xyxy, pixels of the network's input."""

    def losses_of_images(
        self, batch: ImageList, maps: Maps, targets: list[Target]
    ) -> list[Losses]:
        """Return the losses of every image, each ()."""
        anchors = self.anchors(batch, self._of_kind(maps, SCORES))
        kinds = {kind: torch.cat(self._rows(maps, kind), dim=1) for kind in self.columns}
        return [
            self.image_losses({kind: of[index] for kind, of in kinds.items()}, anchors, target)
            for index, target in enumerate(targets)
        ]

    def detect(self, batch: ImageList, maps: Maps) -> list[Detection]:
        """Return objects."""
        kinds = {kind: self._rows(maps, kind) for kind in self.columns}
        lengths = [rows.shape[1] for rows in kinds[SCORES]]
        anchors = torch.split(self.anchors(batch, self._of_kind(maps, SCORES)), lengths)
        found = []
        for index, size_hw in enumerate(batch.image_sizes):
            levels = [
                {kind: of[level][index] for kind, of in kinds.items()}
                for level in range(len(lengths))
            ]
            found.append(
                suppressed(
                    self.candidates(levels, anchors),
                    size_hw,
                    nms=self.limits.nms,
                    detections=self.limits.detections,
                )
            )
        return found

    def candidates(self, levels: Sequence[Numbers], anchors: Sequence[Tensor]) -> Candidates:
        """Return the best boxes of each level of an image."""
        return joined(
            best_of_all(
                self.boxes(numbers, of_level),
                self.scores(numbers),
                count=self.limits.candidates,
                above=self.limits.score_threshold,
            )
            for numbers, of_level in zip(levels, anchors, strict=True)
        )

    def _of_kind(self, maps: Maps, kind: str) -> list[Tensor]:
        return [each for name, each in maps.items() if name.startswith(f"{kind}.")]

    def _rows(self, maps: Maps, kind: str) -> list[Tensor]:
        """Return (b, h * w * boxes of a place, columns) of each level."""
        return [
            torch.unflatten(each, 1, (-1, self.columns[kind])).permute(0, 3, 4, 1, 2).flatten(1, 3)
            for each in self._of_kind(maps, kind)
        ]


def objects_of(matcher: Matcher, objects: Tensor, anchors: Tensor) -> Tensor:
    """Return which object each box has.

    Args:
        matcher: IoU (objects, boxes) to (boxes,).
        objects: (n, 4) xyxy.
        anchors: (boxes, 4) xyxy.

    Returns:
        (boxes,) int64: index of an object, or below 0 as the matcher says.
    """
    if not len(objects):
        return anchors.new_full((len(anchors),), NONE, dtype=torch.int64)
    return matched_where_overlapping(matcher, box_iou(objects, anchors))
