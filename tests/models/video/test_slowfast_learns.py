"""A narrow SlowFast learns generated films by heart, of which only the motion differs."""

import numpy as np
import pytest
import torch
from torch import nn

from data_pipeline.samples import ClipBatch
from data_pipeline.scenes.actions import MOTION_ONLY, film
from data_pipeline.scenes.moments import FilmShape
from models.tasks.actions import ActionTask
from models.video.slowfast import build_slowfast
from models.video.slowfast_settings import SlowFastSettings

FRAMES, SIDE, GROUPS, STEPS = 16, 64, 2, 30


def films() -> ClipBatch:
    """Return films of every action that a frame alone does not show."""
    shape = FilmShape(width=SIDE, height=SIDE, frames=FRAMES, rate=6)
    chosen = [(label, group) for label in range(len(MOTION_ONLY)) for group in range(GROUPS)]
    names = list(MOTION_ONLY)
    clips = [
        np.stack(list(film(names[label], seed=0, group=group, clip=0, shape=shape)))
        for label, group in chosen
    ]
    return ClipBatch(
        tuple(f"{names[label]}-{group}" for label, group in chosen),
        torch.from_numpy(np.stack(clips).transpose(0, 4, 1, 2, 3).copy()),
        torch.tensor([label for label, _ in chosen]),
    )


@pytest.mark.slow
def test_narrow_network_learns_eight_films_by_heart() -> None:
    torch.manual_seed(0)
    batch, task = films(), ActionTask(list(MOTION_ONLY))
    settings = SlowFastSettings(
        depth=14, width=8, beta=0.5, slow_frames=4, slow_stride=4, alpha=4, dropout=0.0
    )
    network = build_slowfast(settings, len(MOTION_ONLY))
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.momentum = 0.5  # running statistics that catch up within so few steps
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    top1 = 0.0
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        task.training_step(network, batch).loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 3 == 0:
            with torch.no_grad():
                _, probabilities = task.decide(network.eval(), batch)
            network.train()
            top1 = float((probabilities.argmax(dim=1) == batch.labels).float().mean())
        if top1 == 1.0:
            break
    assert top1 == 1.0
