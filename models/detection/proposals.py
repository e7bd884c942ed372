"""Region proposal network (Ren et al. 2015, section 3.1), torchvision's."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder  # type: ignore[import-untyped]
from torchvision.models.detection.rpn import (  # type: ignore[import-untyped]
    AnchorGenerator,
    RegionProposalNetwork,
    RPNHead,
)
from torchvision.ops import box_iou  # type: ignore[import-untyped]

from models.detection.matching import OverlapMatcher
from models.detection.outputs import Target
from models.detection.region_settings import ProposalSettings

OVERLAP = 0.5  # IoU from which a proposal overlaps a true box


class ProposalNetwork(RegionProposalNetwork):  # type: ignore[misc]  # torchvision has no types
    """Maps to proposals; its losses are a mean over the images of a batch.

    torchvision's is a mean over the sampled anchors, of which small images may give fewer.
    Anchors that cross the image's border are trained on, too: a small image has next to no others.
    """

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Return the losses of scores and of boxes.

        Args:
            objectness: (b * anchors, 1) logits.
            pred_bbox_deltas: (b * anchors, 4).
            labels: b times (anchors,): 1 object, 0 background, -1 neither.
            regression_targets: b times (anchors, 4).
        """
        counts, of_one = [len(each) for each in labels], super().compute_loss
        losses = [
            of_one(scores, deltas, [label], [target])
            for scores, deltas, label, target in zip(
                torch.split(objectness, counts),
                torch.split(pred_bbox_deltas, counts),
                labels,
                regression_targets,
                strict=True,
            )
        ]
        scores, boxes = (torch.stack(each).mean() for each in zip(*losses, strict=True))
        return scores, boxes


def proposal_network(
    settings: ProposalSettings,
    channels: int,
    anchor_sizes: Sequence[Sequence[int]],
    *,
    convolutions: int = 1,
) -> ProposalNetwork:
    """Build the network for maps of so many channels.

    Args:
        settings: Of anchors and proposals.
        channels: Of each map.
        anchor_sizes: Of each map, sides in pixels of the network's input.
        convolutions: Of 3x3 before the outputs.
    """
    sizes = tuple(tuple(each) for each in anchor_sizes)
    anchors = AnchorGenerator(sizes, (settings.aspect_ratios,) * len(sizes))
    head = RPNHead(channels, anchors.num_anchors_per_location()[0], conv_depth=convolutions)
    after = {"training": settings.proposals_training, "testing": settings.proposals}
    before = {
        "training": settings.candidates_training or settings.proposals_training,
        "testing": settings.candidates or settings.proposals,
    }
    network = ProposalNetwork(
        anchors,
        head,
        settings.anchor_foreground_iou,
        settings.anchor_background_iou,
        settings.sampled_anchors,
        settings.anchor_foreground_share,
        before,
        after,
        settings.proposal_nms,
        score_thresh=settings.proposal_threshold,
    )
    network.proposal_matcher = OverlapMatcher(
        settings.anchor_foreground_iou,
        settings.anchor_background_iou,
        allow_low_quality_matches=True,
    )
    network.box_coder = BoxCoder(settings.anchor_box_weights)
    return network


def overlapping_boxes(proposals: Sequence[Tensor], targets: Sequence[Target]) -> Tensor:
    """Return the share of each image's proposals that reach IoU 0.5 with a true box.

    What the thesis's Table 6 calls "mean overlapping boxes", in percent, is nowhere defined; the
    code that it follows prints a number of boxes, averaged over images. Its 35.56, 68.89 and
    77.78 % are 16, 31 and 35 of 45, as 3.2, 6.2 and 7.0 boxes divided by the 9 anchors of a place
    would be; that is a guess. A share of the proposals is comparable between image sizes, numbers
    of anchors and of proposals, and is what is taken here.

    Args:
        proposals: b times (n, 4) xyxy, after non-maximum suppression.
        targets: Of the same images.

    Returns:
        (b, 2): the share and 1, or zeros for an image without objects.
    """
    rows: list[Tensor] = []
    for boxes, target in zip(proposals, targets, strict=True):
        share = boxes.new_zeros(2)
        if len(target["boxes"]):
            overlaps = box_iou(boxes, target["boxes"]).amax(dim=1) >= OVERLAP
            share[0], share[1] = overlaps.sum() / max(1, len(boxes)), 1
        rows.append(share)
    return torch.stack(rows)
