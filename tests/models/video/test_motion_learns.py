"""Narrow networks that see motion learn generated films by heart, of which only motion differs."""

import numpy as np
import torch
from torch import Tensor, nn

from data_pipeline.datasets.settings.flow import Flow
from data_pipeline.samples import ClipBatch
from data_pipeline.scenes.actions import MOTION_ONLY, film
from data_pipeline.scenes.moments import FilmShape
from data_pipeline.video.flow import ClipFlow
from models.tasks.actions import ActionTask
from models.video.lrcn import build_lrcn
from models.video.lrcn_settings import LRCNSettings
from models.video.two_stream import build_two_stream
from models.video.two_stream_fusion import build_two_stream_fusion
from models.video.two_stream_settings import TwoStreamFusionSettings, TwoStreamSettings

SIDE, FRAMES, STEPS = 64, 6, 60


def films() -> ClipBatch:
    """Return a film of every action that a frame alone does not show, with its flow."""
    shape = FilmShape(width=SIDE, height=SIDE, frames=FRAMES, rate=6)
    flow, indices = ClipFlow(Flow(), 1), np.arange(FRAMES)
    drawn = (
        np.stack(list(film(name, seed=0, group=0, clip=0, shape=shape))) for name in MOTION_ONLY
    )
    clips = [flow.closed(flow.of_clip(frames, indices), indices) for frames in drawn]
    return ClipBatch(
        tuple(MOTION_ONLY),
        torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3),
        torch.arange(len(MOTION_ONLY)),
    )


def top1(network: nn.Module, batch: ClipBatch) -> float:
    """Train until every film is known, or the steps are over; return the share that is right."""
    task = ActionTask(list(MOTION_ONLY))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    right = Tensor()
    for step in range(STEPS):
        optimizer.zero_grad()
        task.training_step(network.train(), batch).loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 5 == 4:
            with torch.no_grad():
                _, probabilities = task.decide(network.eval(), batch)
            right = (probabilities.argmax(dim=1) == batch.labels).float()
            if right.all():
                break
    return float(right.mean())


def test_two_streams_learn_films_by_heart() -> None:
    torch.manual_seed(0)
    settings = TwoStreamSettings(width=0.05, flow_frames=5, dropout=0.0)
    assert top1(build_two_stream(settings, len(MOTION_ONLY)), films()) == 1.0


def test_fused_streams_learn_films_by_heart() -> None:
    torch.manual_seed(0)
    settings = TwoStreamFusionSettings(
        width=0.06, chunks=2, chunk_stride=2, flow_frames=3, dropout=0.0
    )
    network = build_two_stream_fusion(settings, len(MOTION_ONLY))
    assert top1(network, films()) == 1.0


def test_lrcn_learns_films_by_heart() -> None:
    torch.manual_seed(0)
    settings = LRCNSettings(input="both", rgb_units=32, flow_units=32, width=0.05, dropout=0.0)
    assert top1(build_lrcn(settings, len(MOTION_ONLY)), films()) == 1.0
