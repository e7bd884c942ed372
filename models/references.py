"""References that a network should beat: they count the training split once, without gradients.

    constant        every pixel has each class's share of the training pixels as its probability,
                    so its label is the most frequent one; of actions and of whole images, every
                    sample has each class's share of the training samples
    otsu            each image's grey values are cut in two at its own Otsu threshold (Otsu 1979),
                    and what is dark and what is bright is decided on the training split
    constant_boxes  every image has the boxes that the training split's objects usually have

They take the way of a network of one epoch through scoring: predictions, pictures and files are
the same. There is nothing to resume, an attempt counts anew. Optimizer, learning rate, epochs,
seed and whatever else a gradient needs have no part in it, and are not reported as effective.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.best_weights import best_name, save_best
from models.catalog import TASKS
from models.effective import describe_clips
from models.loss_settings import SOFTMAX_LOSSES, USUAL_IMAGE_LOSS
from models.reference_boxes import ConstantBoxes, build_constant_boxes, fit_boxes
from models.reference_classes import ConstantClasses, build_constant_classes, fit_shares
from models.reference_networks import (
    SidesNetwork,
    build_constant,
    build_otsu,
    constant_logits,
    fit_sides,
    otsu_logits,
)
from models.resolve import resolve
from models.scoring import NO_TEST_SPLIT, prefixed, require_defined, score_split
from models.session import (
    BatchSource,
    DataSource,
    EpochReport,
    Interrupted,
    TrainingResult,
    TrainingSession,
)
from models.settings import TrainingSettings
from models.tasks.task import Task
from models.workbench import load_weights

EPOCH = 1  # the only one


@dataclass(frozen=True, slots=True)
class Reference:
    """How a reference is built, and settled on the batches of the training split."""

    build: Callable[[Any, int], nn.Module]  # (settings, output channels)
    fit: Callable[[Any, Iterator[Any], TrainingSession, int], None]  # int: labels there are


def _fit_sides(decide: Callable[..., NDArray[np.float64]]) -> Callable[..., None]:
    def fit(
        network: SidesNetwork, batches: Iterator[Any], session: TrainingSession, labels: int
    ) -> None:
        is_softmax = session.training.loss in SOFTMAX_LOSSES
        fit_sides(network, batches, decide=decide, label_count=labels, is_softmax=is_softmax)

    return fit


def _fit_boxes(
    network: ConstantBoxes,
    batches: Iterator[Any],
    session: TrainingSession,  # noqa: ARG001  # all are fitted alike
    labels: int,  # noqa: ARG001
) -> None:
    fit_boxes(network, batches)


def _fit_classes(
    network: ConstantClasses,
    batches: Iterator[Any],
    session: TrainingSession,  # noqa: ARG001  # all are fitted alike
    labels: int,  # noqa: ARG001
) -> None:
    fit_shares(network, batches)


REFERENCES: Mapping[tuple[str, str], Reference] = MappingProxyType(
    {
        ("semantic_segmentation", "constant"): Reference(
            build_constant, _fit_sides(constant_logits)
        ),
        ("semantic_segmentation", "otsu"): Reference(build_otsu, _fit_sides(otsu_logits)),
        ("object_detection", "constant_boxes"): Reference(build_constant_boxes, _fit_boxes),
        **{
            (task, "constant"): Reference(build_constant_classes, _fit_classes)
            for task in ("action_recognition", "image_classification")
        },
    }
)  # (task, model)


@dataclass(frozen=True, slots=True)
class Stand:
    """What scoring needs of a network, as `models.workbench.Workbench` has it."""

    data: DataSource
    task: Task[Any]
    model: nn.Module
    device: torch.device

    @property
    def network(self) -> nn.Module:
        """The same as `model`."""
        return self.model


def train(session: TrainingSession) -> TrainingResult:
    """Count the training split, then score validation, and test where that is asked for.

    Raises:
        Interrupted: asked to stop; the next attempt counts anew.
        ValueError: the objective is not defined on the validation split.
    """
    started = time.perf_counter()
    session = replace(session, training=session.training.model_copy(update={"epochs": EPOCH}))
    stand = _set_up(session)
    source = stand.data.training_images(session.training.batch_size)
    validation = stand.data.validation(session.training.batch_size)
    source.prepare()
    validation.prepare()
    _fit(session, stand, source)
    session.report_effective(_effective(session, stand, source, validation))
    train_metrics = _training_metrics(session, stand, source)
    trained_s = time.perf_counter() - started
    save_best(session.folder, stand.model, EPOCH)
    metrics, files = score_split(session, stand, "val")
    require_defined(f"val/{session.objective.partition('/')[2]}", metrics)
    seconds = time.perf_counter() - started
    steps = len(source)
    session.meter.add(seconds=seconds, epochs=1, steps=steps, images=source.images)
    session.report(
        EpochReport(
            epoch=EPOCH,
            metrics={
                **prefixed("train", train_metrics),
                **metrics,
                "images_per_s": source.images / trained_s,
                "seconds": seconds,
            },
            wall_s=seconds,
            images_seen=source.images,
            finished_at=time.time(),
        )
    )
    if session.scores_test:
        test_metrics, test_files = score_split(session, stand, "test")
        metrics, files = {**metrics, **test_metrics}, {**files, **test_files}
    files = {"weights": best_name(EPOCH), **files}
    return TrainingResult(metrics, EPOCH, EPOCH, train_macs=0.0, files=files)


def score_test(session: TrainingSession, weights: Path) -> TrainingResult:
    """Score what `train` counted on the test split; without one the note says so."""
    stand = _set_up(session)
    if stand.data.test(1) is None:
        return TrainingResult({}, EPOCH, EPOCH, train_macs=0.0, note=NO_TEST_SPLIT)
    load_weights(stand.model, weights)
    metrics, files = score_split(session, stand, "test")
    return TrainingResult(metrics, EPOCH, EPOCH, train_macs=0.0, files=files)


def _set_up(session: TrainingSession) -> Stand:
    data, entry = session.data(), TASKS[session.task]
    names = data.class_names
    training = _without_triplets(session.training)
    task: Task[Any] = resolve(entry.builder)(training, session.evaluation, names)
    task.prepare(data)
    channels = entry.output_channels(training, names)
    network = REFERENCES[session.task, session.model.name].build(session.model, channels)
    return Stand(data, task, network, torch.device("cpu"))


def _without_triplets(training: TrainingSettings) -> TrainingSettings:
    """Return the settings with a loss of each image by itself: a reference embeds nothing."""
    if training.loss != "triplet":
        return training
    return training.model_copy(update={"loss": USUAL_IMAGE_LOSS})


def _batches(session: TrainingSession, stand: Stand, source: BatchSource) -> Iterator[Any]:
    """Yield the batches of a split on the device, telling the coordinator that it moves."""
    for step, batch in enumerate(source.epoch(EPOCH), start=1):
        if session.should_stop():
            raise Interrupted("asked to stop while counting; the next attempt counts anew")
        session.report_progress(EPOCH, step, len(source))
        yield stand.task.to_device(batch, stand.device)


def _fit(session: TrainingSession, stand: Stand, source: BatchSource) -> None:
    labels = len(stand.data.class_names)
    reference = REFERENCES[session.task, session.model.name]
    reference.fit(stand.model, _batches(session, stand, source), session, labels)


def _training_metrics(
    session: TrainingSession, stand: Stand, source: BatchSource
) -> dict[str, float]:
    """Score the training images as a network's epoch does, so that the two stand side by side."""
    sums: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for batch in _batches(session, stand, source):
            found = stand.task.training_step(stand.model, batch).sums
            sums = {name: sums[name] + value if sums else value for name, value in found.items()}
    return stand.task.summarise(sums)


def _effective(
    session: TrainingSession, stand: Stand, source: BatchSource, validation: BatchSource
) -> dict[str, Any]:
    """Return what this runs with; what only a gradient needs is null."""
    return {
        **dict.fromkeys(("optimizer", "learning_rate", "weight_decay", "momentum", "precision")),
        "device": str(stand.device),
        "parameters": 0,
        "macs_per_image": 0.0,
        "classes": list(stand.data.class_names),
        **describe_clips(session),
        "epochs": EPOCH,
        "batch_size": None,
        "image_size": session.image_size,
        "train_images": source.images,
        "val_images": validation.images,
        "steps_per_epoch": len(source),
        "resumed_from_epoch": 0,
        "resumed_from_step": 0,
    }
