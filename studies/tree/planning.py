"""From what a stage varies to cells: each with an identity, trained or re-scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from data_pipeline.settings import DataSettings
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import fingerprint, for_fold, training_fingerprint, with_changes
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Branch, Configuration
from studies.tree.replicates import Replicate, replicates_of
from studies.tree.stages import Stage


@dataclass(slots=True)
class Planner:
    """Plans each cell once in a walk down the tree."""

    spec: StudySpec
    results: Mapping[str, CellResult]
    data_fingerprint: Callable[[DataSettings], str]
    start_fingerprint: Callable[[CellSettings], str]
    cells: dict[str, PlannedCell] = field(default_factory=dict)
    trained: dict[str, str] = field(default_factory=dict)  # training fingerprint -> cell id

    def configuration(
        self,
        stage: Stage,
        branch: Branch,
        groups: tuple[str, ...],
        *,
        varied: Mapping[str, Any],
        id: str,  # as the field is called
    ) -> tuple[Configuration, dict[str, PlannedCell]]:
        """Return a candidate of a stage, and the trainings that its re-scoring still lacks."""
        changes = {**stage.held, **varied}
        settings = {group: with_changes(branch.settings[group], changes) for group in groups}
        cells: list[PlannedCell] = []
        sources: dict[str, PlannedCell] = {}
        for group, wanted in settings.items():
            for replicate in replicates_of(self.spec):
                if stage.after_training:
                    inherited = self.cell(branch.settings[group], group, replicate)
                    source = self.cells.get(inherited.source or inherited.id)
                    if source is not None:  # else it ended, and is planned no longer
                        sources[source.id] = source
                cells.append(self.cell(wanted, group, replicate))
        candidate = Configuration(
            id=id,
            parent=branch.origin[groups[0]],
            varied=varied,
            group=groups[0] if stage.decides_per_group else "",
            settings=settings,
            cells=tuple(cells),
            brief=varied,
        )
        return candidate, sources

    def cell(self, settings: CellSettings, group: str, replicate: Replicate) -> PlannedCell:
        """Find the cell with these settings, re-score one trained alike, or plan to train one.

        A cell that ended stays what it was: only where it was trained are there predictions.
        """
        seed, settings = replicate.seed, for_fold(settings, replicate.fold)
        data = self.data_fingerprint(settings.data)
        start = self.start_fingerprint(settings)
        identity = fingerprint(settings, seed=seed, data=data, start=start)
        if identity in self.cells:
            return self.cells[identity]
        training = training_fingerprint(settings, seed=seed, data=data, start=start)
        ended = self.results.get(identity)
        if ended is None:
            source = self.trained.setdefault(training, identity)
        else:
            source = ended.source or identity
            self.trained.setdefault(training, source)
        cell = PlannedCell(
            id=identity,
            settings=settings,
            seed=seed,
            group=group,
            source=None if source == identity else source,
            fold=replicate.fold,
        )
        self.cells[identity] = cell
        return cell
