"""RoIAlign and RoIPool of a map or a pyramid, with the same gradient on every run, also on a GPU.

torchvision's kernels add gradients up in whatever order GPU threads come. Asked for deterministic
algorithms, torchvision replaces RoIAlign's by one that is compiled at run time, which needs a
compiler beside the GPU and samples whole maps, and refuses RoIPool's. But RoIAlign is linear in
the map, and its weights are a product of one factor per axis; so the pooled region is
rows @ map @ columns, and so is its gradient. Matrix products are deterministic. RoIPool picks one
pixel for each value, and torchvision's kernel says which: the values are gathered there, and
gathering has a deterministic gradient.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign  # type: ignore[import-untyped]
from torchvision.ops.poolers import LevelMapper  # type: ignore[import-untyped]

LEVELS = ("0", "1", "2", "3")  # names of the pyramid's maps that regions are taken from
FIRST_LEVEL = 2  # the first map has stride 2**2
SAMPLES = 2  # per axis and bin (He et al. 2017, section 3)
CHUNK = 128  # regions pooled at once; bounds the memory of a product


class RegionPooling(MultiScaleRoIAlign):  # type: ignore[misc]  # torchvision has no types
    """Regions (n, 4) to (n, c, side, side), each from the pyramid level that its size suits.

    Args:
        side: Bins per axis.
        levels: Names of the maps that regions are taken from, each with twice the stride of the
            one before.
        first_level: Logarithm to base 2 of the first one's stride.
        kind: roi_align interpolates, roi_pool takes maxima.
    """

    def __init__(
        self,
        side: int,
        *,
        levels: Sequence[str] = LEVELS,
        first_level: int = FIRST_LEVEL,
        kind: Literal["roi_align", "roi_pool"] = "roi_align",
    ) -> None:
        super().__init__(list(levels), side, SAMPLES)
        # Stated, not inferred from the first images: torchvision takes the wrong power of two
        # where padding enlarges them by more than sqrt(2).
        last = first_level + len(levels) - 1
        self.scales = [2.0**-level for level in range(first_level, last + 1)]
        self.map_levels = LevelMapper(first_level, last)
        self.kind = kind
        self.is_by_products = False

    def forward(
        self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]
    ) -> Tensor:
        """Pool the regions of all images, in order.

        Args:
            x: Name of the level -> (b, c, h, w).
            boxes: b times (n, 4), xyxy, pixels of the network's input.
            image_shapes: Height and width of the images.
        """
        if self.kind == "roi_pool":
            return self._pooled_alone(x, boxes, roi_pool_by_gathering)
        if self.is_by_products:
            return self._pooled_alone(x, boxes, roi_align_by_products)
        pooled: Tensor = super().forward(x, boxes, image_shapes)
        return pooled

    def _pooled_alone(
        self,
        x: dict[str, Tensor],
        boxes: list[Tensor],
        pool: Callable[[Tensor, Tensor, float, int], Tensor],
    ) -> Tensor:
        """Pool the regions of each image and level by themselves."""
        maps, regions = [x[name] for name in self.featmap_names], torch.cat(boxes)
        levels = self.map_levels(boxes)
        images = torch.repeat_interleave(
            torch.arange(len(boxes), device=levels.device),
            torch.tensor([len(each) for each in boxes], device=levels.device),
        )
        result = maps[0].new_zeros(len(regions), maps[0].shape[1], *self.output_size)
        for level, (each, scale) in enumerate(zip(maps, self.scales, strict=True)):
            for image in range(len(boxes)):
                chosen = torch.where((levels == level) & (images == image))[0]
                pieces = [
                    pool(each[image], regions[part], scale, self.output_size[0])
                    for part in torch.split(chosen, CHUNK)
                ]
                result[chosen] = torch.cat(pieces).to(result.dtype)
        return result


def roi_align_by_products(features: Tensor, boxes: Tensor, scale: float, side: int) -> Tensor:
    """Pool regions of one map as `torchvision.ops.roi_align(aligned=False)` does.

    Args:
        features: (c, h, w).
        boxes: (n, 4) xyxy, pixels of the network's input; they get no gradient.
        scale: Pixels of the map per pixel of the input.
        side: Bins per axis.

    Returns:
        (n, c, side, side), of the type of `features`.
    """
    with torch.autocast(features.device.type, enabled=False):
        corners = boxes.detach().float() * scale
        starts, sizes = corners[:, :2], (corners[:, 2:] - corners[:, :2]).clamp(min=1.0)
        columns = _axis_weights(starts[:, 0], sizes[:, 0], side, features.shape[-1])
        rows = _axis_weights(starts[:, 1], sizes[:, 1], side, features.shape[-2])
        merged = torch.einsum("nph,chw->npcw", rows, features.float())
        return torch.einsum("npcw,nqw->ncpq", merged, columns).to(features.dtype)


def _axis_weights(starts: Tensor, sizes: Tensor, bins: int, length: int) -> Tensor:
    """Return (n, bins, length): how much each pixel of an axis counts in each bin."""
    offsets = torch.arange(bins * SAMPLES, device=starts.device).view(bins, SAMPLES)
    offsets = (offsets + 0.5) / SAMPLES  # in bins
    places = starts.view(-1, 1, 1) + (sizes / bins).view(-1, 1, 1) * offsets
    is_inside = (places >= -1.0) & (places <= length)
    pixels = torch.arange(length, device=starts.device)
    distances = (places.clamp(0, length - 1).unsqueeze(-1) - pixels).abs()
    weights = (1 - distances).clamp(min=0) * is_inside.unsqueeze(-1)
    return weights.mean(dim=2)


def roi_pool_by_gathering(features: Tensor, boxes: Tensor, scale: float, side: int) -> Tensor:
    """Pool regions of one map as `torchvision.ops.roi_pool` does.

    Borders are rounded to whole pixels twice, those of the region and those of its bins, and each
    bin is its largest pixel (Girshick 2015, section 2.1); a bin outside the map is 0.

    Args:
        features: (c, h, w).
        boxes: (n, 4) xyxy, pixels of the network's input; they get no gradient.
        scale: Pixels of the map per pixel of the input.
        side: Bins per axis.

    Returns:
        (n, c, side, side), of the type of `features`.
    """
    regions = torch.cat([boxes.new_zeros(len(boxes), 1), boxes], dim=1).detach()
    with torch.no_grad():
        kernel = partial(torch.ops.torchvision.roi_pool, spatial_scale=scale)
        _, pixels = kernel(
            features[None].float(), regions.float(), pooled_height=side, pooled_width=side
        )
    channels = features.shape[0]
    places = pixels.long().transpose(0, 1).reshape(channels, len(boxes) * side**2)
    values: Tensor = features.flatten(1).gather(1, places.clamp(min=0)) * (places >= 0)
    return values.view(channels, len(boxes), side, side).transpose(0, 1)


@contextmanager
def kernels_as_built(poolings: Sequence[RegionPooling], device: torch.device) -> Iterator[None]:
    """Have torchvision use the kernels it comes with, and pool by products where runs differ.

    Their forward passes are deterministic, and of the backward passes only those of RoIAlign and
    RoIPool are not.
    """
    is_asked = torch.are_deterministic_algorithms_enabled()
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    for pooling in poolings:
        pooling.is_by_products = is_asked and device.type == "cuda"
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(is_asked, warn_only=warns_only)
