"""What a study file may say of the trainer `tabulated`, and what its table holds; torch-free."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from models.settings import ModelSettings, TrainingSettings

FOLDER = Path(__file__).with_name("landscapes")
Point = tuple[float, int, str]  # learning rate, batch size, optimizer
SETTINGS = ("learning_rate", "batch_size", "optimizer")  # those that the table is of
# What it makes nothing of: it plays back trainings that held the rest at its usual value.
IDLE = tuple(name for name in TrainingSettings.model_fields if name not in (*SETTINGS, "epochs"))
METRICS = ("val/iou", "val/loss")


class TabulatedSettings(ModelSettings):
    """A trainer that trains nothing: it plays back what recorded trainings scored."""

    name: Literal["tabulated"] = "tabulated"
    landscape: Literal["unet_street_scenes"] = Field(
        "unet_street_scenes",
        description="Recording to play back: learning rate x batch size x optimizer of a small "
        "U-Net on generated street scenes, 27 epochs, seeds 0 and 1.",
    )
    epoch_seconds: float = Field(
        0.0,
        ge=0,
        description="Time an epoch takes, seconds.",
        json_schema_extra={"affects_result": False},
    )


@dataclass(frozen=True, slots=True)
class Landscape:
    """Recorded scores after every epoch."""

    curves: Mapping[tuple[Point, int], tuple[Mapping[str, float], ...]]  # (point, seed) -> epochs

    @property
    def seeds(self) -> int:
        """Count the seeds of every point: 0, 1 and so on."""
        return 1 + max(seed for _, seed in self.curves)

    @property
    def epochs(self) -> int:
        """Epochs of every training."""
        return min(len(curve) for curve in self.curves.values())

    def values(self, setting: str) -> list[float | int | str]:
        """Return what was tried of one of `SETTINGS`, in the table's order."""
        at = SETTINGS.index(setting)
        return list(dict.fromkeys(point[at] for point, _ in self.curves))


@cache
def read_landscape(name: str) -> Landscape:
    """Read a recording by its name."""
    curves: dict[tuple[Point, int], list[dict[str, float]]] = {}
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            point = (
                float(row["training.learning_rate"]),
                int(row["training.batch_size"]),
                row["training.optimizer"],
            )
            scores = {metric: float(row[metric]) for metric in METRICS}
            curves.setdefault((point, int(row["seed"])), []).append(scores)
    return Landscape({key: tuple(curve) for key, curve in curves.items()})


def point_of(training: TrainingSettings) -> Point:
    """Return where settings lie in a table."""
    return (training.learning_rate, training.batch_size, training.optimizer)


def training_fault(settings: TabulatedSettings, training: TrainingSettings) -> str | None:
    """Return what must hold where settings were not recorded: nothing is made up between."""
    landscape = read_landscape(settings.landscape)
    for name in SETTINGS:
        known = landscape.values(name)
        value = getattr(training, name)
        if value not in known:
            choices = ", ".join(str(each) for each in known)
            return f"{name} must be one that was recorded ({choices}), got {value}"
    if not 1 <= training.epochs <= landscape.epochs:
        return f"epochs must be from 1 to the {landscape.epochs} recorded, got {training.epochs}"
    return None


def objective_rule(settings: TabulatedSettings, objective: str) -> str | None:
    """Return what must hold of a metric to choose by."""
    if objective in METRICS:
        return None
    return f"{settings.name} holds {' and '.join(METRICS)}, got {objective}; choose by one of them"


def most_seeds(settings: TabulatedSettings) -> int:
    """Return how many seeds were recorded."""
    return read_landscape(settings.landscape).seeds
