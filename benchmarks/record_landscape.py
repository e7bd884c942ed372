"""Record what a grid of small U-Nets scores after every epoch, for searches to be tried on.

    python benchmarks/record_landscape.py [--csv FILE]

Trains every combination of learning rate, batch size and optimizer with two seeds on generated
street scenes, which need no download: 144 trainings of 27 epochs, about 12 minutes of one core.
A file that is there is gone on with, so an interrupted recording loses one training at most. The
model `tabulated` plays the file back; `benchmarks/search.py` compares searches on it.
"""

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import torch

from data_pipeline.catalog import prepare_data
from data_pipeline.datasets.settings.generated import StreetScenesData
from data_pipeline.source import open_data
from models.segmentation.settings import UNetSettings
from models.session import EpochReport, TrainingSession
from models.settings import EvaluationSettings, TrainingSettings
from models.training import train

FILE = Path("models/landscapes/unet_street_scenes.csv")
EPOCHS = 27  # 3 cubed: Hyperband's rungs are at 1, 3, 9 and 27
LEARNING_RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
BATCH_SIZES = (2, 4, 8, 16)
OPTIMIZERS = ("adam", "rmsprop", "sgd")
SEEDS = (0, 1)
HEADER = (
    "training.learning_rate",
    "training.batch_size",
    "training.optimizer",
    "seed",
    "epoch",
    "val/iou",
    "val/loss",
)
Point = tuple[float, int, str, int]  # learning rate, batch size, optimizer, seed


def main() -> int:
    """Record what is not in the file yet."""
    parser = argparse.ArgumentParser(description="Record the landscape of a small U-Net.")
    parser.add_argument("--csv", type=Path, default=FILE, help=f"file to write; {FILE}")
    file: Path = parser.parse_args().csv
    torch.set_num_threads(1)
    rows = _complete_rows(file)
    known = {(float(r[0]), int(r[1]), r[2], int(r[3])) for r in rows}
    points = list(product(LEARNING_RATES, BATCH_SIZES, OPTIMIZERS, SEEDS))
    with tempfile.TemporaryDirectory() as folder:
        data = _data(Path(folder))
        for number, point in enumerate(points, start=1):
            if point not in known:
                rows += _record(data, point)
                _write(file, rows)
                sys.stdout.write(f"{number}/{len(points)} {point} {rows[-1][5]}\n")
                sys.stdout.flush()
    order = {point: number for number, point in enumerate(points)}
    rows.sort(key=lambda r: (order[float(r[0]), int(r[1]), r[2], int(r[3])], int(r[4])))
    _write(file, rows)
    return 0


def _data(folder: Path) -> StreetScenesData:
    data = StreetScenesData(
        images=110,
        classes=["car"],
        image_size=32,
        drawn_in=folder,
        picture_width=128,
        picture_height=128,
        cache="on",
    )
    prepare_data(data)
    return data


def _record(data: StreetScenesData, point: Point) -> list[list[str]]:
    """Train one point; return a row per epoch."""
    rate, batch_size, optimizer, seed = point
    start = [f"{rate:g}", str(batch_size), optimizer, str(seed)]
    with tempfile.TemporaryDirectory() as folder:
        scores = list(_scores(data, point, Path(folder)))
    return [
        [*start, str(report.epoch), *(f"{report.metrics[name]:.4f}" for name in HEADER[5:])]
        for report in scores
    ]


def _scores(data: StreetScenesData, point: Point, folder: Path) -> Iterator[EpochReport]:
    rate, batch_size, optimizer, seed = point
    reports: list[EpochReport] = []
    train(
        TrainingSession(
            task="semantic_segmentation",
            model=UNetSettings(base_channels=4, depth=2, batch_norm=True),
            training=TrainingSettings.model_validate(
                {
                    "learning_rate": rate,
                    "batch_size": batch_size,
                    "optimizer": optimizer,
                    "epochs": EPOCHS,
                    "loss": "dice",
                    "checkpoint_epochs": EPOCHS,
                }
            ),
            evaluation=EvaluationSettings(),
            image_size=data.image_size,
            seed=seed,
            micro_batch_divisor=1,
            objective="val/iou",
            maximize=True,
            scores_test=False,
            folder=folder,
            earlier_folders=(),
            data=lambda: open_data(data, "semantic_segmentation", seed),
            report=reports.append,
            report_effective=lambda _: None,
            report_progress=lambda *_: None,
            should_stop=lambda: False,
        )
    )
    yield from reports


def _complete_rows(file: Path) -> list[list[str]]:
    """Return what an earlier recording wrote."""
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))[1:]


def _write(file: Path, rows: list[list[str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([HEADER, *rows])
    temporary.replace(file)


if __name__ == "__main__":
    sys.exit(main())
