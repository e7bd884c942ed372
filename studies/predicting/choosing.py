"""Which trained networks answer to a name: a study's winner, a cell, or a run in MLflow.

A study's name stands for the winner of its last decided stage, first seed. With one model per
class, it stands for the study's assembly, where that was scored, at the threshold it was scored
best with; else for each class's winner of the last stage that measured the class.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import RowMapping

from data_pipeline.catalog import label_names
from data_pipeline.errors import DataError, unknown_name
from models.metrics.names import BACKGROUND
from studies.running.uploads import best_weights
from studies.spec.schema import CellSettings, StudySpec
from studies.tree.ledger import Ledger
from trackers.records import Outcome, StageRecord

RUN_ID = re.compile(r"^[0-9a-f]{32}$")  # as MLflow makes them
FEWEST_DIGITS = 4  # of the beginning of a cell's id that stands for the whole
FindRun = Callable[[str], tuple[str, str] | None]  # MLflow run id -> (study, cell)


class UnusableRunError(Exception):
    """A run is unknown, or has nothing to predict with."""


@dataclass(frozen=True, slots=True)
class Member:
    """One trained network."""

    cell: str  # whose settings are used
    trained: str  # whose weights; another cell where `cell` scored saved predictions again
    role: str  # "winner of stage 'threshold'", …; "" where the cell was named
    group: str  # the class, with one model per class; else ""
    seed: int
    settings: CellSettings
    class_names: tuple[str, ...]  # of the network, in label order
    threshold: float  # of probability, from which a class counts
    weights: Path
    scored_batch: int  # images at a time when its trial scored it


@dataclass(frozen=True, slots=True)
class ChosenRun:
    """The networks that a name stands for, and what their predictions are called."""

    study: str
    task: str
    members: tuple[Member, ...]  # several: one per class, to be put together
    class_names: tuple[str, ...]  # of the predictions, in label order
    notes: tuple[str, ...] = ()  # what the one who asked should know


def choose_run(ledger: Ledger, workspace: Path, run: str, *, find_run: FindRun) -> ChosenRun:
    """Find what a name stands for.

    Args:
        ledger: Of the workspace.
        workspace: Its folder.
        run: A study, "study/cell" or an MLflow run id.
        find_run: Looks an MLflow run id up.

    Raises:
        UnusableRunError: There is nothing of that name, or its weights are not there.
    """
    study, _, cell = run.partition("/")
    if not cell and ledger.study(study) is None and RUN_ID.match(run):
        found = find_run(run)
        if found is None:
            raise UnusableRunError(
                f"MLflow holds no cell's run of id {run}; name a study of the workspace, or "
                "the server by --tracking-uri"
            )
        study, cell = found
    row = ledger.study(study)
    if row is None:
        message = unknown_name("study", study, ledger.study_names())
        raise UnusableRunError(f"{message}; is {workspace} the --workspace it ran in?")
    shelf = _Shelf(ledger, workspace, StudySpec.model_validate(row["resolved"]))
    return shelf.one(cell) if cell else shelf.winner()


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The trained cells of one study."""

    ledger: Ledger
    workspace: Path
    spec: StudySpec

    def one(self, cell: str) -> ChosenRun:
        """Return a cell by its id or the beginning of it."""
        ids = [row["id"] for row in self.ledger.cells(self.spec.study)]
        close = [each for each in ids if each.startswith(cell)]
        if cell not in ids and (len(close) != 1 or len(cell) < FEWEST_DIGITS):
            raise UnusableRunError(unknown_name(f"cell of study '{self.spec.study}'", cell, ids))
        member = self._member(cell if cell in ids else close[0])
        return ChosenRun(self.spec.study, self.spec.task, (member,), member.class_names)

    def winner(self) -> ChosenRun:
        """Return what the study found best."""
        decided = [each for each in self.ledger.stage_records(self.spec.study) if each.decisions]
        if not decided:
            raise UnusableRunError(
                f"study '{self.spec.study}' must have decided a stage to have a winner, but no "
                f"stage is; launch it to its end, or name a cell as {self.spec.study}/CELL"
            )
        if self.spec.data.one_model_per_class:
            return self._assembly() or self._per_class(decided)
        stage = decided[-1]
        cells = _winning_cells(stage)
        member = self._first([self.ledger.cell(self.spec.study, each) for each in cells], stage)
        notes = self._notes([stage])
        return ChosenRun(self.spec.study, self.spec.task, (member,), member.class_names, notes)

    def _assembly(self) -> ChosenRun | None:
        """Return the networks that the study put together and scored, of the first seed."""
        for row in self.ledger.assemblies(self.spec.study):
            if row["outcome"] != Outcome.COMPLETE:
                continue
            threshold = row["scores"]["scores"]["assembly"]["threshold"]
            role = f"of assembly {row['id']}"
            names = [name for name in self.spec.data.classes if name in row["members"]]
            members = [self._member(row["members"][name], role=role) for name in names]
            return ChosenRun(
                self.spec.study,
                self.spec.task,
                tuple(replace(member, threshold=threshold) for member in members),
                (BACKGROUND, *names),
            )
        return None

    def _per_class(self, decided: Sequence[StageRecord]) -> ChosenRun:
        """Take each class's winner of the last stage that measured the class."""
        members: dict[str, Member] = {}
        stages: dict[str, StageRecord] = {}
        for stage in reversed(decided):
            rows = [self.ledger.cell(self.spec.study, each) for each in _winning_cells(stage)]
            for group in dict.fromkeys(row["grp"] for row in rows):
                if group and group not in members:  # "": one network of all classes
                    of_class = [row for row in rows if row["grp"] == group]
                    members[group] = self._first(of_class, stage)
                    stages[group] = stage
        wanted = self.spec.data.classes or list(members)
        present = [name for name in wanted if name in members]
        lost = [name for name in wanted if name not in members]
        notes = self._notes(list(stages.values()))
        if lost:
            notes = (*notes, f"no stage trained a network for {', '.join(lost)}")
        return ChosenRun(
            self.spec.study,
            self.spec.task,
            tuple(members[name] for name in present),
            (BACKGROUND, *present),
            notes,
        )

    def _notes(self, used: Sequence[StageRecord]) -> tuple[str, ...]:
        """Say which stages are not decided yet, and may find something better."""
        undecided = [
            f"'{each.name}'"
            for each in self.ledger.stage_records(self.spec.study)
            if not each.decisions
        ]
        names = ", ".join(dict.fromkeys(f"'{each.name}'" for each in used))
        if not undecided:
            return ()
        return (f"stage {', '.join(undecided)} is not decided; using the winner of {names}",)

    def _first(self, rows: Sequence[RowMapping], stage: StageRecord) -> Member:
        """Return the first seed that was completed."""
        complete = [row for row in rows if row["outcome"] == Outcome.COMPLETE]
        chosen = min(complete or rows, key=lambda row: int(row["seed"]))
        return self._member(chosen["id"], role=f"winner of stage '{stage.name}'")

    def _member(self, cell: str, *, role: str = "") -> Member:
        row = self.ledger.cell(self.spec.study, cell)
        trained = row["source"] or cell
        trials = self.ledger.trials(self.spec.study, trained)
        weights = best_weights(self.workspace, trials)
        settings = CellSettings.model_validate(row["settings"])
        if weights is None:
            raise UnusableRunError(self._why_no_weights(row, trained))
        return Member(
            cell=cell,
            trained=trained,
            role=role,
            group=row["grp"],
            seed=row["seed"],
            settings=settings,
            class_names=_class_names(settings, self.spec.task, trials),
            threshold=settings.evaluation.threshold,
            weights=weights,
            scored_batch=-(-settings.training.batch_size // trials[-1]["micro_batch_divisor"]),
        )

    def _why_no_weights(self, row: RowMapping, trained: str) -> str:
        name = f"{self.spec.study}/{row['id']}"
        if row["outcome"] != Outcome.COMPLETE:
            ended = f"ended {row['outcome']}" if row["outcome"] else "has not run yet"
            reason = f" ({row['reason']})" if row["reason"] else ""
            return f"cell {name} must be complete to predict with, but {ended}{reason}"
        kept = f"the study keeps `weights: {self.spec.weights}`"
        return (
            f"cell {name} has no weights any more (of cell {trained}; {kept}); name the study "
            "alone for its winner, or launch it under a new name with `--set weights=all`"
        )


def _winning_cells(stage: StageRecord) -> tuple[str, ...]:
    """Return the cells of each decision's best configuration."""
    by_id = {each.id: each for each in stage.configurations}
    return tuple(cell for each in stage.decisions for cell in by_id[each.winners[0]].cells)


def _class_names(
    settings: CellSettings, task: str, trials: Sequence[RowMapping]
) -> tuple[str, ...]:
    """Return what the labels of a network mean, as its training noted; else as its data says."""
    for trial in reversed(trials):
        if names := trial["effective"].get("classes"):
            return tuple(str(name) for name in names)
    try:
        return label_names(settings.data, task)
    except DataError as error:
        raise UnusableRunError(
            f"the classes of the network must be known, but its training noted none and {error}"
        ) from error
