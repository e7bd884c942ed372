"""What a trainer is given and what it gives back; torch-free.

    trial process ──TrainingSession──► trainer (models.training:train, models.noop:train)
                  ◄──report(epoch)────
                  ◄──TrainingResult───

A trainer resumes from the newest readable checkpoint, reports every finished epoch after the
checkpoint that holds it was written, and asks `should_stop` at least once per step.

Errors a trainer ends with, besides those of bad data and code:

    TrainingEnd
    ├── OutOfMemory   the device's memory did not hold one micro-batch
    ├── Diverged      a loss or gradient is not finite
    └── Interrupted   `should_stop` said so; a checkpoint was written first
        └── Pruned    raised by `report`: others do better; the trainer lets it through
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from models.entries import ClipShape
from models.ranks import ALONE, Ranks
from models.settings import EvaluationSettings, ModelSettings, TrainingSettings
from models.spending import Meter


class TrainingEnd(Exception):  # noqa: N818  # some are no errors
    """Training ended before its last epoch."""


class OutOfMemory(TrainingEnd):
    """The device's memory did not hold one micro-batch."""


class Diverged(TrainingEnd):
    """A loss or gradient is not finite."""


class Interrupted(TrainingEnd):
    """Asked to stop; everything up to here is in a checkpoint."""


class Pruned(Interrupted):
    """Others do better; `report` raises it after the epoch's checkpoint was written."""


def whole(images: int) -> slice:
    """Want every image of a batch."""
    return slice(0, images)


class BatchSource(Protocol):
    """The batches of a split, the same for the same seed and epoch."""

    def __len__(self) -> int:
        """Batches per epoch."""

    @property
    def images(self) -> int:
        """Images per epoch."""

    def prepare(self) -> None:
        """Do once what the first epoch would wait for, such as decoding what is kept.

        It is no training: it counts neither against a time limit nor in what an epoch took.
        """

    def epoch(
        self,
        number: int,
        *,
        first_batch: int = 0,
        end_batch: int | None = None,
        part: Callable[[int], slice] = whole,
    ) -> Iterator[Any]:
        """Yield the batches of an epoch.

        Args:
            number: Of the epoch, 1-based.
            first_batch: Batches to leave out at the start.
            end_batch: The first one to leave out at the end; None: none is.
            part: Images of a batch -> which of them are wanted.
        """


class DataSource(Protocol):
    """The three splits of a cell's data."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in label order."""

    def stored_scale(self, stored_hw: tuple[int, int]) -> tuple[float, float]:
        """Return how many stored pixels, down and across, a pixel of the input stands for."""

    def training(self, batch_size: int) -> BatchSource:
        """Shuffled and augmented."""

    def training_images(self, batch_size: int) -> BatchSource:
        """The training split as it is: in a fixed order and not augmented."""

    def class_counts(self) -> Sequence[int]:
        """Training samples of each class in label order, where a sample has one; decodes none."""

    def validation(self, batch_size: int) -> BatchSource:
        """In a fixed order."""

    def test(self, batch_size: int) -> BatchSource | None:
        """In a fixed order; None where the dataset has no test split."""


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One finished epoch, as a trainer reports it."""

    epoch: int  # 1-based
    metrics: Mapping[str, float]  # train/…, val/…, learning_rate, images_per_s, peak_memory_mb
    wall_s: float  # seconds trained so far, over all attempts
    images_seen: int
    finished_at: float  # unix seconds


@dataclass(frozen=True, slots=True)
class StartingWeights:
    """The weights of an earlier training, for a new one to start from."""

    name: str  # as the study has it in `training.transfer.init_from`
    file: Path  # a state_dict
    sha256: str  # of the file
    class_names: tuple[str, ...] | None  # in label order; None: nobody says


@dataclass(frozen=True, slots=True)
class TrainingSession:
    """One attempt at training one cell."""

    task: str
    model: ModelSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    image_size: int  # pixels, square
    seed: int
    micro_batch_divisor: int  # 1, 2, 4 …: halvings after running out of memory
    objective: str  # "val/iou"
    maximize: bool
    scores_test: bool  # select_on: test
    folder: Path  # of this attempt; exists
    earlier_folders: tuple[Path, ...]  # of earlier attempts, newest first
    data: Callable[[], DataSource]  # opened at first use
    report: Callable[[EpochReport], None]
    report_effective: Callable[[Mapping[str, Any]], None]
    report_progress: Callable[[int, int, int], None]  # epoch, step, steps; cheap
    should_stop: Callable[[], bool]
    start: StartingWeights | None = None  # what `training.transfer.init_from` names
    clip: ClipShape | None = None  # of `data.clip`; None: the data are pictures
    ranks: Ranks = ALONE  # the processes that train it together, seen from this one
    meter: Meter = field(default_factory=Meter)  # counts; its limits reached: score, end complete


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a completed cell is judged by."""

    metrics: Mapping[str, float]  # of the best epoch's weights: val/…, test/… if scored
    best_epoch: int
    epochs: int  # finished
    train_macs: float  # 3 x forward multiply-accumulates of a square image x images seen
    note: str = ""  # "time limit of 60 s reached after epoch 40"; "" when all epochs ran
    files: Mapping[str, str] = field(default_factory=dict)  # role -> name inside the folder:
    # "weights" best weights; the others are the evaluator's, see `models.tasks.task.Evaluator`
