"""Run a learning-rate range test on one configuration of a study: no trial, and in no ledger."""

import sys
from dataclasses import asdict, replace
from typing import Any

import torch

from data_pipeline.source import open_data
from models.catalog import MODELS
from models.entries import TRAINING_LOOP
from models.growing_rate import Told, train_with_growing_rate
from models.rate_range import RateCurve, RateRange, suggested_rates
from reports.notation import value_text
from reports.rate_record import RateRecord, SuggestedRecord
from studies.running.preview_choice import Choice
from studies.running.starting import Starts
from studies.running.timed_batch import probe_session
from studies.spec.schema import CellSettings, StudySpec

# Other settings of `training` that the curve depends on, where they are not at their default.
ALSO_TOLD = ("accumulate", "loss", "weight_decay", "clip_gradients", "precision", "transfer")


class UntestableError(ValueError):
    """A configuration that is not trained step by step at a learning rate."""


def rate_record(
    spec: StudySpec,
    choice: Choice,
    rate_range: RateRange,
    *,
    starts: Starts,
    seed: int,
    told: Told = lambda *_: None,
) -> RateRecord:
    """Train a configuration while its rate grows, and read what that shows.

    Args:
        spec: The study.
        choice: Which of its configurations.
        rate_range: The rates.
        starts: Finds what the training starts from.
        seed: Of weights and batches.
        told: Is told of every step.

    Raises:
        UntestableError: The model has no gradient descent of ours.
        RateRangeError: There is no such range.
        UnusableStartError: What it starts from is not there.
        DataError: The data is not there, or has no training image of the classes.
        Others: see `models.growing_rate.train_with_growing_rate`.
    """
    settings = choice.settings
    _require_testable(settings)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    start = starts.find(settings)
    data = open_data(settings.data, spec.task, seed, device=device)
    session = replace(probe_session(spec.task, settings, data), start=start, seed=seed)
    curve = train_with_growing_rate(session, rate_range, told)
    return RateRecord(
        study=spec.study,
        task=spec.task,
        configuration=choice.words,
        settings=_in_words(settings, device=str(device), seed=seed),
        rates=tuple(curve.rates.tolist()),
        losses=tuple(curve.losses.tolist()),
        smoothed=tuple(curve.smoothed.tolist()),
        window=curve.window,
        steps=curve.steps,
        has_exploded=curve.has_exploded,
        suggested=_suggested(curve),
    )


def _require_testable(settings: CellSettings) -> None:
    entry = MODELS[settings.model.name]
    if entry.builder is None or entry.trainer != TRAINING_LOOP:
        raise UntestableError(
            f"a range test needs a network that learns step by step at a learning rate; model "
            f"'{settings.model.name}' is trained in its own way; name another by --set model=…"
        )


def _suggested(curve: RateCurve) -> SuggestedRecord | None:
    found = suggested_rates(curve)
    if found is None:
        return None
    return SuggestedRecord(low=found.low, high=found.high, **asdict(found))


def _in_words(settings: CellSettings, *, device: str, seed: int) -> tuple[tuple[str, str], ...]:
    training = settings.training
    rows: list[tuple[str, Any]] = [
        ("model", settings.model.model_dump(mode="json")),
        ("data", settings.data.dataset),
        ("image size", f"{settings.data.image_size} pixels"),
        ("optimizer", training.optimizer),
        *((name.replace("_", " "), value) for name, value in training.rule_parameters().items()),
        ("batch size", training.batch_size),
    ]
    usual = type(training)()
    dumped = training.model_dump(mode="json")
    rows += [
        (name.replace("_", " "), dumped[name])
        for name in ALSO_TOLD
        if getattr(training, name) != getattr(usual, name)
    ]
    version = f"torch {torch.__version__}, Python {sys.version.split()[0]}"
    rows += [("seed", seed), ("device", device), ("versions", version)]
    return tuple((name, value_text(value)) for name, value in rows)
