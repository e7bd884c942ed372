"""Two whole studies as records: a tree with trouble in it, and one model per class.

Numbers follow simple formulas, so that every expectation can be worked out by hand.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from trackers.records import (
    CandidateRecord,
    CellRecord,
    ConfigurationRecord,
    DecisionRecord,
    EpochRecord,
    JsonValue,
    Outcome,
    StageRecord,
    StudyRecord,
    TestScoreRecord,
    TrialRecord,
)

START = 1_770_000_000.0
Settings = Mapping[str, JsonValue]
CONFIDENCE = 0.95


def wobble(*parts: object) -> float:
    """A repeatable number in [-1, 1) that stands for the noise of a seed."""
    return zlib.crc32(repr(parts).encode()) / 2**31 - 1


def epochs_of(
    score: float, *, count: int, seconds: float, images: int, salt: str
) -> list[EpochRecord]:
    records = []
    for epoch in range(1, count + 1):
        reached = 1 - math.exp(-4 * epoch / count)
        noise = 0.012 * wobble(salt, epoch) * (epoch < count)
        fade = 0.02 * max(0.0, epoch / count - 0.8)
        worse = 0.45 - score / 2
        metrics = {
            "train/loss": 0.65 * (1 - reached) + 0.4 * worse,
            "train/pixel_accuracy": 0.80 + (0.20 - worse / 4) * reached,
            "val/loss": 0.62 * (1 - reached) + worse + 3 * fade,
            "val/pixel_accuracy": 0.78 + (0.20 - worse / 2) * reached,
            "val/iou": score * reached + noise,
            "learning_rate": 1e-3,
        }
        records.append(
            EpochRecord(epoch, metrics, seconds * epoch, images * epoch, START + seconds * epoch)
        )
    return records


def trial(cell: str, attempt: int, outcome: Outcome | None, reason: str = "") -> TrialRecord:
    folder, resumed = f"trials/{cell}-{attempt}", 3 * (attempt - 1)
    times = (START, START + 60)
    return TrialRecord(cell, attempt, outcome, reason, "cpu", "node-1", *times, resumed, folder)


def make_cell(
    cell_id: str,
    settings: Settings,
    *,
    seed: int,
    score: float,
    group: str = "",
    metric: str = "val/iou",
) -> CellRecord:
    count = int(str(settings["training.epochs"]))
    size = int(str(settings["data.image_size"]))
    images = int(str(settings["data.limit.train"]))
    value = score + 0.01 * wobble(cell_id, seed)
    seconds = 4.0 * (size / 64) ** 2 * (1 + 0.05 * wobble("t", cell_id))
    epochs = epochs_of(value, count=count, seconds=seconds, images=images, salt=cell_id)
    metrics = {metric: value, "val/iou": value, "val/loss": epochs[-1].metrics["val/loss"]}
    done = (trial(cell_id, 1, Outcome.COMPLETE),)
    cost = 3e6 * size**2 * images * count
    complete = (group, Outcome.COMPLETE, "", metrics, count, tuple(epochs), done, cost)
    classes = settings["data.classes"]
    names = classes if isinstance(classes, list) else []
    slugs = {name: name.replace(" ", "_") for name in names}
    return CellRecord(cell_id, settings, seed, *complete, class_slugs=slugs)


def candidate(
    configuration: ConfigurationRecord,
    cells: Sequence[CellRecord],
    metric: str,
    best: Sequence[float],
) -> CandidateRecord:
    def name(cell: CellRecord) -> str:
        return f"{cell.group}, seed {cell.seed}" if cell.group else f"seed {cell.seed}"

    done = [cell for cell in cells if cell.outcome is Outcome.COMPLETE]
    values = [cell.metrics[metric] for cell in done]
    low, high = spread(values)
    paired = [v - b for v, b in zip(values, best, strict=False)]
    is_best = values == list(best)
    difference_low, difference_high = spread(paired)
    return CandidateRecord(
        configuration=configuration.id,
        values={name(cell): cell.metrics[metric] for cell in done},
        missing=tuple(name(cell) for cell in cells if cell not in done),
        mean=float(np.mean(values)) if values else math.nan,
        low=low,
        high=high,
        difference=None if is_best or not paired else float(np.mean(paired)),
        difference_low=None if is_best else difference_low,
        difference_high=None if is_best else difference_high,
        train_macs=float(np.mean([cell.train_macs for cell in cells])),
        seconds=float(np.mean([cell.seconds for cell in cells])),
        is_tied=is_best or (difference_high is not None and difference_high > 0),
    )


def spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    if len(values) < 2:
        return None, None
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * stats.sem(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def decide(
    stage: str,
    configurations: Sequence[ConfigurationRecord],
    cells: Mapping[str, CellRecord],
    metric: str,
    group: str = "",
) -> DecisionRecord:
    def scores(configuration: ConfigurationRecord) -> list[float]:
        members = [cells[c] for c in configuration.cells]
        return [c.metrics[metric] for c in members if c.outcome is Outcome.COMPLETE]

    ordered = sorted(configurations, key=lambda c: -float(np.mean(scores(c) or [-1.0])))
    best = scores(ordered[0])
    records = [candidate(c, [cells[i] for i in c.cells], metric, best) for c in configurations]
    tied = [r for r in records if r.is_tied]
    rule = (
        f"{ordered[0].id} has the best mean of {len(records)} configurations; "
        f"{len(tied) - 1} others cannot be told from it."
    )
    flips = (f"A mean 0.01 higher for {ordered[-1].id} would not change the winner.",)
    kept, judged = (ordered[0].id,), tuple(records)
    return DecisionRecord(stage, group, metric, "maximize", kept, judged, rule, CONFIDENCE, flips)


def stage(
    name: str,
    vary: Settings,
    configurations: Sequence[ConfigurationRecord] = (),
    **changes: object,
) -> StageRecord:
    known = {cell for configuration in configurations for cell in configuration.cells}
    made = StageRecord(name, False, vary, {}, {}, tuple(configurations), (), len(known))
    return replace(made, **changes)  # type: ignore[arg-type]


BASE: dict[str, JsonValue] = {
    "data.dataset": "street_scenes",
    "data.classes": ["person", "car"],
    "data.image_size": 64,
    "data.limit.train": 64,
    "data.limit.val": 24,
    "data.limit.test": 24,
    "model.name": "unet",
    "training.optimizer": "adam",
    "training.learning_rate": 1e-3,
    "training.batch_size": 4,
    "training.epochs": 8,
    "training.loss": "bce",
    "evaluation.threshold": 0.5,
}
PLAN: tuple[tuple[str, str, tuple[JsonValue, ...], tuple[float, ...]], ...] = (
    ("learning rate", "training.learning_rate", (1e-2, 1e-3, 1e-4), (0.21, 0.34, 0.27)),
    ("batch size", "training.batch_size", (4, 8, 16), (0.34, 0.39, 0.385)),
    ("optimizer", "training.optimizer", ("adam", "adamw", "sgd"), (0.39, 0.43, 0.25)),
    ("threshold", "evaluation.threshold", (0.3, 0.4, 0.5, 0.6), (0.45, 0.44, 0.43, 0.40)),
)


def _stage_of_plan(
    index: int, parent: str | None, settings: Settings, cells: dict[str, CellRecord]
) -> StageRecord:
    name, path, values, scores = PLAN[index]
    after_training = path.startswith("evaluation.")
    configurations = []
    for value, score in zip(values, scores, strict=True):
        ids = [f"{name[:2]}-{value}-{seed}" for seed in range(3)]
        for seed, cell_id in enumerate(ids):
            made = make_cell(cell_id, {**settings, path: value}, seed=seed, score=score)
            if after_training:
                source = f"op-{settings['training.optimizer']}-{seed}"
                made = replace(
                    made, epochs=(), best_epoch=None, train_macs=0.0, source=source, trials=()
                )
            cells[cell_id] = made
        configurations.append(
            ConfigurationRecord(f"{name}={value}", parent, {path: value}, "", tuple(ids))
        )
    return stage(name, {path: list(values)}, configurations, after_training=after_training)


def without_result(cell: CellRecord, outcome: Outcome | None, reason: str = "") -> CellRecord:
    trials = (trial(cell.id, 1, outcome, reason),) if outcome else ()
    bare = replace(cell, outcome=outcome, reason=reason, trials=trials, metrics={})
    return replace(bare, best_epoch=None, epochs=())


def _add_trouble(cells: dict[str, CellRecord]) -> None:
    """A divergence, a crash that resumed, a bad image, and a cell that the budget left out."""
    diverged = without_result(
        cells["le-0.01-1"], Outcome.INFEASIBLE, "Loss became NaN in epoch 3."
    )
    cells["le-0.01-1"] = replace(diverged, epochs=cells["le-0.01-1"].epochs[:2])
    lost = trial("ba-8-2", 1, Outcome.LOST, "Process was killed (signal 9).")
    both = (lost, trial("ba-8-2", 2, Outcome.COMPLETE))
    cells["ba-8-2"] = replace(cells["ba-8-2"], trials=both)
    broken = "Image 17.jpg <truncated> cannot be read."
    cells["op-sgd-0"] = without_result(cells["op-sgd-0"], Outcome.FAILED, broken)
    cells["op-sgd-2"] = without_result(cells["op-sgd-2"], None)


def build_study(stages: int = len(PLAN)) -> StudyRecord:
    """The street study, decided up to the given number of stages."""
    cells: dict[str, CellRecord] = {}
    made: list[StageRecord] = []
    parent: str | None = None
    settings: dict[str, JsonValue] = dict(BASE)
    for index, (name, path, values, scores) in enumerate(PLAN):
        if index >= stages:
            made.append(stage(name, {path: list(values)}, planned_cells=3 * len(values)))
            continue
        made.append(_stage_of_plan(index, parent, settings, cells))
        best = values[scores.index(max(scores))]
        settings, parent = {**settings, path: best}, f"{name}={best}"
    if stages > 2:
        _add_trouble(cells)
    for index in range(stages):
        decision = decide(made[index].name, made[index].configurations, cells, "val/iou")
        made[index] = replace(made[index], decisions=(decision,))
    return StudyRecord(
        name="street-unet",
        task="semantic_segmentation",
        description="A small U-Net on generated street scenes.",
        metric="val/iou",
        direction="maximize",
        select_on="validation",
        settings={"study": "street-unet", "training": {"learning_rate": 1e-3, "epochs": 8}},
        base=BASE,
        stages=tuple(made),
        cells=cells,
        test_scores=_test_scores(made, cells),
        test_looks=stages,
        baselines=("thesis/table-8",),
        environment={"torch": "2.11.0", "git commit": "0123456789abcdef", "data": "5f3a"},
        created_at=START,
        is_finished=stages == len(PLAN),
        note="" if stages == len(PLAN) else "stopped by Ctrl-C",
    )


def _test_scores(
    stages: Sequence[StageRecord], cells: Mapping[str, CellRecord]
) -> tuple[TestScoreRecord, ...]:
    found = []
    for made in (made for made in stages if made.decisions):
        winner = next(c for c in made.configurations if c.id == made.decisions[0].winners[0])
        value = cells[winner.cells[0]].metrics["val/iou"] - 0.02
        scores = {"test/iou": value, "test/iou_car": value + 0.1}
        found.append(TestScoreRecord(made.name, winner.id, winner.cells[0], scores))
    return tuple(found)


@pytest.fixture
def build() -> Callable[[int], StudyRecord]:
    return build_study


@pytest.fixture
def study(tmp_path: Path) -> StudyRecord:
    """Four stages, three seeds, and one of each trouble."""
    made = build_study()
    picture = np.zeros((64, 400, 3), dtype=np.uint8)
    for column in range(4):
        cv2.circle(picture, (50 + 100 * column, 32), 22, (40, 60 * column, 220), -1)
    file = tmp_path / "strip.png"
    cv2.imwrite(str(file), picture)
    cells = dict(made.cells)
    cells["ba-8-0"] = replace(cells["ba-8-0"], files={"predictions_strip": str(file)})
    return replace(made, cells=cells)


COCO: dict[str, JsonValue] = {
    **BASE,
    "data.dataset": "coco",
    "data.image_size": 128,
    "data.limit.train": 4000,
    "data.limit.val": 800,
    "data.limit.test": 800,
    "training.learning_rate": 1e-4,
    "training.batch_size": 2,
    "training.epochs": 30,
}
CLASSES = {"car": 0.0, "stop sign": 0.3}


def _per_class(
    key: str, parent: str | None, varied: Settings, settings: Settings, score: float
) -> tuple[ConfigurationRecord, dict[str, CellRecord]]:
    """One configuration with two seeds of each class."""
    cells = {}
    for name, bonus in CLASSES.items():
        for seed in range(2):
            own = {**settings, **varied, "data.classes": [name]}
            cell = make_cell(
                f"{key}/{name}/{seed}",
                own,
                seed=seed,
                score=score + bonus,
                group=name,
                metric="test/iou",
            )
            cells[cell.id] = cell
    return ConfigurationRecord(key, parent, varied, "", tuple(cells)), cells


def _thresholds(
    parent: str, settings: Settings, cells: dict[str, CellRecord]
) -> tuple[list[ConfigurationRecord], list[DecisionRecord]]:
    """Each class keeps its own threshold."""
    found: list[ConfigurationRecord] = []
    decisions = []
    for name, bonus in CLASSES.items():
        own = []
        for threshold, gain in ((0.3, 0.03), (0.4, 0.04 - bonus / 5), (0.5, 0.0)):
            ids = []
            for seed in range(2):
                key = f"t{threshold}/{name}/{seed}"
                mine = {**settings, "evaluation.threshold": threshold, "data.classes": [name]}
                score = 0.24 + bonus + gain
                made = make_cell(key, mine, seed=seed, score=score, group=name, metric="test/iou")
                source = f"batch=5/{name}/{seed}"
                ids.append(made.id)
                cells[made.id] = replace(
                    made, epochs=(), best_epoch=None, train_macs=0.0, source=source
                )
            varied: Settings = {"evaluation.threshold": threshold}
            key = f"threshold={threshold}/{name}"
            own.append(ConfigurationRecord(key, parent, varied, name, tuple(ids)))
        decisions.append(decide("threshold", own, cells, "test/iou", name))
        found += own
    return found, decisions


@pytest.fixture
def class_study() -> StudyRecord:
    """The thesis's protocol: COCO, one model per class, selected on test."""
    cells: dict[str, CellRecord] = {}
    stages: list[StageRecord] = []
    settings: dict[str, JsonValue] = dict(COCO)
    plan: tuple[tuple[str, str, tuple[int, ...], tuple[float, ...]], ...] = (
        ("base", "", (0,), (0.16,)),
        ("image size", "data.image_size", (128, 256), (0.16, 0.20)),
        ("batch size", "training.batch_size", (1, 2, 5), (0.20, 0.22, 0.24)),
    )
    parent: str | None = None
    for name, path, values, scores in plan:
        held: Settings = {"training.batch_size": 1} if name == "image size" else {}
        found = []
        for value, score in zip(values, scores, strict=True):
            varied: Settings = {path: value} if path else {}
            key = f"{name.split()[0]}={value}"
            made, own = _per_class(key, parent, varied, {**settings, **held}, score)
            found.append(made)
            cells |= own
        vary: Settings = {path: list(values)} if path else {}
        decision = decide(name, found, cells, "test/iou")
        stages.append(stage(name, vary, found, held=held, decisions=(decision,)))
        parent = decision.winners[0]
        settings |= {path: values[-1]} if path else {}
    configurations, decisions = _thresholds(str(parent), settings, cells)
    choices: Settings = {"evaluation.threshold": [0.3, 0.4, 0.5]}
    last = stage("threshold", choices, configurations, after_training=True)
    stages.append(replace(last, decisions=tuple(decisions)))
    known = replace(build_study(0), base=COCO, stages=tuple(stages), cells=cells)
    tables = ("thesis/table-7", "thesis/table-8", "thesis/table-11", "unet-2015")
    known = replace(known, name="unet-coco", baselines=tables, is_finished=True, note="")
    return replace(known, metric="test/iou", select_on="test", test_scores=(), test_looks=0)
