"""R-CNN in its three stages: fine-tuning, then SVMs and box regressors, then scores.

    fine-tuning   the ordinary loop (`models.training`): regions as classes or background, by a
                  softmax, which the epochs' scores are of too
    fitting       two passes over the training images; SVMs and regressors go into the weights
                  of the best epoch
    scoring       with these

What is finished is not done again by a later attempt: epochs by their checkpoints, fitting by the
weights' file, which says whether it is fitted, and to how many regions. The time limit is one of
fine-tuning.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from models import training
from models.detection.outputs import Targets
from models.detection.rcnn.examples import first_examples, hard_examples
from models.detection.rcnn.fitting import fit_regressors, fit_svms
from models.detection.rcnn.network import RCNN
from models.detection.rcnn.room import require_room
from models.detection.rcnn.settings import RCNNSettings
from models.memory import out_of_memory_named
from models.scoring import score_splits
from models.session import BatchSource, Interrupted, TrainingResult, TrainingSession
from models.tasks.object_batches import network_images, targets
from models.workbench import Workbench, load_weights, save_weights, set_up

logger = logging.getLogger(__name__)

PASSES = 2  # through the training images, to fit


def train(session: TrainingSession) -> TrainingResult:
    """Train one cell, from the newest checkpoint of all its attempts on.

    Raises:
        TrainingEnd: see `models.session`.
        ValueError: what is fitted does not fit the memory; or see `models.training.train`.
    """
    session = _with_room(session)
    tuned = training.train(replace(session, scores_test=False))
    with out_of_memory_named():
        bench = set_up(session)
        network = bench.model
        if not isinstance(network, RCNN):
            raise TypeError(f"this trainer must be given R-CNN, got {type(network).__name__}")
        weights = session.folder / tuned.files["weights"]
        load_weights(network, weights)
        if not network.svms.is_fitted:
            _fit(session, bench, network)
            save_weights(network, weights)
        # Of this attempt or an earlier one, which may have ended before it could say so.
        looked = int(network.svms.looked_at)
        macs = bench.macs_per_image / network.settings.sampled_regions * looked
        metrics, files = score_splits(session, bench)
        return replace(
            tuned,
            metrics=metrics,
            train_macs=tuned.train_macs + macs,
            files={**tuned.files, **files},
        )


def _with_room(session: TrainingSession) -> TrainingSession:
    """Refuse what the memory does not hold; return the session with its data opened, for all."""
    data = session.data()
    if isinstance(session.model, RCNNSettings):
        images = data.training_images(session.training.batch_size).images
        require_room(session.model, classes=len(data.class_names), images=images)
    return replace(session, data=lambda: data)


def _fit(session: TrainingSession, bench: Workbench, network: RCNN) -> None:
    """Fit SVMs and regressors, and note at how many regions that looked."""
    source = bench.data.training_images(session.training.batch_size)
    source.prepare()
    first_pass, second_pass = (
        _batches(session, bench, source, done=done) for done in range(PASSES)
    )
    network.eval()
    with torch.no_grad(), bench.fabric.autocast():
        first = first_examples(network, first_pass, images=source.images)
        fit_svms(network, first)
        hard = hard_examples(network, second_pass, first)
        fit_svms(network, first, hard)
        fit_regressors(network, first, hard)
    looked = first.regions + hard.regions
    network.svms.looked_at.fill_(looked)
    logger.info(
        "fitted to %d true boxes and %d regions of background, of %d regions looked at",
        sum(len(each) for each in first.objects),
        sum(pool.count for pool in hard.background),
        looked,
    )


def _batches(
    session: TrainingSession, bench: Workbench, source: BatchSource, *, done: int
) -> Iterator[tuple[list[Tensor], Targets]]:
    """Yield the training images on the device, telling the coordinator that it moves."""
    steps, epochs = len(source), session.training.epochs
    for step, batch in enumerate(source.epoch(1), start=1):
        if session.should_stop():
            raise Interrupted(
                "asked to stop while fitting SVMs; the next attempt fits them anew, to the same "
                "fine-tuned network"
            )
        session.report_progress(epochs, done * steps + step, PASSES * steps)
        moved = bench.task.to_device(batch, bench.device)
        yield network_images(moved), targets(moved)
