"""Which object each box has, by how much they overlap; an object that none overlaps has no box."""

from collections.abc import Callable

from torch import Tensor
from torchvision.models.detection._utils import Matcher  # type: ignore[import-untyped]

NONE = Matcher.BELOW_LOW_THRESHOLD  # a box that has no object


def matched_where_overlapping(match: Callable[[Tensor], Tensor], overlaps: Tensor) -> Tensor:
    """Match boxes to those objects that any of them overlaps.

    torchvision's matchers give an object its best box, however low the IoU is. One that no box
    overlaps, too small or in a corner, would have all boxes whose best IoU with it is 0: each.

    Args:
        match: IoU (objects, boxes) of at least one object to (boxes,), index or below 0.
        overlaps: (objects, boxes) IoU.

    Returns:
        (boxes,) int64: index of an object, or below 0 as `match` says.
    """
    reached = overlaps.amax(dim=1).nonzero()[:, 0]
    if not len(reached):
        return reached.new_full((overlaps.shape[1],), NONE)
    matched = match(overlaps[reached])
    return reached[matched.clamp(min=0)].where(matched >= 0, matched)


class OverlapMatcher(Matcher):  # type: ignore[misc]  # torchvision has no types
    """torchvision's matcher for objects that boxes overlap; the others have none."""

    def __call__(self, match_quality_matrix: Tensor) -> Tensor:
        """Return which object each box has, or below 0; of IoU (objects, boxes)."""
        return matched_where_overlapping(super().__call__, match_quality_matrix)
