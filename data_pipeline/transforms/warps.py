"""Fields of displacements: for every pixel of the new picture, where in the old one it is from."""

import math
from random import Random

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from data_pipeline.transforms.settings import Elastic, LocalWarp


def grid_displacements(
    settings: Elastic, random: Random, size_hw: tuple[int, int], device: torch.device
) -> Tensor:
    """Draw displacements on a coarse grid and interpolate them (Ronneberger et al. 2015, 3.1).

    The outer points of the grid lie on the middles of the outer pixels.

    Returns:
        (1, h, w, 2) float32: right and down, pixels.
    """
    grid = settings.grid
    drawn = [random.gauss(0.0, settings.sigma) for _ in range(2 * grid * grid)]
    coarse = torch.tensor(drawn, dtype=torch.float32, device=device).reshape(1, 2, grid, grid)
    fine = interpolate(coarse, size_hw, mode="bicubic", align_corners=True)
    return fine.permute(0, 2, 3, 1)


def drags(
    settings: LocalWarp, random: Random, size_hw: tuple[int, int], device: torch.device
) -> Tensor:
    """Draw places, and how far each is dragged; a Gaussian takes what is around them along.

    Returns:
        (1, h, w, 2) float32: right and down, pixels.
    """
    height, width = size_hw
    shorter = min(size_hw)
    rows = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    columns = torch.arange(width, device=device, dtype=torch.float32)[None, :]
    field = torch.zeros(1, height, width, 2, device=device)
    for _ in range(settings.points):
        row, column = random.uniform(0, height - 1), random.uniform(0, width - 1)
        length = random.uniform(0, settings.strength * shorter)
        angle = random.uniform(0, 2 * math.pi)
        squares = (rows - row) ** 2 + (columns - column) ** 2
        near = torch.exp(squares / (-2 * (settings.radius * shorter) ** 2))
        field[0, ..., 0] += length * math.cos(angle) * near
        field[0, ..., 1] += length * math.sin(angle) * near
    return field


def normalised(field: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Turn pixels into torchvision's unit, half the width and half the height."""
    height, width = size_hw
    return field * field.new_tensor([2 / width, 2 / height])


def warped_boxes(boxes_xyxy: Tensor, displacement: Tensor) -> tuple[Tensor, Tensor]:
    """Return the boxes around all pixels that come out of each old box, and how many they are.

    torchvision moves the four corners alone, and so loses what bulges between them.

    Args:
        boxes_xyxy: (n, 4) float32 pixels.
        displacement: (1, h, w, 2) as `normalised` gives it.

    Returns:
        (n, 4) float32, zeros where nothing is left, and (n,) float32 square pixels.
    """
    height, width = displacement.shape[1:3]
    rows = torch.arange(height, device=displacement.device) + 0.5
    columns = torch.arange(width, device=displacement.device) + 0.5
    x = columns + displacement[0, ..., 0] * (width / 2)  # (h, w) where each pixel's middle is from
    y = rows[:, None] + displacement[0, ..., 1] * (height / 2)
    x1, y1, x2, y2 = boxes_xyxy[:, :, None, None].unbind(1)  # (n, 1, 1) each
    return mask_boxes((x >= x1) & (x < x2) & (y >= y1) & (y < y2))


def mask_boxes(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the box around each mask, and its pixels.

    Args:
        masks: (n, h, w) bool.

    Returns:
        (n, 4) float32 xyxy, zeros where a mask is empty, and (n,) float32 square pixels.
    """
    x1, x2 = _ends(masks.any(dim=1))
    y1, y2 = _ends(masks.any(dim=2))
    return torch.stack([x1, y1, x2, y2], dim=1), masks.sum(dim=(1, 2)).float()


def _ends(present: Tensor) -> tuple[Tensor, Tensor]:
    """Return where (n, length) rows of bools begin and end; 0 and 0 where there is none."""
    places = torch.arange(present.shape[1], device=present.device, dtype=torch.float32)
    last = torch.where(present, places + 1, 0.0).amax(dim=1)
    first = torch.where(present, places, torch.inf).amin(dim=1)
    return torch.where(last > 0, first, 0.0), last
