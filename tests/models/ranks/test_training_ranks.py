"""Training on several ranks ends as training in one process does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, distributed

from models.process_group import ProcessGroup
from models.segmentation.settings import UNetSettings
from models.session import EpochReport, Interrupted, OutOfMemory, Pruned, TrainingSession
from models.spending import Meter, TrainingLimits
from models.synced_norm import RanksError
from models.training import train

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
TOLERANCE = 1e-5
TIMES = ("seconds", "images_per_s", "peak_memory_mb")
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {"training": {"optimizer": "sgd", "momentum": 0.9, "batch_size": 2, "epochs": 2}},
    "adam": {"training": {"optimizer": "adam", "batch_size": 3, "epochs": 2}},
    "clipped micro-batches": {
        "training": {"batch_size": 4, "accumulate": 2, "clip_gradients": 0.1, "epochs": 2},
        "micro_batch_divisor": 2,
    },
    "fewer images than ranks": {"training": {"batch_size": 1, "epochs": 2}},
    "until no better": {
        "training": {"batch_size": 2, "epochs": 9, "early_stopping_epochs": 1},
        "objective": "val/loss",
    },
    "until a limit": {
        "training": {"batch_size": 2, "epochs": 9},
        "meter": Meter(TrainingLimits(steps=4)),
    },
}
OnRanks = Callable[..., list[Any]]


@dataclass(frozen=True)
class Trained:
    """What a training came to, as another process can be told."""

    metrics: Mapping[str, float]
    note: str
    reports: tuple[EpochReport, ...]
    weights: Mapping[str, Tensor]
    effective: Mapping[str, Any]


def run(cell: Any, session: TrainingSession) -> Trained:
    """Train in this process."""
    result = train(session)
    if session.ranks.rank:
        return Trained({}, "", tuple(cell.reports), {}, {})
    weights = torch.load(session.folder / result.files["weights"], weights_only=True)
    return Trained(
        result.metrics,
        result.note,
        tuple(cell.reports),
        {name: value.numpy() for name, value in weights.items()},
        dict(cell.effective[-1]),
    )


def of_rank(session: TrainingSession, ranks: ProcessGroup) -> TrainingSession:
    """Return a rank's session: only the first one reports, and knows when to stop."""
    if not ranks.rank:
        return replace(session, ranks=ranks)
    return replace(
        session,
        ranks=ranks,
        report=lambda _: None,
        report_effective=lambda _: None,
        should_stop=lambda: False,
    )


def comparable(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in TIMES}


def assert_same_weights(one: Trained, other: Trained) -> None:
    for layer, values in one.weights.items():
        assert values == pytest.approx(other.weights[layer], abs=TOLERANCE), layer


@pytest.mark.parametrize("name", SETTINGS)
def test_weights_and_metrics_are_those_of_one_process(
    attempts: Callable[..., Any], on_ranks: OnRanks, name: str
) -> None:
    alone, shared = attempts(**SETTINGS[name]), attempts(**SETTINGS[name])
    expected = run(alone, alone.session())
    session = shared.session()

    first, second = on_ranks(lambda ranks: run(shared, of_rank(session, ranks)))

    assert first.metrics == pytest.approx(dict(expected.metrics), abs=TOLERANCE)
    assert first.note == expected.note
    for before, after in zip(expected.reports, first.reports, strict=True):
        same = pytest.approx(comparable(before.metrics), abs=TOLERANCE)
        assert comparable(after.metrics) == same
        assert after.images_seen == before.images_seen
    assert_same_weights(first, expected)
    assert first.effective["processes"] == 2
    assert first.effective["batch_shapes"] == expected.effective["batch_shapes"]
    assert second.reports == ()


@pytest.mark.parametrize("poll", [1, 2, 5, 9])  # in an epoch, at its end, while scoring
def test_all_ranks_stop_together_and_other_numbers_go_on(
    attempts: Callable[..., Any], on_ranks: OnRanks, poll: int
) -> None:
    alone, shared = attempts(), attempts()
    expected = run(alone, alone.session())

    stopped = shared.session(stop_at_poll=poll)
    ends = on_ranks(lambda ranks: run(shared, of_rank(stopped, ranks)), 3)
    again = shared.session()
    first, _ = on_ranks(lambda ranks: run(shared, of_rank(again, ranks)))

    assert [type(end) for end in ends] == [Interrupted] * 3
    assert len({str(end) for end in ends}) == 1
    assert_same_weights(first, expected)


def test_all_ranks_are_pruned_together(attempts: Callable[..., Any], on_ranks: OnRanks) -> None:
    def prune(report: EpochReport) -> None:
        raise Pruned(f"others do better than epoch {report.epoch}")

    cell = attempts(report=prune)
    session = cell.session()

    ends = on_ranks(lambda ranks: run(cell, of_rank(session, ranks)))

    assert [str(end) for end in ends] == ["others do better than epoch 1"] * 2
    assert all(isinstance(end, Pruned) for end in ends)


def test_memory_that_one_rank_lacks_ends_all(
    attempts: Callable[..., Any], on_ranks: OnRanks
) -> None:
    cell = attempts()
    session = cell.session()

    def run_out(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def work(ranks: ProcessGroup) -> Trained:
        with pytest.MonkeyPatch.context() as patch:
            if ranks.rank:
                patch.setattr(Tensor, "backward", run_out)
            return run(cell, of_rank(session, ranks))

    ends = on_ranks(work)

    assert [type(end) for end in ends] == [OutOfMemory] * 2


def test_memory_that_one_rank_lacks_keeps_no_normalised_one_waiting(
    attempts: Callable[..., Any], on_ranks: OnRanks
) -> None:
    cell = attempts()
    session = cell.session()

    def run_out(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def meet(*_: Any, **__: Any) -> None:
        distributed.all_reduce(torch.zeros(1))  # as SyncBatchNorm does on GPUs

    def work(ranks: ProcessGroup) -> Trained:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("models.training.is_normalised", lambda _: True)
            patch.setattr(Tensor, "backward", run_out if ranks.rank else meet)
            return run(cell, of_rank(session, ranks))

    first, second = on_ranks(work)

    assert isinstance(first, RuntimeError)
    assert type(second) is OutOfMemory


def test_batch_normalisation_on_the_cpu_is_refused_before_the_first_step(
    attempts: Callable[..., Any], on_ranks: OnRanks
) -> None:
    cell = attempts(model=UNetSettings(base_channels=2, depth=1, batch_norm=True))
    session = cell.session()

    def work(ranks: ProcessGroup) -> str:
        with pytest.raises(RanksError) as caught:
            run(cell, of_rank(session, ranks))
        return str(caught.value)

    said, _ = on_ranks(lambda ranks: work(ranks) if not ranks.rank else None)

    assert "must have no batch normalisation" in said
    assert "got UNet; use one process, or GPUs" in said
