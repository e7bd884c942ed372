"""What a trial process is told; small, picklable, torch-free."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """One attempt at one cell."""

    purpose: Literal["train", "test"]  # test: score the best weights on the test split, once
    task: str
    cell: str
    attempt: int
    settings: dict[str, Any]  # nested, see spec.schema.CellSettings
    seed: int
    objective: str  # "val/iou"
    maximize: bool
    scores_test: bool
    time_limit_s: float | None  # training time over all attempts
    folder: Path
    earlier_folders: tuple[Path, ...]  # newest first
    micro_batch_divisor: int
    weights: Path | None  # with purpose "test"


@dataclass(frozen=True, slots=True)
class Slot:
    """What one trial at a time may use."""

    number: int
    gpu: str | None  # as in CUDA_VISIBLE_DEVICES; None: the CPU
    device: str  # for people: "cpu", "cuda:0 NVIDIA H200"
    threads: int
