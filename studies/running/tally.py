"""How far a study is: cells that ended, by outcome, and what is left; counted as they end."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from studies.search.open_stage import Added
from studies.spec.schema import StudySpec
from studies.tree.assemblies import waiting_cells
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import GrownStage, Tree


@dataclass(slots=True)
class Tally:
    """Counts a tree's cells once, and then each that ends or is added."""

    spec: StudySpec
    outcomes: Counter[str] = field(default_factory=Counter)
    planned: int = 0  # cells, those of undecided stages included
    to_train: int = 0  # of them, that have not ended
    _trained: int = 0  # that took a while
    _trained_s: float = 0.0

    @property
    def settled(self) -> int:
        """Cells that ended."""
        return self.outcomes.total()

    @property
    def seconds(self) -> float | None:
        """Mean seconds of a cell that was trained; None before there is one."""
        return self._trained_s / self._trained if self._trained else None

    def count(
        self, tree: Tree, cells: Mapping[str, PlannedCell], results: Mapping[str, CellResult]
    ) -> None:
        """Count a tree that was grown anew."""
        self.outcomes.clear()
        self._trained, self._trained_s = 0, 0.0
        singles = waiting_cells(self.spec, tree.assemblies)
        unknown = [(grown.stage, _unknown_cells(grown)) for grown in tree.every_stage]
        self.planned = len(cells) + singles + sum(count for _, count in unknown)
        self.to_train = singles + sum(
            count for stage, count in unknown if not stage.after_training
        )
        self.to_train += sum(cell.source is None for cell in cells.values())
        for cell in cells.values():
            if cell.id in results:
                self.settle(cell, results[cell.id])

    def settle(self, cell: PlannedCell, result: CellResult) -> None:
        """Count a cell that ended."""
        self.outcomes[str(result.outcome)] += 1
        if cell.source is None:
            self.to_train -= 1
            if result.seconds:
                self._trained += 1
                self._trained_s += result.seconds

    def add(
        self, added: Added, fresh: Collection[PlannedCell], results: Mapping[str, CellResult]
    ) -> None:
        """Count the cells of a configuration, of which so many were expected unknown."""
        known_before = len(added.configuration.cells) - len(fresh)
        self.planned -= known_before
        self.to_train -= known_before
        for cell in fresh:
            if cell.id in results:
                self.settle(cell, results[cell.id])


def _unknown_cells(grown: GrownStage) -> int:
    """Count a stage's cells whose settings are not known yet."""
    return max(0, grown.planned_cells - sum(len(each.cells) for each in grown.configurations))
