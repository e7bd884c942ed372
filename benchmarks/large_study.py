"""A workspace that holds a large study as a launch would have left it, without training anything.

The plan, the decisions, the ledger and the event logs are the real ones; what the trials say of
their epochs follows formulas.
"""

import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from data_pipeline.catalog import data_fingerprint
from studies.running.workspace import WorkspaceFolder, open_ledger, open_workspace
from studies.spec.load import load_study
from studies.spec.schema import StudySpec
from studies.tree.cell_history import EVENTS_FILE
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Tree
from studies.tree.growth import grow
from studies.tree.ledger import CellEnd, Ledger, TrialEnd, TrialStart
from trackers.event_log import EventLog
from trackers.records import Outcome

START = 1_770_000_000.0  # unix seconds
EPOCH_S, IMAGES = 12.0, 4000
METRICS = (
    "train/loss",
    "train/pixel_accuracy",
    "val/loss",
    "val/pixel_accuracy",
    "val/iou",
    "learning_rate",
)
RATES = {"low": 1e-5, "high": 1e-1, "log": True}
DECAYS = {"low": 1e-6, "high": 1e-2, "log": True}


@dataclass(frozen=True, slots=True)
class LargeStudy:
    """Which study of a workspace, and how large it is."""

    place: WorkspaceFolder
    name: str
    cells: int
    epochs: int


def make_study(folder: Path, shape: str, *, cells: int, epochs: int) -> LargeStudy:
    """Write a study down: its ledger and its logs.

    Args:
        folder: Of a new workspace.
        shape: "joint", one stage of many configurations, or "tree", five stages with five seeds.
        cells: How many, about.
        epochs: Of each.
    """
    file = folder / f"{shape}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    YAML().dump(_study_file(shape, cells, epochs), file)
    loaded = load_study(file)
    place = open_workspace(folder / "runs")
    ledger = open_ledger(place)
    try:
        resolved = loaded.spec.model_dump(mode="json", by_alias=True)
        ledger.save_study(loaded.spec.study, text="", resolved=resolved, environment={})
        tree = _end_cells(loaded.spec, ledger, place, proposals=_proposals(shape, cells))
        ledger.end_launch(loaded.spec.study, is_finished=True, note="")
    finally:
        ledger.close()
    return LargeStudy(place, loaded.spec.study, len(tree.cells()), epochs)


def _study_file(shape: str, cells: int, epochs: int) -> dict[str, Any]:
    values = max(2, round(cells / 25))
    stages = [
        {"stage": "learning rate", "vary": {"training.learning_rate": _spread(RATES, values)}},
        {"stage": "weight decay", "vary": {"training.weight_decay": _spread(DECAYS, values)}},
        {"stage": "batch size", "vary": {"training.batch_size": list(range(1, values + 1))}},
        {"stage": "accumulate", "vary": {"training.accumulate": list(range(1, values + 1))}},
        {
            "stage": "image size",
            "vary": {"data.image_size": [32 * (i + 1) for i in range(values)]},
        },
    ]
    space = {
        "training.learning_rate": RATES,
        "training.weight_decay": DECAYS,
        "training.batch_size": [2, 4, 8, 16, 32],
    }
    joint = {"joint": {"sampler": "random", "trials": cells, "space": space}}
    return {
        "study": f"large-{shape}",
        "task": "semantic_segmentation",
        "data": {"dataset": "none"},
        "model": {"name": "noop"},
        "training": {"epochs": epochs},
        "objective": {"metric": "val/iou"},
        "search": joint if shape == "joint" else {"tree": stages, "replicates": 5},
    }


def _spread(choice: Mapping[str, Any], count: int) -> list[float]:
    low, high = math.log10(choice["low"]), math.log10(choice["high"])
    return [float(f"{10 ** (low + (high - low) * i / (count - 1)):.4g}") for i in range(count)]


