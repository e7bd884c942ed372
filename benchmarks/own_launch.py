"""Our own engine as a contender: a real launch with ledger, Optuna and MLflow, trials inline."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.storages import InMemoryStorage
from ruamel.yaml import YAML

from benchmarks.earlier_trials import multiply_optuna
from benchmarks.peers import REPORTS
from data_pipeline.catalog import data_fingerprint
from studies.running.executors import Placement
from studies.running.launch import launch
from studies.running.progress import Snapshot
from studies.running.synchronise import synchronise
from studies.running.workspace import WorkspaceFolder, open_ledger, open_workspace
from studies.search.living_tree import LivingTree, data_fingerprints
from studies.search.measured import measured_by
from studies.search.optuna_copy import OptunaCopy
from studies.spec.load import load_study
from studies.tree.sources import Sources
from trackers.mlflow_tracker import MlflowTracker

DRAIN_S = 1800.0
STUDY = "engine"


@dataclass(slots=True)
class Pace:
    """A view that stops the clock after every so many trials, once all is written."""

    trials: int  # per block
    drained: Callable[[int], None]  # waits for the background; given the trials that ended
    between: Callable[[], None]  # what others do while the clock stands
    blocks: list[float] = field(default_factory=list)  # seconds per trial
    busy_blocks: list[float] = field(default_factory=list)  # of the processor, all threads
    first_at: float = 0.0  # when the first trial ran
    last_at: float = 0.0
    _started_at: float = 0.0
    _busy_at: float = 0.0
    _ended: int = 0

    def update(self, snapshot: Snapshot) -> None:
        """Nobody looks."""

    def say(self, message: str) -> None:
        """Count what ended."""
        if ": complete" not in message or message.startswith("test split"):
            return
        self._ended += 1
        if self._ended == 1:
            self.drained(1)  # a launch looks whether MLflow has all earlier trials
            self.first_at = self._started_at = self.last_at = time.perf_counter()
            self._busy_at = time.process_time()
        elif (self._ended - 1) % self.trials == 0:
            self.drained(self._ended)
            self.blocks.append((time.perf_counter() - self._started_at) / self.trials)
            self.busy_blocks.append((time.process_time() - self._busy_at) / self.trials)
            self.between()
            self._started_at = self.last_at = time.perf_counter()
            self._busy_at = time.process_time()

    def close(self) -> None:
        """Nothing to undo."""


def study_of(trials: int) -> dict[str, Any]:
    """Return a study of so many random configurations of 20 epochs."""
    return {
        "study": STUDY,
        "task": "semantic_segmentation",
        "data": {"dataset": "none"},
        "model": {"name": "noop", "reports": "objective"},
        "training": {"epochs": REPORTS, "checkpoint_epochs": REPORTS},  # as others: none between
        "objective": {"metric": "val/iou"},
        "search": {
            "joint": {
                "sampler": "random",
                "trials": trials,
                "space": {
                    "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
                    "training.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
                },
            }
        },
    }


class OwnLaunch:
    """A workspace with earlier trials, launched again for some more."""

    name = "ours: ledger + Optuna + MLflow"

    def __init__(self, folder: Path, earlier: int) -> None:
        """Run one trial, and write all its rows for each of the other earlier trials."""
        folder.mkdir(parents=True)
        self._file = folder / "study.yaml"
        self._earlier = earlier
        self.place: WorkspaceFolder = open_workspace(folder / "runs")
        if earlier:
            self._launch(1, Pace(1, lambda _: None, lambda: None))
            self._multiply()

    def run(self, blocks: int, trials: int, between: Callable[[], None]) -> Pace:
        """Launch for one trial and some blocks more; `between` blocks the clock stands."""
        pace = Pace(trials, lambda _: None, between)
        self._launch(self._earlier + 1 + blocks * trials, pace)
        return pace

    def _launch(self, trials: int, pace: Pace) -> None:
        YAML().dump(study_of(trials), self._file)
        tracker = self._tracker()
        already = self._copied() if self._earlier else 0

        def drained(ended: int) -> None:  # the last one is said before it is written
            if not tracker.drain(DRAIN_S):
                raise RuntimeError(f"MLflow did not take what was uploaded in {DRAIN_S:g} s")
            deadline = time.monotonic() + DRAIN_S
            while self._copied() < already + ended - 1 and time.monotonic() < deadline:
                time.sleep(0.002)

        pace.drained = drained
        try:
            launch(
                load_study(self._file),
                self.place,
                placement=Placement(executor="inline"),
                tracker=tracker,
                view=pace,
            )
        finally:
            tracker.close()

    def _tracker(self) -> MlflowTracker:
        folder = self.place.folder
        return MlflowTracker(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts")

    def _copied(self) -> int:
        """Count the trials in Optuna's copy."""
        if not self.place.optuna_file.exists():
            return 0
        with closing(sqlite3.connect(self.place.optuna_file, timeout=DRAIN_S)) as database:
            return int(database.execute("SELECT count(*) FROM trials").fetchone()[0])

    def _multiply(self) -> None:
        """Plan the earlier trials as a launch would, and end them as the one that ran."""
        YAML().dump(study_of(self._earlier), self._file)
        _end_as_the_first(self._file, self.place)
        multiply_optuna(self.place.optuna_file, self._earlier - 1)
        _repeat_parameters(self.place)
        tracker = self._tracker()
        spec = load_study(self._file).spec
        if not synchronise(spec, self.place, tracker=tracker, timeout_s=DRAIN_S):
            raise RuntimeError(f"MLflow did not take the earlier trials in {DRAIN_S:g} s")
        tracker.close()


