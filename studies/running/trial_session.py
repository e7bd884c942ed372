"""From a trial's order to what its trainer is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.ranks import ALONE, Ranks
from models.session import DataSource, EpochReport, Interrupted, TrainingSession
from models.spending import Meter
from studies.running.trial_order import TrialOrder
from studies.spec.clip_checks import clip_shape
from studies.spec.schema import CellSettings


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a trainer tells how it gets on, and asks whether to stop."""

    report: Callable[[EpochReport], None]
    report_effective: Callable[[Mapping[str, Any]], None]
    report_progress: Callable[[int, int, int], None]
    should_stop: Callable[[], bool]


def make_session(
    order: TrialOrder, listener: Listener, *, meter: Meter, ranks: Ranks = ALONE
) -> TrainingSession:
    """Put together what a trainer needs; data are opened when it asks for them."""
    settings = CellSettings.model_validate(order.settings)
    return TrainingSession(
        task=order.task,
        model=settings.model,
        training=settings.training,
        evaluation=settings.evaluation,
        image_size=settings.data.image_size,
        seed=order.seed,
        micro_batch_divisor=order.micro_batch_divisor,
        objective=order.objective,
        maximize=order.maximize,
        scores_test=order.scores_test,
        folder=order.folder,
        earlier_folders=order.earlier_folders,
        data=lambda: _open_data(order, settings, listener, ranks),
        report=listener.report,
        report_effective=listener.report_effective,
        report_progress=listener.report_progress,
        should_stop=listener.should_stop,
        start=order.start,
        clip=clip_shape(settings.data),
        ranks=ranks,
        meter=meter,
    )


def _open_data(
    order: TrialOrder, settings: CellSettings, listener: Listener, ranks: Ranks
) -> DataSource:
    # Imported at use: torch, which a trainer without data never needs.
    import torch

    from data_pipeline.source import open_data

    def report_reading(done: int, samples: int) -> None:
        """Say that the trial moves while its data is decoded for the first time."""
        if listener.should_stop():
            raise Interrupted("asked to stop while decoding; what was decoded is kept")
        listener.report_progress(0, done, samples)

    device = torch.device("cuda", ranks.rank) if torch.cuda.is_available() else torch.device("cpu")
    return open_data(settings.data, order.task, order.seed, device=device, progress=report_reading)
