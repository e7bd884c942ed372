"""What is done once before training is not training."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from models.spending import Meter, TrainingLimits
from models.training import train


def test_preparing_the_data_counts_as_no_training(
    attempts: Callable[..., Any], tiny_data: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr("models.progress.time", clock)

    class Slow(tiny_data):  # type: ignore[misc,valid-type]
        def training(self, batch_size: int) -> Any:
            return slow(super().training(batch_size))

        def validation(self, batch_size: int) -> Any:
            return slow(super().validation(batch_size))

    def slow(source: Any) -> Any:
        def prepare() -> None:
            now[0] += 1000

        source.prepare = prepare
        return source

    cell = attempts(data=Slow())
    train(cell.session(meter=Meter(TrainingLimits(seconds=500.0))))
    assert now == [2000.0]
    assert {report.wall_s for report in cell.reports} == {0.0}
