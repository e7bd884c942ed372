"""What the tracker is sent of a cell: a snapshot from the ledger and the event logs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import RowMapping

from studies.running.settings_yaml import settings_yaml
from studies.spec.schema import StudySpec
from studies.tree.assemblies import SINGLE_NETWORK
from studies.tree.cell_history import CellHistory, read_history
from studies.tree.cells import PlannedCell
from studies.tree.grown import Configuration, Tree, replicate_name
from studies.tree.kept_files import WEIGHTS, trained_files
from studies.tree.ledger import Ledger
from studies.tree.study_record import cell_record
from trackers.records import CellRecord
from trackers.tracker import Artifact, CellUpload

LOGS = ("output.log", "events.jsonl")


@dataclass(slots=True)
class UploadDesk:
    """Makes a cell's snapshots; knows where in the tree each cell stands."""

    spec: StudySpec
    ledger: Ledger
    workspace: Path
    _places: dict[str, tuple[tuple[str, ...], Configuration]] = field(default_factory=dict)
    _cells: dict[str, PlannedCell] = field(default_factory=dict)

    def follow(self, tree: Tree) -> set[str]:
        """Take in the tree as it has grown; return the cells whose place in it changed."""
        before, self._places = self._places, places(tree)
        self._cells = tree.cells()
        return {cell for cell, place in self._places.items() if before.get(cell) != place}

    def extend(self, stage: str, configuration: Configuration) -> set[str]:
        """Take in a configuration that was added to a stage; return the cells known before."""
        known: set[str] = set()
        for cell in configuration.cells:
            if cell.id in self._cells:
                known.add(cell.id)
            self._cells[cell.id] = cell
            names, first = self._places.get(cell.id, ((), configuration))
            self._places[cell.id] = (tuple(dict.fromkeys((*names, stage))), first)
        return known

    def snapshot(
        self, cell: str, *, history: CellHistory | None = None, with_weights: bool = False
    ) -> CellUpload:
        """Return a cell's snapshot; reads its event logs unless the history is given."""
        row = self.ledger.cell(self.spec.study, cell)
        trials = self.ledger.trials(self.spec.study, cell)
        if history is None:
            history = read_history(self.workspace / each["folder"] for each in trials)
        test_score = self.ledger.test_scores(self.spec.study).get(cell)
        record = cell_record(
            row, trials, history=history, workspace=self.workspace, test_score=test_score
        )
        names, configuration = self._places.get(cell, ((), None))
        return CellUpload(
            cell=record,
            name=self.name(cell),
            stages=names,
            configuration=configuration.id if configuration else "",
            varied=dict(configuration.varied) if configuration else {},
            attempts=len(trials),
            artifacts=self._artifacts(record) if row["outcome"] else (),
            resolved_config=partial(settings_yaml, row["settings"]),
            weights=best_weights(self.workspace, trials) if with_weights else None,
            task=self.spec.task,
        )

    def name(self, cell: str) -> str:
        """Name a cell for people: "learning rate / learning_rate 0.001 / seed 0"."""
        names, configuration = self._places.get(cell, ((), None))
        parts = [names[0] if names else self._other_use(cell)]
        if configuration is not None:
            parts.append(configuration.label)
        if cell in self._cells:
            parts.append(replicate_name(self._cells[cell]))
        return " / ".join(parts)

    def _other_use(self, cell: str) -> str:
        """Say what a cell is for that no stage measures."""
        planned = self._cells.get(cell)
        if planned is None or not self.spec.data.one_model_per_class or planned.group:
            return "needed by a later stage"
        return SINGLE_NETWORK

    def _artifacts(self, record: CellRecord) -> tuple[Artifact, ...]:
        """Name what a cell's run shows: the logs of its last trial, and all that was kept."""
        if not record.trials:
            return ()
        folder = self.workspace / record.trials[-1].folder
        kept = [Path(file) for _, file in sorted(record.files.items())]
        return (
            *(Artifact(folder / name, name) for name in LOGS if (folder / name).exists()),
            *(
                Artifact(file, f"predictions/{file.name.removeprefix('predictions_')}")
                for file in kept
            ),
        )


def places(tree: Tree) -> dict[str, tuple[tuple[str, ...], Configuration]]:
    """Return, per cell, the stages that measure it and the configuration it was planned for."""
    found: dict[str, tuple[tuple[str, ...], Configuration]] = {}
    for grown in tree.every_stage:
        for configuration in grown.configurations:
            for cell in configuration.cells:
                names, first = found.get(cell.id, ((), configuration))
                found[cell.id] = (tuple(dict.fromkeys((*names, grown.stage.name))), first)
    return found


def best_weights(workspace: Path, trials: Sequence[RowMapping]) -> Path | None:
    """Return the best weights that a complete cell kept, or None."""
    return trained_files(workspace, trials).get(WEIGHTS)
