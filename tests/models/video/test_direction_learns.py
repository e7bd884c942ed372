"""Narrow networks learn which way a square moves; single frames cannot tell."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.resolve import resolve
from models.video.catalog import VIDEO_NETWORKS
from models.votes import class_losses, class_probabilities

FRAMES, STEPS = 16, 40
ONE_STREAM = {"width": 0.0625, "grid": 1, "dropout": 0.0}
EXERCISES: Mapping[str, tuple[dict[str, Any], int]] = MappingProxyType(
    {
        "c3d": ({"width": 0.0625, "grid": 1, "dropout": 0.0}, 32),
        "i3d": ({"width": 0.0625, "dropout": 0.0}, 64),
        "r3d_18": ({"width": 0.0625}, 32),
        "mc3_18": ({"width": 0.0625}, 32),
        "r2plus1d_18": ({"width": 0.0625}, 32),
        "early_fusion": (ONE_STREAM, 32),
        "late_fusion": (ONE_STREAM, 32),
        "slow_fusion": (ONE_STREAM, 32),
    }
)


def squares(side: int) -> tuple[Tensor, Tensor]:
    """Return clips (4, 3, t, side, side) in [-1, 1] of squares to the right and left, labels."""
    clips = -torch.ones(4, 3, FRAMES, side, side)
    size = side // 4
    for row in range(2):
        top = row * side // 2 + size // 2
        for frame in range(FRAMES):
            left = frame * (side - size) // (FRAMES - 1)
            clips[row, :, frame, top : top + size, left : left + size] = 1.0
        clips[2 + row] = clips[row].flip(1)
    return clips, torch.tensor([0, 0, 1, 1])


def built(name: str, **settings: Any) -> nn.Module:
    entry = VIDEO_NETWORKS[name]
    torch.manual_seed(0)
    network: nn.Module = resolve(str(entry.builder))(
        entry.settings.model_validate({"name": name, **settings}), 2
    )
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.momentum = 0.5  # running statistics that catch up within so few steps
    return network


def share_right(network: nn.Module, clips: Tensor, labels: Tensor) -> float:
    """Train until every clip is known, or the steps are over."""
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    right = 0.0
    for step in range(STEPS):
        optimizer.zero_grad()
        class_losses(network.train()(clips), labels).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 5 == 4:
            with torch.no_grad():
                decided = class_probabilities(network.eval()(clips)).argmax(dim=1)
            right = float((decided == labels).float().mean())
            if right == 1.0:
                break
    return right


@pytest.mark.parametrize("name", EXERCISES)
def test_network_learns_which_way_a_square_moves(name: str) -> None:
    settings, side = EXERCISES[name]
    assert share_right(built(name, **settings), *squares(side)) == 1.0


def test_single_frames_stay_at_chance() -> None:
    assert share_right(built("single_frame", **ONE_STREAM), *squares(32)) == 0.5
