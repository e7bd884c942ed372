"""What the tracker is sent of a cell: a snapshot from the ledger and the event logs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from sqlalchemy import RowMapping

from studies.spec.schema import StudySpec
from studies.tree.cell_history import CellHistory, read_history
from studies.tree.growth import Configuration, PlannedCell, Tree, replicate_name
from studies.tree.ledger import Ledger
from studies.tree.study_record import cell_record
from trackers.records import Outcome
from trackers.tracker import Artifact, CellUpload

ARTIFACTS = {
    "predictions_strip.png": "predictions/strip.png",
    "output.log": "output.log",
    "events.jsonl": "events.jsonl",
}


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

    def snapshot(
        self, cell: str, *, history: CellHistory | None = None, with_weights: bool = False
    ) -> CellUpload:
        """Return a cell's snapshot; reads its event logs unless the history is given."""
        row = self.ledger.cell(self.spec.study, cell)
        trials = self.ledger.trials(self.spec.study, cell)
        if history is None:
            history = read_history(self.workspace / each["folder"] for each in trials)
        record = cell_record(row, trials, history=history, workspace=self.workspace)
        names, configuration = self._places.get(cell, ((), None))
        return CellUpload(
            cell=record,
            name=self.name(cell),
            stages=names,
            configuration=configuration.id if configuration else "",
            varied=dict(configuration.varied) if configuration else {},
            attempts=len(trials),
            artifacts=self._artifacts(trials) if row["outcome"] else (),
            resolved_config=_yaml(row["settings"]),
            weights=best_weights(self.workspace, trials) if with_weights else None,
            task=self.spec.task,
        )

    def name(self, cell: str) -> str:
        """Name a cell for people: "learning rate / learning_rate 0.001 / seed 0"."""
        names, configuration = self._places.get(cell, ((), None))
        parts = [names[0] if names else "needed by a later stage"]
        if configuration is not None:
            parts.append(configuration.label)
        if cell in self._cells:
            parts.append(replicate_name(self._cells[cell]))
        return " / ".join(parts)

    def _artifacts(self, trials: Sequence[RowMapping]) -> tuple[Artifact, ...]:
        if not trials:
            return ()
        folder = self.workspace / trials[-1]["folder"]
        return tuple(
            Artifact(folder / file, name)
            for file, name in ARTIFACTS.items()
            if (folder / file).exists()
        )


def places(tree: Tree) -> dict[str, tuple[tuple[str, ...], Configuration]]:
    """Return, per cell, the stages that measure it and the configuration it was planned for."""
    found: dict[str, tuple[tuple[str, ...], Configuration]] = {}
    for grown in tree.stages:
        for configuration in grown.configurations:
            for cell in configuration.cells:
                names, first = found.get(cell.id, ((), configuration))
                found[cell.id] = (tuple(dict.fromkeys((*names, grown.stage.name))), first)
    return found


def best_weights(workspace: Path, trials: Sequence[RowMapping]) -> Path | None:
    """Return the best weights that a complete cell kept, or None."""
    complete = [each for each in trials if each["outcome"] == Outcome.COMPLETE]
    if not complete:
        return None
    folder = workspace / complete[-1]["folder"]
    end = read_history([folder]).end
    files: Mapping[str, str] = end.fields.get("files", {}) if end is not None else {}
    weights = folder / files["weights"] if "weights" in files else None
    return weights if weights is not None and weights.exists() else None


def _yaml(settings: Mapping[str, object]) -> str:
    text = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(dict(settings), text)
    return text.getvalue()
