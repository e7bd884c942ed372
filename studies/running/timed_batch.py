"""Time one training step of a study's base settings: `python -m studies.running.timed_batch`.

A process of its own, so that `visionstudy plan` itself stays light and the memory is given back.
Reads an order as JSON from stdin, prints the measurement as JSON.
"""

import json
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from data_pipeline.loading.decoding_processes import own_cores
from data_pipeline.loading.loaders import EpochLoader
from data_pipeline.samples import Batch
from data_pipeline.settings import DataSettings
from data_pipeline.source import DataSource, open_data
from data_pipeline.video.looping import frame_counts
from models.entries import ClipShape
from models.session import TrainingSession
from models.workbench import Workbench, set_up
from studies.spec.clip_checks import clip_shape
from studies.spec.schema import CellSettings


def measure(task: str, settings: CellSettings) -> dict[str, Any]:
    """Run two training steps of the base settings and time the second, and what it is given."""
    # For one batch nothing is worth keeping, nor examining what else there is.
    wanted = settings.data.model_copy(update={"cache": "off", "workers": 0})
    data = open_data(wanted, task, 0, examines=False)
    train, val = data.training(settings.training.batch_size), data.validation(1)
    clip = clip_shape(settings.data)
    bench = set_up(probe_session(task, settings, data))
    fetched, fetch_s = _fetched(train)
    seconds, images = _step_s(bench, bench.task.to_device(fetched, bench.device))
    weights = sum(each.numel() * each.element_size() for each in bench.model.state_dict().values())
    state = sum(
        each.numel() * each.element_size()
        for slot in bench.optimizer.state.values()
        for each in slot.values()
        if isinstance(each, torch.Tensor)
    )
    return {
        "device": str(bench.device),
        "seconds": seconds,
        "images": images,
        "image_size": settings.data.image_size,
        "train_images": train.images,
        "val_images": val.images,
        "weights_bytes": weights,
        "checkpoint_bytes": weights + state,
        "fetch_s": fetch_s / images,
        "keep_s": fetch_s / images * _clips_long(data, clip),
        "loaders": _loaders(settings.data),
        **({} if clip is None else {"frames": clip.frames, "scored": clip.scored}),
    }


def probe_session(task: str, settings: CellSettings, data: DataSource) -> TrainingSession:
    """Return a session that trains nothing: of what is tried before a launch."""
    return TrainingSession(
        task=task,
        model=settings.model,
        training=settings.training,
        evaluation=settings.evaluation,
        image_size=settings.data.image_size,
        seed=0,
        micro_batch_divisor=1,
        objective="val/loss",
        maximize=False,
        scores_test=False,
        folder=Path(),
        earlier_folders=(),
        data=lambda: data,
        report=lambda _: None,
        report_effective=lambda _: None,
        report_progress=lambda *_: None,
        should_stop=lambda: False,
        clip=clip_shape(settings.data),
    )


def _fetched(train: EpochLoader) -> tuple[Batch, float]:
    """Return a batch, and the seconds to decode and change it."""
    train.seen(1, 0)  # the first sample loads libraries, and RAFT its weights
    started = time.perf_counter()
    batch = next(iter(train.epoch(1)))
    return batch, time.perf_counter() - started


def _step_s(bench: Workbench, batch: Any) -> tuple[float, int]:  # noqa: ANN401  # of the task
    """Return the seconds of a training step, and its images."""
    seconds, images = 0.0, 0
    for _ in range(2):  # the first one allocates
        started = time.perf_counter()
        result = bench.task.training_step(bench.network, batch)
        bench.fabric.backward(result.loss)
        bench.stepper.step()
        bench.stepper.zero_grad()
        if bench.device.type == "cuda":
            torch.cuda.synchronize()
        seconds, images = time.perf_counter() - started, result.images
    return seconds, images


def _clips_long(data: DataSource, clip: ClipShape | None) -> float:
    """Return how many clips' frames a whole video has, of which the cache keeps all; 1: pictures.

    Those of a shorter video are decoded once for each place they have in the clip, not fewer.
    """
    counts = frame_counts(data.dataset("train").items) if clip is not None else ()
    return 1.0 if clip is None or not counts else fmean(counts) / clip.frames


def _loaders(data: DataSettings) -> int:
    """Return how many processes decode side by side."""
    return own_cores() if data.workers == "auto" else max(1, data.workers)


def main() -> None:
    """Read the order, measure, print."""
    order = json.load(sys.stdin)
    measurement = measure(order["task"], CellSettings.model_validate(order["settings"]))
    sys.stdout.write(json.dumps(measurement) + "\n")


if __name__ == "__main__":
    main()