def _end_as_the_first(file: Path, place: WorkspaceFolder) -> None:
    """Plan a study's trials as a launch would, and let each end as its first one did."""
    spec = load_study(file).spec
    ledger = open_ledger(place)
    copy = OptunaCopy(InMemoryStorage)
    tree = LivingTree(
        spec,
        ledger,
        copy=copy,
        measured=measured_by(ledger, place.folder, spec),
        sources=Sources(data_fingerprints(data_fingerprint)),
    )
    tree.refresh()
    copy.close()
    ledger.close()
    with closing(sqlite3.connect(place.ledger_file)) as database, database:
        first = "(SELECT {} FROM cells WHERE outcome IS NOT NULL LIMIT 1)"
        names = ("metrics", "best_epoch", "train_macs", "seconds", "outcome")
        values = ", ".join(f"{name} = {first.format(name)}" for name in names)
        trials = _names(database, "trials", "cell")
        done = "(SELECT * FROM trials LIMIT 1) AS done"
        where = "WHERE cells.outcome IS NULL"
        columns = ", ".join(f"done.{name.strip()}" for name in trials.split(","))
        query = f"INSERT INTO trials (cell, {trials}) SELECT cells.id, {columns} "
        database.execute(f"{query} FROM cells, {done} {where}")
        database.execute(f"UPDATE cells SET {values} {where.replace('cells.', '')}")


def _names(database: sqlite3.Connection, table: str, but: str) -> str:
    rows = database.execute(f"PRAGMA table_info({table})")
    return ", ".join(row[1] for row in rows if row[1] != but)


def _repeat_parameters(place: WorkspaceFolder) -> None:
    """Give the trials of Optuna's copy the parameters that were proposed."""
    ledger = open_ledger(place)
    (proposed,) = ledger.proposals(STUDY).values()
    ledger.close()
    with closing(sqlite3.connect(place.optuna_file)) as database, database:
        database.executemany(
            "UPDATE trial_params SET param_value = ? WHERE param_name = ? AND trial_id = "
            "(SELECT trial_id FROM trials WHERE number = ?)",
            [
                (value, name, number)
                for number, varied in enumerate(proposed)
                for name, value in varied.items()
            ],
        )
