"""Train a network while its learning rate grows, and note the loss of every step.

Nothing is validated, checkpointed or kept: the weights are of no use afterwards. The optimizer,
the batches and what is done to gradients are those of a training; its schedule and warm-up are
not, as the test has a schedule of its own.
"""

import math
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import numpy as np

from models.memory import out_of_memory_named
from models.optimizers import set_learning_rate
from models.rate_range import Explosion, RateCurve, RateRange, curve_of
from models.session import BatchSource, Diverged, Interrupted, TrainingSession
from models.starting import load_start
from models.stepping import take_step
from models.workbench import Workbench, set_up

Told = Callable[[int, float, float], None]  # steps that are over, the last one's rate and loss


def train_with_growing_rate(
    session: TrainingSession, rate_range: RateRange, told: Told = lambda *_: None
) -> RateCurve:
    """Take one step at each rate, until the loss explodes.

    Args:
        session: Of what is trained; it needs no folder.
        rate_range: The rates.
        told: Is told of every step.

    Raises:
        RateRangeError: There is no such range.
        TrainingEnd: see `models.session`.
        UnusablePrecisionError, CannotRecomputeError, TransferError, PretrainedWeightsError: the
            training cannot start as its settings say.
        ValueError: the training split is empty.
    """
    rates = rate_range.rates()
    with out_of_memory_named():
        bench = set_up(session)
        load_start(bench.model, session, bench.data.class_names)
        bench.network.train()
        source = bench.data.training(session.training.batch_size)
        if len(source) == 0:
            raise ValueError(
                "the training split must hold a batch, got none; check data.limit and data.split"
            )
        source.prepare()
        losses, explosion, exploded = [], Explosion(), False
        windows = _windows(source, session.training.accumulate)
        for step, (rate, window) in enumerate(zip(rates, windows, strict=False), start=1):
            set_learning_rate(bench.optimizer, float(rate))
            try:
                loss = _loss_with_gradients(bench, window)
            except Diverged:  # some tasks look at their losses themselves
                loss = math.inf
            exploded = explosion.follows(loss)
            if math.isfinite(loss):
                losses.append(loss)
                told(step, float(rate), loss)
            if exploded:
                break
            if session.should_stop():
                raise Interrupted(f"asked to stop after step {step} of {rates.size}")
            take_step(bench, session.training)
    found = np.array(losses, dtype=np.float64)
    return curve_of(rates[: found.size], found, steps=rates.size, exploded=exploded)


def _windows(source: BatchSource, accumulate: int) -> Iterator[list[Any]]:
    """Yield the batches of one optimizer step each, epoch after epoch without end."""
    for epoch in count(1):
        batches = iter(source.epoch(epoch))
        while window := list(islice(batches, accumulate)):
            yield window


def _loss_with_gradients(bench: Workbench, window: list[Any]) -> float:
    """Run a step's batches forward and backward; return their mean loss over images."""
    sizes = [bench.task.input_shape(batch)[0] for batch in window]
    total = 0.0
    for batch, size in zip(window, sizes, strict=True):
        result = bench.task.training_step(bench.network, bench.task.to_device(batch, bench.device))
        share = size / sum(sizes)
        bench.fabric.backward(result.loss * share)
        total += float(result.loss.detach()) * share
    return total
