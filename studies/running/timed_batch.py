"""Time one training step of a study's base settings: `python -m studies.running.timed_batch`.

A process of its own, so that `visionstudy plan` itself stays light and the memory is given back.
Reads an order as JSON from stdin, prints the measurement as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from data_pipeline.source import open_data
from models.session import TrainingSession
from models.workbench import set_up
from studies.spec.clip_checks import clip_shape
from studies.spec.schema import CellSettings


def measure(task: str, settings: CellSettings) -> dict[str, Any]:
    """Run two training steps of the base settings and time the second."""
    # For one batch nothing is worth keeping, nor examining what else there is.
    wanted = settings.data.model_copy(update={"cache": "off", "workers": 0})
    data = open_data(wanted, task, 0, examines=False)
    train, val = data.training(settings.training.batch_size), data.validation(1)
    clip = clip_shape(settings.data)
    session = TrainingSession(
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
        time_limit_s=None,
        folder=Path(),
        earlier_folders=(),
        data=lambda: data,
        report=lambda _: None,
        report_effective=lambda _: None,
        report_progress=lambda *_: None,
        should_stop=lambda: False,
        clip=clip,
    )
    bench = set_up(session)
    batch = bench.task.to_device(next(iter(train.epoch(1))), bench.device)
    seconds = 0.0
    for _ in range(2):  # the first one allocates
        started = time.perf_counter()
        result = bench.task.training_step(bench.network, batch)
        bench.fabric.backward(result.loss)
        bench.stepper.step()
        bench.stepper.zero_grad()
        if bench.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
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
        "images": result.images,
        "image_size": settings.data.image_size,
        "train_images": train.images,
        "val_images": val.images,
        "weights_bytes": weights,
        "checkpoint_bytes": weights + state,
        **({} if clip is None else {"frames": clip.frames, "scored": clip.scored}),
    }


def main() -> None:
    """Read the order, measure, print."""
    order = json.load(sys.stdin)
    measurement = measure(order["task"], CellSettings.model_validate(order["settings"]))
    sys.stdout.write(json.dumps(measurement) + "\n")


if __name__ == "__main__":
    main()
