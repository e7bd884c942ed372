"""Draw the learning rate of every schedule over a training: `docs/schedules.svg`.

python -m benchmarks.schedule_figure
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from models.schedules import Place, learning_rate, step_factor
from models.settings import TrainingSettings

FIGURE = Path("docs/schedules.svg")
EPOCHS, STEPS = 30, 20
COLUMNS = 3
SCHEDULES: Mapping[str, dict[str, Any]] = {
    "step, every 10 epochs": {"schedule": {"name": "step", "every_epochs": 10}},
    "multi_step, after 15 and 25": {"schedule": {"name": "multi_step", "after_epochs": [15, 25]}},
    "final_drop, last 10": {"schedule": {"name": "final_drop", "last_epochs": 10}},
    "plateau, patience 3": {"schedule": {"name": "plateau", "patience_epochs": 3, "factor": 0.5}},
    "cosine, warm-up of 5": {"schedule": {"name": "cosine"}, "warmup": {"epochs": 5}},
    "polynomial": {"schedule": {"name": "polynomial"}},
    "cyclical, triangular": {"schedule": {"name": "cyclical", "half_cycle_epochs": 4}},
    "cyclical, triangular2": {
        "schedule": {"name": "cyclical", "half_cycle_epochs": 4, "shape": "triangular2"}
    },
    "one_cycle": {"schedule": {"name": "one_cycle"}},
}


def rates(settings: Mapping[str, Any]) -> list[float]:
    """Return the rate of every step, of a training whose loss stops falling after 8 epochs."""
    training = TrainingSettings.model_validate({"learning_rate": 1, "epochs": EPOCHS, **settings})
    losses = [max(0.2, 1 - 0.1 * epoch) for epoch in range(EPOCHS)]
    return [
        learning_rate(training, losses[:epoch]) * step_factor(training, Place(epoch, step, STEPS))
        for epoch in range(EPOCHS)
        for step in range(STEPS)
    ]


def draw(file: Path) -> None:
    """Draw all schedules side by side, each from 0 to the learning rate."""
    plt.rcParams["svg.hashsalt"] = "visionstudy"  # the same file every time
    rows = -(-len(SCHEDULES) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(8, 1.6 * rows), sharex=True, sharey=True)
    epochs = [step / STEPS for step in range(EPOCHS * STEPS)]
    for axis, (name, settings) in zip(axes.flat, SCHEDULES.items(), strict=True):
        axis.plot(epochs, rates(settings), color="#0072b2", linewidth=1.6)
        axis.set_title(name, fontsize=9, loc="left")
        axis.set_ylim(0, 1.08)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    figure.supxlabel("epochs", fontsize=9)
    figure.supylabel("share of training.learning_rate", fontsize=9)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main() -> int:
    """Draw it where the page shows it."""
    draw(FIGURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
