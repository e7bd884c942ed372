"""Optical flow of a clip that is mirrored, turned or scaled: its arrows are too.

Bytes around 128, the byte of no motion, in 127 steps each way. An arrow that gets longer than
that stays at the bound.
"""

import math
from typing import TypeAlias

import torch
from torch import Tensor

from data_pipeline.samples import STEPS, STILL

Vectors: TypeAlias = tuple[tuple[float, float], tuple[float, float]]  # matrix of (right, down)
UNTURNED: Vectors = ((1.0, 0.0), (0.0, 1.0))


def rotation(degrees: float) -> Vectors:
    """Return what turns arrows counterclockwise, as seen with rows counted downwards."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return (cosine, sine), (-sine, cosine)


def stretching(right: float, down: float) -> Vectors:
    """Return what multiplies both parts of arrows; -1 turns a part round."""
    return (right, 0.0), (0.0, down)


def turned_flow(flow: Tensor, vectors: Vectors) -> Tensor:
    """Turn and stretch the arrows of (2, t, h, w) uint8 flow, each where it is."""
    if vectors == UNTURNED:
        return flow
    matrix = torch.tensor(vectors, device=flow.device)
    arrows = torch.tensordot(matrix, flow.float() - STILL, dims=1)
    moved: Tensor = arrows.round_().clamp_(-STEPS, STEPS).add_(STILL).to(torch.uint8)
    return moved
