from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from data_pipeline.samples import SegmentationBatch
from models.segmentation.settings import UNetSettings
from models.session import EpochReport, TrainingSession, whole
from models.settings import EvaluationSettings, ModelSettings, TrainingSettings

pytest.register_assert_rewrite("tests.models.drawn_source")


@pytest.fixture(autouse=True)
def _kernels() -> Iterator[None]:
    """Training asks for deterministic kernels; a reference may have none."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    yield
    torch.use_deterministic_algorithms(before)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the names of the operations that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def operations_of() -> Callable[[Callable[[], object]], set[str]]:
    """Return what names the operations of torch that a function asks for."""

    def named(run: Callable[[], object]) -> set[str]:
        seen = Operations()
        with seen:
            run()
        return seen.names

    return named


@dataclass
class TinySource:
    """Bright squares (class 1) and dark ones (class 2) on noise, some pixels unlabelled."""

    count: int
    size: int
    batch_size: int
    is_training: bool
    seed: int = 0

    @property
    def images(self) -> int:
        return self.count

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def prepare(self) -> None:
        """Everything is made when it is asked for."""

    def epoch(
        self,
        number: int,
        *,
        first_batch: int = 0,
        end_batch: int | None = None,
        part: Callable[[int], slice] = whole,
    ) -> Iterator[SegmentationBatch]:
        generator = np.random.default_rng((self.seed, number if self.is_training else 0))
        order = generator.permutation(self.count) if self.is_training else np.arange(self.count)
        flips = generator.random(self.count) < 0.5
        for start in range(0, self.count, self.batch_size)[first_batch:end_batch]:
            chosen = order[start : start + self.batch_size]
            chosen = chosen[part(len(chosen))]
            pairs = [
                self._image(index, self.is_training and bool(flips[index])) for index in chosen
            ]
            yield SegmentationBatch(
                tuple(f"image-{index}" for index in chosen),
                torch.from_numpy(np.stack([image for image, _ in pairs])),
                torch.from_numpy(np.stack([mask for _, mask in pairs])),
            )

    def _image(self, index: int, is_flipped: bool) -> tuple[Any, Any]:
        generator = np.random.default_rng((self.seed, 1000 * (1 + self.is_training) + index))
        image = generator.integers(110, 146, (3, self.size, self.size), dtype=np.uint8)
        mask = np.zeros((self.size, self.size), dtype=np.uint8)
        for label, value in ((1, 230), (2, 20)):
            side = self.size // 3
            top, left = generator.integers(0, self.size - side, 2)
            image[:, top : top + side, left : left + side] = value
            mask[top : top + side, left : left + side] = label
        mask[0, : 1 + index % 3] = 255
        if is_flipped:
            image, mask = image[:, :, ::-1].copy(), mask[:, ::-1].copy()
        return image, mask


@dataclass
class TinyData:
    count: int = 5
    size: int = 8
    class_names: tuple[str, ...] = ("background", "bright square", "dark square")

    def training(self, batch_size: int) -> TinySource:
        return TinySource(self.count, self.size, batch_size, is_training=True)

    def training_images(self, batch_size: int) -> TinySource:
        return TinySource(self.count, self.size, batch_size, is_training=False)

    def validation(self, batch_size: int) -> TinySource:
        return TinySource(3, self.size, batch_size, is_training=False)

    def test(self, batch_size: int) -> TinySource:
        return TinySource(3, self.size, batch_size, is_training=False, seed=7)


@dataclass
class Attempts:
    """Starts attempts at one cell, each in its own folder, and remembers what they report."""

    root: Path
    model: ModelSettings
    training: TrainingSettings
    data: TinyData
    options: Mapping[str, Any]
    folders: list[Path] = field(default_factory=list)
    reports: list[EpochReport] = field(default_factory=list)
    effective: list[Mapping[str, Any]] = field(default_factory=list)
    polls: int = 0

    def session(
        self,
        *,
        stop_at_poll: int | None = None,
        on_progress: Callable[[int, int, int], None] = lambda *_: None,
        **changes: Any,  # fields of TrainingSession
    ) -> TrainingSession:
        folder = self.root / f"attempt-{len(self.folders) + 1}"
        folder.mkdir(parents=True)
        earlier = tuple(reversed(self.folders))
        self.folders.append(folder)
        self.polls = 0

        def should_stop() -> bool:
            self.polls += 1
            return stop_at_poll is not None and self.polls >= stop_at_poll

        fields: dict[str, Any] = {
            "task": "semantic_segmentation",
            "model": self.model,
            "training": self.training,
            "evaluation": EvaluationSettings(),
            "image_size": self.data.size,
            "seed": 0,
            "micro_batch_divisor": 1,
            "objective": "val/iou",
            "maximize": True,
            "scores_test": False,
            "folder": folder,
            "earlier_folders": earlier,
            "data": lambda: self.data,
            "report": self.reports.append,
            "report_effective": self.effective.append,
            "report_progress": on_progress,
            "should_stop": should_stop,
            **self.options,
            **changes,
        }
        return TrainingSession(**fields)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    torch.set_num_threads(1)  # the networks are so small that threads would only wait


@pytest.fixture
def attempts(tmp_path: Path) -> Callable[..., Attempts]:
    """Make a cell to attempt: `attempts(model=…, training={…}, count=…, size=…, seed=…)`."""
    made: list[Attempts] = []

    def make(
        model: ModelSettings | None = None,
        training: Mapping[str, Any] | None = None,
        data: TinyData | None = None,
        **options: Any,  # fields of TrainingSession
    ) -> Attempts:
        small = UNetSettings(base_channels=2, depth=1)
        settings = {"batch_size": 2, "epochs": 3, "learning_rate": 0.01, **(training or {})}
        made.append(
            Attempts(
                tmp_path / f"cell-{len(made) + 1}",
                model or small,
                TrainingSettings.model_validate(settings),
                data or TinyData(),
                options,
            )
        )
        return made[-1]

    return make


@pytest.fixture
def tiny_data() -> type[TinyData]:
    return TinyData
