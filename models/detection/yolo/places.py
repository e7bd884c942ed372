"""Where YOLOv2 and v3 predict boxes: at each cell of each map, one for each prior."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou  # type: ignore[import-untyped]

# As in torchvision's box coders: an untrained network would otherwise predict infinite boxes.
MOST_LOG_SIZE = 4.135  # log(1000 / 16): a box is at most so many times its prior


@dataclass(frozen=True, slots=True)
class PriorMap:
    """A map, and the priors of its cells."""

    stride: int  # pixels of the image for each cell
    priors_wh: tuple[tuple[float, float], ...]  # pixels of the image


@dataclass(frozen=True, slots=True)
class Places:
    """All boxes that a network predicts, in its own order: map, prior, row, column.

    That is the order of a map (b, priors x numbers, h, w) as (b, priors x h x w, numbers).
    """

    cells_xy: Tensor  # (n, 2) column and row
    strides: Tensor  # (n, 1) pixels
    priors_wh: Tensor  # (n, 2) pixels
    maps: tuple[PriorMap, ...]
    sizes_hw: tuple[tuple[int, int], ...]  # of the maps, cells

    @classmethod
    def of(
        cls, maps: Sequence[PriorMap], sizes_hw: Sequence[tuple[int, int]], device: torch.device
    ) -> "Places":
        """Lay out the places of maps of given sizes."""
        cells, strides, priors = [], [], []
        for each, (height, width) in zip(maps, sizes_hw, strict=True):
            wh = torch.tensor(each.priors_wh, dtype=torch.float32, device=device)
            rows, columns = torch.meshgrid(
                torch.arange(height, device=device),
                torch.arange(width, device=device),
                indexing="ij",
            )
            cells.append(torch.stack((columns, rows), dim=-1).reshape(-1, 2).repeat(len(wh), 1))
            priors.append(wh.repeat_interleave(height * width, dim=0))
            strides.append(torch.full((len(priors[-1]), 1), float(each.stride), device=device))
        return cls(
            torch.cat(cells).float(),
            torch.cat(strides),
            torch.cat(priors),
            tuple(maps),
            tuple(sizes_hw),
        )

    def decoded(self, numbers: Tensor) -> Tensor:
        """Return the boxes that a network means.

        b_x = sigmoid(t_x) + c_x in cells, b_w = p_w exp(t_w) (Redmon & Farhadi 2017, section 2,
        "direct location prediction").

        Args:
            numbers: (n, 4) t_x, t_y, t_w, t_h of every place.

        Returns:
            (n, 4) xyxy, pixels.
        """
        centres = (numbers[:, :2].sigmoid() + self.cells_xy) * self.strides
        halves = self.priors_wh * numbers[:, 2:].clamp(max=MOST_LOG_SIZE).exp() / 2
        return torch.cat((centres - halves, centres + halves), dim=1)

    def encoded(self, boxes: Tensor, chosen: Tensor) -> Tensor:
        """Return what a network should predict: sigmoid(t_x), sigmoid(t_y), t_w and t_h.

        Args:
            boxes: (m, 4) xyxy, pixels.
            chosen: (m,) place of each, as `assigned` returns it.
        """
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2 / self.strides[chosen]
        offsets = (centres - self.cells_xy[chosen]).clamp(0, 1)
        sizes = ((boxes[:, 2:] - boxes[:, :2]) / self.priors_wh[chosen]).log()
        return torch.cat((offsets, sizes), dim=1)

    def assigned(self, boxes: Tensor) -> Tensor:
        """Return the place of each object: its centre's cell, and the prior most like its box.

        Like by IoU, both centred on one point; among all maps, so that an object has one place
        (Redmon & Farhadi 2018, section 2.1).

        Args:
            boxes: (m, 4) xyxy, pixels, with an area.

        Returns:
            (m,) int64 places; two objects may have the same.
        """
        wh = boxes[:, 2:] - boxes[:, :2]
        all_priors = torch.cat([wh.new_tensor(each.priors_wh) for each in self.maps])
        best = box_iou(_centred(wh), _centred(all_priors)).argmax(dim=1)
        firsts, heights, widths, strides = self._by_prior(boxes.device)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        cells = (centres / strides[best, None]).long()
        columns = cells[:, 0].clamp(max=widths[best] - 1)
        rows = cells[:, 1].clamp(max=heights[best] - 1)
        return firsts[best] + rows * widths[best] + columns

    def _by_prior(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return of every prior its first place, its map's height and width, and its stride."""
        rows: list[tuple[int, int, int, int]] = []
        first = 0
        for each, (height, width) in zip(self.maps, self.sizes_hw, strict=True):
            for _ in each.priors_wh:
                rows.append((first, height, width, each.stride))
                first += height * width
        columns = torch.tensor(rows, device=device).T
        return columns[0], columns[1], columns[2], columns[3]


def last_of_each(places: Tensor) -> Tensor:
    """Return (m,) bool: whether no later object has the same place.

    Where two have, Darknet learns the box of the later one.
    """
    later = torch.ones(len(places), len(places), device=places.device).triu(1).bool()
    return ~((places[:, None] == places) & later).any(dim=1)


def best_overlap(boxes: Tensor, objects: Tensor) -> Tensor:
    """Return (n,) IoU of each box with the object that it overlaps most; 0 without objects."""
    if not len(objects):
        return boxes.new_zeros(len(boxes))
    overlaps: Tensor = box_iou(boxes, objects)
    return overlaps.amax(dim=1)


def _centred(wh: Tensor) -> Tensor:
    return torch.cat((-wh / 2, wh / 2), dim=1)
