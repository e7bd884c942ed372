"""What sources of drawn samples have in common, and what every training of them must hold to."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pytest
import torch

from models.session import Interrupted, whole
from models.training import train

TIMES = {"images_per_s", "seconds", "peak_memory_mb"}
Batch = TypeVar("Batch")


@dataclass
class DrawnSource(ABC, Generic[Batch]):
    """Samples that are drawn when they are asked for; in training, in another order each epoch."""

    count: int
    batch_size: int
    is_training: bool

    @abstractmethod
    def batch(self, chosen: Sequence[int]) -> Batch:
        """Draw the samples of these numbers."""

    @property
    def images(self) -> int:
        return self.count

    def __len__(self) -> int:
        return -(-self.images // self.batch_size)

    def prepare(self) -> None:
        """Everything is made when it is asked for."""

    def epoch(
        self,
        number: int,
        *,
        first_batch: int = 0,
        end_batch: int | None = None,
        part: Callable[[int], slice] = whole,
    ) -> Iterator[Batch]:
        random = np.random.default_rng(number)
        order = random.permutation(self.images) if self.is_training else np.arange(self.images)
        for start in range(0, self.images, self.batch_size)[first_batch:end_batch]:
            drawn = order[start : start + self.batch_size].tolist()
            yield self.batch(drawn[part(len(drawn))])


def history(made: Any) -> dict[int, dict[str, float]]:
    """Return what the attempts at a cell reported of each epoch, but for times."""
    return {
        report.epoch: {name: v for name, v in report.metrics.items() if name not in TIMES}
        for report in made.reports
    }


def stopped_anywhere_ends_bit_identical(
    whole_cell: Any, stopped: Any, *, moments: Sequence[int] = (1, 4)
) -> None:
    """Train one of two equal cells at once, the other in several attempts, and compare.

    Args:
        whole_cell: Trained at once.
        stopped: Stopped at each of the moments, then trained to its end.
        moments: Polls at which it is stopped: in an epoch, and while validating.
    """
    expected = train(whole_cell.session())
    for moment in moments:
        with pytest.raises(Interrupted):
            train(stopped.session(stop_at_poll=moment))
    result = train(stopped.session())
    assert stopped.effective[1]["resumed_from_step"] > 0
    assert history(stopped) == history(whole_cell)
    assert result.metrics == expected.metrics
    ours, theirs = (
        torch.load(made.folders[-1] / each.files["weights"])
        for made, each in ((stopped, result), (whole_cell, expected))
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