def _proposals(shape: str, cells: int) -> dict[str, list[dict[str, Any]]]:
    """Return what a random sampler would have proposed."""
    draw = random.Random(0)
    if shape != "joint":
        return {}
    return {
        "joint": [
            {
                "training.learning_rate": 10 ** draw.uniform(-5, -1),
                "training.weight_decay": 10 ** draw.uniform(-6, -2),
                "training.batch_size": draw.choice([2, 4, 8, 16, 32]),
            }
            for _ in range(cells)
        ]
    }


def _end_cells(
    spec: StudySpec,
    ledger: Ledger,
    place: WorkspaceFolder,
    *,
    proposals: Mapping[str, list[dict[str, Any]]],
) -> Tree:
    """Grow the tree, and end what it asks for, until it asks for nothing more."""
    # Lazy: it loads Optuna, which nothing else here needs.
    from studies.search.living_tree import stage_record

    results: dict[str, CellResult] = {}
    for search, proposed in proposals.items():
        for number, varied in enumerate(proposed):
            ledger.save_proposal(spec.study, search, number=number, varied=varied)
    while True:
        tree = grow(spec, results, data_fingerprint=data_fingerprint, proposals=proposals)
        planned = tree.cells()
        ledger.plan(spec.study, planned.values(), [stage_record(s) for s in tree.every_stage])
        fresh = [cell for cell in planned.values() if cell.id not in results]
        if not fresh:
            return tree
        for cell in fresh:
            results[cell.id] = _end_cell(spec, ledger, place.folder, cell)


def _end_cell(spec: StudySpec, ledger: Ledger, workspace: Path, cell: PlannedCell) -> CellResult:
    folder = f"studies/{spec.study}/trials/{cell.id}-1"
    epochs = list(_epochs(cell))
    final = epochs[-1]["metrics"]
    log = EventLog(workspace / folder / EVENTS_FILE)
    log.append("started", pid=1)
    for fields in epochs:
        log.append("epoch", **fields)
    log.append("finished", metrics=final, best_epoch=len(epochs), files={})
    log.close()
    start = TrialStart(cell.id, 1, "cpu", "node-1", folder, micro_batch_divisor=1)
    ledger.start_trial(spec.study, start)
    seconds, train_macs = EPOCH_S * len(epochs), 1e9 * cell.settings.data.image_size**2
    costs = {"device_s": seconds, "epochs": len(epochs), "images": IMAGES * len(epochs)}
    end = TrialEnd(
        cell.id,
        1,
        Outcome.COMPLETE,
        "",
        is_fault=False,
        resumed_from_epoch=0,
        next_micro_batch_divisor=1,
        effective={},
        ended_at=time.time() + seconds,
        costs=costs,
    )
    settled = CellEnd(
        cell.id, Outcome.COMPLETE, "", final, len(epochs), train_macs=train_macs, seconds=seconds
    )
    ledger.end_trial(spec.study, end, settled)
    return CellResult(Outcome.COMPLETE, final, train_macs, seconds, None)


def _epochs(cell: PlannedCell) -> Iterator[dict[str, Any]]:
    """Yield what a trial says of each epoch."""
    training = cell.settings.training
    draw = random.Random(cell.id)
    away = abs(math.log10(training.learning_rate) + 3) + 0.2 * math.log2(training.batch_size)
    best = 0.7 - 0.08 * away + 0.01 * draw.gauss(0, 1)
    count = training.epochs
    for epoch in range(1, count + 1):
        reached = 1 - math.exp(-4 * epoch / count)
        iou = best * reached + 0.01 * draw.gauss(0, 1)
        values = (
            1 - 0.9 * reached * best,
            0.6 + 0.4 * reached * best,
            1 - iou + 0.05 * epoch / count,
            0.6 + 0.4 * iou,
            iou,
            training.learning_rate,
        )
        yield {
            "epoch": epoch,
            "metrics": dict(zip(METRICS, values, strict=True)),
            "wall_s": EPOCH_S * epoch * (1 + 0.02 * draw.random()),
            "images_seen": IMAGES * epoch,
            "finished_at": START + EPOCH_S * epoch,
        }
