"""What a trial process is told; small, picklable, torch-free."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from models.session import StartingWeights
from models.spending import TrainingLimits
from studies.running.prices import Price


@dataclass(frozen=True, slots=True)
class NetworkOrder:
    """A trained network of an assembly."""

    group: str  # its class; "" the single network of all classes
    settings: dict[str, Any]  # nested; what it was trained with, and its threshold
    weights: Path
    applied_to: dict[str, Any]  # nested; whose `data` are all classes, as this network takes them


@dataclass(frozen=True, slots=True)
class AssemblyOrder:
    """One network per class to put together, and the single network beside them."""

    networks: tuple[NetworkOrder, ...]  # in the order of the classes, the single one last
    thresholds: tuple[float, ...]  # to choose from
    choose_on: Literal["val", "test"]
    batch_size: int  # images at once that every network was trained with


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """One attempt at one cell; or a scoring of trained ones."""

    # test: score the best weights on the test split, once; assembly: networks put together
    purpose: Literal["train", "test", "assembly"]
    task: str
    cell: str
    attempt: int
    settings: dict[str, Any]  # nested, see spec.schema.CellSettings
    seed: int
    objective: str  # "val/iou"
    maximize: bool
    scores_test: bool
    folder: Path
    earlier_folders: tuple[Path, ...]  # newest first
    micro_batch_divisor: int
    weights: Path | None  # with purpose "test"
    assembly: AssemblyOrder | None = None  # with purpose "assembly"
    start: StartingWeights | None = None  # with purpose "train": an earlier training's
    awaits_verdict: bool = False  # after each epoch, whether it is pruned
    awaits_last_verdict: bool = False  # also after the last one: a limit may be exceeded
    limits: TrainingLimits = field(default_factory=TrainingLimits)  # over all attempts
    price: Price | None = None  # of a whole device for an hour; None: unknown


@dataclass(frozen=True, slots=True)
class Slot:
    """What one trial at a time may use."""

    number: int
    gpu: str | None  # as in CUDA_VISIBLE_DEVICES, "0" or "0,1"; None: the CPU
    device: str  # for people: "cpu", "cuda:0 NVIDIA H200"
    threads: int
    share: float = 1.0  # of the GPU: workers that have it in common split it
    host: str = ""  # of another machine; "": this one
    processes: int = 1  # that train together, each with a GPU where there is any

    @property
    def gpus(self) -> tuple[str, ...]:
        """Return its GPUs, as CUDA_VISIBLE_DEVICES names them; none on the CPU."""
        return tuple(self.gpu.split(",")) if self.gpu else ()

    @property
    def place(self) -> str:
        """Return where the trial runs, for people: "node-3: cuda:0 NVIDIA H200"."""
        return f"{self.host}: {self.device}" if self.host else self.device
