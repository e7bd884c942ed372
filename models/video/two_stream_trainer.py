"""Two streams that learn, then the SVM that fuses their scores where the settings ask for it.

    learning   the ordinary loop (`models.training`); epochs are scored by the streams' average
    fitting    one pass over the middle of each training video; the SVM goes into the best weights
    scoring    with it

What is finished is not done again by a later attempt: epochs by their checkpoints, fitting by the
weights' file, which says whether it is fitted, and to how many clips. The time limit is one of
learning.
"""

import logging
import warnings
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]

from models import training
from models.memory import out_of_memory_named
from models.scoring import micro_batch_size, score_splits
from models.session import Interrupted, TrainingResult, TrainingSession
from models.tasks.clips import scaled_clips
from models.video.two_stream import TwoStream, stacked_scores
from models.workbench import Workbench, load_weights, save_weights, set_up

logger = logging.getLogger(__name__)

MOST_ROUNDS = 10_000
SEED = 0  # of the order in which the solver looks at examples
NEVER = -100.0  # margin of a class that no training video is of

Scores = NDArray[np.float64]


def train(session: TrainingSession) -> TrainingResult:
    """Train one cell, from the newest checkpoint of all its attempts on.

    Raises:
        TrainingEnd: see `models.session`.
        ValueError: see `models.training.train`.
    """
    if getattr(session.model, "fusion", None) != "svm":
        return training.train(session)
    tuned = training.train(replace(session, scores_test=False))
    with out_of_memory_named():
        bench = set_up(session)
        network = bench.model
        if not isinstance(network, TwoStream):
            raise TypeError(f"this trainer must be given two streams, got {type(network)}")
        weights = session.folder / tuned.files["weights"]
        load_weights(network, weights)
        # Of weights that did not learn here the SVM is another training's, of other classes maybe.
        if not network.is_fused or not session.training.epochs:
            _fit(session, bench, network)
            save_weights(network, weights)
        # Of this attempt or an earlier one, which may have ended before it could say so.
        macs = bench.macs_per_image * int(network.svm.looked_at)
        metrics, files = score_splits(session, bench)
        return replace(
            tuned,
            metrics=metrics,
            train_macs=tuned.train_macs + macs,
            files={**tuned.files, **files},
        )


def _fit(session: TrainingSession, bench: Workbench, network: TwoStream) -> None:
    """Fit the SVM, and note at how many clips that looked."""
    scores, labels = _training_scores(session, bench, network)
    network.svm.looked_at.fill_(len(labels))
    classes = len(bench.data.class_names)
    if len(np.unique(labels)) < 2:
        logger.warning("the training videos are of one class; the streams are averaged instead")
    else:
        weight, bias = fit_svm(scores, labels, classes=classes, cost=_cost(network))
        network.svm.settle(torch.from_numpy(weight), torch.from_numpy(bias), 1.0)
        logger.info("fitted an SVM to the streams' scores of %d clips", len(labels))


def fit_svm(
    scores: Scores, labels: NDArray[np.int64], *, classes: int, cost: float
) -> tuple[Scores, Scores]:
    """Fit a multi-class linear SVM (Crammer & Singer 2001), as the paper's.

    Args:
        scores: (n, f) features of clips.
        labels: (n,) of at least two classes.
        classes: There are, with or without a clip.
        cost: C.

    Returns:
        Weights (classes, f) and constants (classes,): of the margins of classes.
    """
    svm = LinearSVC(C=cost, multi_class="crammer_singer", max_iter=MOST_ROUNDS, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is logged instead
        svm.fit(scores, labels)
    if svm.n_iter_ >= MOST_ROUNDS:
        logger.warning("the SVM is not at its optimum after %d rounds", MOST_ROUNDS)
    coefficients, constants = svm.coef_, svm.intercept_
    if len(svm.classes_) == 2:  # scikit-learn gives the difference of the two
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        constants = np.concatenate([-constants, constants]) / 2
    weight, bias = np.zeros((classes, scores.shape[1])), np.full(classes, NEVER)
    weight[svm.classes_], bias[svm.classes_] = coefficients, constants
    return weight, bias


def _training_scores(
    session: TrainingSession, bench: Workbench, network: TwoStream
) -> tuple[Scores, NDArray[np.int64]]:
    """Return (n, 2 * classes) stacked scores and (n,) labels of the training videos' middles."""
    source = bench.data.training_images(micro_batch_size(session))
    source.prepare()
    steps, epochs = len(source), session.training.epochs
    scores, labels = [], []
    network.eval()
    with torch.no_grad():
        for step, batch in enumerate(source.epoch(1), start=1):
            if session.should_stop():
                raise Interrupted(
                    "asked to stop while fitting the SVM; the next attempt fits it anew, to the "
                    "same streams"
                )
            session.report_progress(epochs, step, steps)
            moved = bench.task.to_device(batch, bench.device)
            clips = scaled_clips(moved.clips)
            with bench.fabric.autocast():  # of the network alone, not of flow that is computed
                logits = network.stream_logits(clips)
            scores.append(stacked_scores(logits).double().cpu().numpy())
            labels.append(moved.labels.cpu().numpy())
    return np.concatenate(scores), np.concatenate(labels)


def _cost(network: TwoStream) -> float:
    return network.settings.svm_c or 1.0
