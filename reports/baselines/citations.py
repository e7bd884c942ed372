"""The cited numbers: one CSV per work in this folder, one row per printed number.

Add a baseline: one row (or one CSV with the same columns); its name is known at once. An empty
field means that the source does not say, and so does a file without a column that is of videos
alone (see `Protocol`); notes are separated by " | ".

    BaselineError
    └── UnknownBaselineError    a study names a baseline that no CSV holds
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


class BaselineError(ValueError):
    """A cited number cannot be used."""


class UnknownBaselineError(BaselineError):
    """A study names a baseline that no CSV holds."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        close = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean '{close[0]}'?" if close else "use one of the known names"
        super().__init__(f"unknown baseline '{name}'; {hint} (known: {', '.join(known)})")


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a number was obtained; None where it is not said."""

    task: str
    dataset: str
    class_name: str
    metric: str  # without its split: "iou", "pixel_accuracy", "loss", "hours"
    split: str  # "train", "val", "test"; "" for a cost
    selected_on: str | None = None  # split that chose the weights or settings behind the number
    classes_per_model: int | None = None
    image_size: int | None = None  # side of the square network input, pixels
    batch_size: int | None = None  # images per optimizer step
    learning_rate: float | None = None
    optimizer: str | None = None
    loss: str | None = None
    threshold: float | None = None  # probability from which a pixel counts as found
    epochs: int | None = None
    train_images: int | None = None
    scored_images: int | None = None  # images that the number was computed on
    # Of videos alone; the columns may be left out of a CSV.
    frames: int | None = None  # of a clip
    views: int | None = None  # clips of a video that are scored
    crops: int | None = None  # squares of a clip that are scored
    split_policy: str | None = None  # as `data.split.policy`: given, grouped, random, stratified
    weight_decay: float | None = None
    schedule: str | None = None  # of the learning rate: constant, step, plateau, cosine


@dataclass(frozen=True, slots=True)
class Baseline:
    """One cited number."""

    name: str  # what a study lists: "thesis/table-7", "unet-2015"
    row: str  # the row of the source's table
    system: str
    printed_class: str  # as the source writes it; may differ from the protocol's class
    value: float  # in the metric's unit; shares are fractions, costs are hours
    printed: str  # the value as digits of the source
    protocol: Protocol
    source: str
    notes: tuple[str, ...]  # contradictions of the source that touch this number


def known_names() -> tuple[str, ...]:
    """Every name that a study may list under `baselines`, in the order of the files."""
    return tuple(dict.fromkeys(baseline.name for baseline in _all_baselines()))


def load(names: Sequence[str]) -> tuple[Baseline, ...]:
    """Read the numbers behind some names, in the order of `names`.

    Raises:
        UnknownBaselineError: a name is in no CSV.
    """
    known = known_names()
    for name in names:
        if name not in known:
            raise UnknownBaselineError(name, known)
    return tuple(b for name in names for b in _all_baselines() if b.name == name)


@cache
def _all_baselines() -> tuple[Baseline, ...]:
    return tuple(b for file in sorted(FOLDER.glob("*.csv")) for b in _read(file))


def _read(file: Path) -> tuple[Baseline, ...]:
    with file.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            return tuple(_baseline(row) for row in reader)
        except (KeyError, ValueError) as error:
            raise BaselineError(
                f"{file.name}, line {reader.line_num}: every row needs the columns of thesis.csv "
                f"and numbers where they are numbers, got {error}; correct the row"
            ) from error


def _baseline(row: Mapping[str, str]) -> Baseline:
    return Baseline(
        name=row["baseline"],
        row=row["row"],
        system=row["system"],
        printed_class=row["printed_class"] or row["class_name"],
        value=float(row["value"]),
        printed=row["value"],
        protocol=_protocol(row),
        source=row["source"],
        notes=tuple(note for note in row["note"].split(" | ") if note),
    )


def _protocol(row: Mapping[str, str]) -> Protocol:
    return Protocol(
        task=row["task"],
        dataset=row["dataset"],
        class_name=row["class_name"],
        metric=row["metric"],
        split=row["split"],
        selected_on=row["selected_on"] or None,
        classes_per_model=_whole(row["classes_per_model"]),
        image_size=_whole(row["image_size"]),
        batch_size=_whole(row["batch_size"]),
        learning_rate=_number(row["learning_rate"]),
        optimizer=row["optimizer"] or None,
        loss=row["loss"] or None,
        threshold=_number(row["threshold"]),
        epochs=_whole(row["epochs"]),
        train_images=_whole(row["train_images"]),
        scored_images=_whole(row["scored_images"]),
        frames=_whole(row.get("frames", "")),
        views=_whole(row.get("views", "")),
        crops=_whole(row.get("crops", "")),
        split_policy=row.get("split_policy") or None,
        weight_decay=_number(row.get("weight_decay", "")),
        schedule=row.get("schedule") or None,
    )


def _whole(text: str) -> int | None:
    return int(text) if text else None


def _number(text: str) -> float | None:
    return float(text) if text else None
