"""Score weights on a split: metrics, saved predictions and a picture."""

import difflib
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from models.memory import out_of_memory_named
from models.ranks import part_of
from models.session import BatchSource, DataSource, Interrupted, TrainingResult, TrainingSession
from models.tasks.task import Evaluator, Task
from models.workbench import load_weights, set_up

NO_TEST_SPLIT = "the dataset has no test split"


class Scorable(Protocol):
    """What scoring needs: a `Workbench` is one."""

    @property
    def data(self) -> DataSource:
        """The splits."""

    @property
    def task(self) -> Task[Any]:
        """What is scored."""

    @property
    def network(self) -> nn.Module:
        """What predicts."""

    @property
    def device(self) -> torch.device:
        """Where it is."""


def micro_batch_size(session: TrainingSession) -> int:
    """Return the most images that go through the network at once."""
    return -(-session.training.batch_size // session.micro_batch_divisor)


def evaluate(
    bench: Scorable, source: BatchSource, session: TrainingSession, *, epoch: int, is_saved: bool
) -> Evaluator[Any]:
    """Run the network over a split, telling the coordinator that it moves.

    Each rank scores some of the batches; the first one's evaluator then holds them all.

    Args:
        bench: With the network.
        source: The split's batches.
        session: Of the attempt.
        epoch: That is told to the coordinator.
        is_saved: Whether the evaluator's `save` follows.

    Raises:
        Interrupted: asked to stop; nothing was changed, so it can be done again.
        Diverged: the network's outputs are not finite.
    """
    ranks = session.ranks
    evaluator = bench.task.evaluator(is_saved=is_saved)
    own = part_of(len(source), ranks)
    batches = source.epoch(1, first_batch=own.start, end_batch=own.stop)
    bench.network.eval()
    with torch.no_grad():
        for step in range(1, -(-len(source) // ranks.count) + 1):
            if ranks.decided(session.should_stop()):
                raise Interrupted("asked to stop while scoring")
            session.report_progress(epoch, min(len(source), step * ranks.count), len(source))
            with ranks.together():
                for batch in islice(batches, 1):  # a rank may have one less
                    evaluator.update(bench.network, bench.task.to_device(batch, bench.device))
    bench.network.train()
    for state in ranks.gathered(evaluator.state())[1:]:
        evaluator.add(state)
    return evaluator


def require_defined(objective: str, metrics: Mapping[str, float]) -> None:
    """Make sure that a split's images define what is to be compared by.

    Args:
        objective: "val/iou".
        metrics: That are defined, with their split's prefix.

    Raises:
        ValueError: the objective is not among them.
    """
    if objective not in metrics:
        split = objective.partition("/")[0]
        defined = [name for name in metrics if name.startswith(f"{split}/")]
        raise ValueError(
            f"objective {objective} must be defined on the images that are scored, got "
            f"{', '.join(defined)}; check objective.metric and data.classes"
        )


def epoch_objective(session: TrainingSession, known: Sequence[str]) -> str:
    """Return the epoch metric to compare by: always the validation split's.

    Args:
        session: Names the objective.
        known: Metrics of the task, without a split's prefix.

    Raises:
        ValueError: it is none of them.
    """
    name = session.objective.partition("/")[2]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(
            f"objective must be a metric of the task ({', '.join(known)}), "
            f"got {session.objective!r}{meant}"
        )
    return f"val/{name}"


def prefixed(split: str, metrics: dict[str, float]) -> dict[str, float]:
    """Put "val/" or "test/" before each name."""
    return {f"{split}/{name}": value for name, value in metrics.items()}


def score_split(
    session: TrainingSession, bench: Scorable, split: str
) -> tuple[dict[str, float], dict[str, str]]:
    """Score "val" or "test" with the network's weights; return metrics and files by role.

    Of several ranks the first one has them, and the others none.

    Raises:
        ValueError: the dataset has no such split.
    """
    sources = {"val": bench.data.validation, "test": bench.data.test}
    source = sources[split](micro_batch_size(session))
    if source is None:
        raise ValueError(
            "a dataset must have a test split to be scored on it, got none; "
            "give it one in data.split, or select on validation"
        )
    evaluator = evaluate(bench, source, session, epoch=session.training.epochs, is_saved=True)
    if session.ranks.rank:
        return {}, {}
    files = evaluator.save(session.folder, split)
    return prefixed(split, evaluator.compute()), files


def score_splits(
    session: TrainingSession, bench: Scorable
) -> tuple[dict[str, float], dict[str, str]]:
    """Score validation and, where the session asks for it, test; metrics and files by role."""
    metrics, files = score_split(session, bench, "val")
    if session.scores_test:
        test_metrics, test_files = score_split(session, bench, "test")
        metrics, files = {**metrics, **test_metrics}, {**files, **test_files}
    return metrics, files


def score_test(session: TrainingSession, weights: Path) -> TrainingResult:
    """Score saved weights on the test split, once, for a stage's winner.

    Without a test split there are no metrics, and the note says so. `best_epoch` is read off the
    name `best-<epoch>.pt`, 0 where it has another; `train_macs` is 0.
    """
    with out_of_memory_named():
        bench = set_up(session)
        named = re.fullmatch(r"best-(\d+)", weights.stem)
        epoch = int(named[1]) if named else 0
        if bench.data.test(1) is None:
            return TrainingResult({}, epoch, epoch, train_macs=0.0, note=NO_TEST_SPLIT)
        load_weights(bench.model, weights)
        metrics, files = score_split(session, bench, "test")
    return TrainingResult(metrics, epoch, epoch, train_macs=0.0, files=files)
