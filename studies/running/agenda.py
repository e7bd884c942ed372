"""What is left to do of a study, as its tree grows: cells to train, to re-score, to leave out."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from studies.running.rescoring import rescore_cell
from studies.running.tally import Tally
from studies.running.uploads import UploadDesk
from studies.search.living_tree import Change, LivingTree
from studies.search.open_stage import Added
from studies.spec.schema import StudySpec
from studies.tree.cells import PlannedCell
from studies.tree.grown import Tree
from studies.tree.ledger import CellEnd, Ledger
from trackers.records import Outcome


@dataclass(slots=True)
class Agenda:
    """Follows the living tree; a result costs the same however many came before."""

    spec: StudySpec
    ledger: Ledger
    workspace: Path
    living_tree: LivingTree
    desk: UploadDesk
    upload: Callable[[str], None]  # sends a cell to the tracker
    tree: Tree = field(default_factory=lambda: Tree(()))
    tally: Tally = field(init=False)
    _known: dict[str, PlannedCell] = field(default_factory=dict)  # every cell of the tree
    _waiting: dict[str, PlannedCell] = field(default_factory=dict)  # to train, in running order
    _ready: dict[str, None] = field(default_factory=dict)  # to re-score
    _dependents: dict[str, list[str]] = field(default_factory=dict)  # source -> to re-score then
    _forgone: dict[str, str] = field(default_factory=dict)  # to leave out -> why

    def __post_init__(self) -> None:
        self.tally = Tally(self.spec)

    @property
    def waiting(self) -> int:
        """Cells that are to be trained and do not run."""
        return len(self._waiting)

    def begin(self, running: Collection[str] = ()) -> None:
        """Look at all that the ledger holds.

        Args:
            running: Cells that are being trained.
        """
        self._follow(self.living_tree.refresh(), None, running)
        self._do_at_once(running)

    def settle(self, cell: str, running: Collection[str]) -> bool:
        """Do what follows from a cell that ended; say whether the tree was grown anew."""
        is_anew = self._take_in(cell, running)
        return self._do_at_once(running) or is_anew

    def again(self, cell: str) -> None:
        """Have a cell trained on, before all others, if it is still planned."""
        if cell in self._known:
            self._waiting = {cell: self._known[cell], **self._waiting}

    def take(self) -> PlannedCell:
        """Take the cell that is to be trained next."""
        return self._waiting.pop(next(iter(self._waiting)))

    def _do_at_once(self, running: Collection[str]) -> bool:
        """Do all that needs no trial, and what follows from that."""
        is_anew = False
        while self._ready or self._forgone:
            end = self._next_end()
            if end.cell in self.living_tree.results or end.cell in running:
                continue
            self.ledger.settle(self.spec.study, end)
            self.upload(end.cell)
            is_anew |= self._take_in(end.cell, running)
        return is_anew

    def _next_end(self) -> CellEnd:
        if self._ready:
            cell = next(iter(self._ready))
            del self._ready[cell]
            study, task = self.spec.study, self.spec.task
            return rescore_cell(self.ledger, self.workspace, study=study, task=task, cell=cell)
        cell, reason = self._forgone.popitem()
        return CellEnd(cell, Outcome.PRUNED, reason, {}, None, 0.0, 0.0)

    def _take_in(self, cell: str, running: Collection[str]) -> bool:
        change = self.living_tree.take_in(cell)
        self._waiting.pop(cell, None)
        self._follow(change, cell, running)
        return change.added is None

    def _follow(self, change: Change, ended: str | None, running: Collection[str]) -> None:
        self.tree = change.tree
        if change.added is None:
            self._follow_all(running)
        else:
            if ended is not None:
                self._end(ended)
            self._extend(change.added)
        self._forgone = {
            cell: reason for cell, reason in change.forgone.items() if cell not in running
        }

    def _follow_all(self, running: Collection[str]) -> None:
        """Take in a tree that was grown anew."""
        results = self.living_tree.results
        changed = self.desk.follow(self.tree)
        self._known = self.tree.cells()
        self.tally.count(self.tree, self._known, results)
        self._waiting, self._ready, self._dependents = {}, {}, {}
        for cell in self._known.values():
            if cell.id not in results and cell.id not in running:
                self._enlist(cell)
        for cell_id in changed & results.keys():
            self.upload(cell_id)

    def _end(self, cell: str) -> None:
        for dependent in self._dependents.pop(cell, ()):
            self._ready[dependent] = None
        if cell in self._known:
            self.tally.settle(self._known[cell], self.living_tree.results[cell])

    def _extend(self, added: tuple[Added, ...]) -> None:
        """Take in configurations that were added to the open stage."""
        results = self.living_tree.results
        for each in added:
            fresh = [cell for cell in each.cells if cell.id not in self._known]
            self._known |= {cell.id: cell for cell in fresh}
            self.tally.add(each, fresh, results)
            for cell in fresh:
                if cell.id not in results:
                    self._enlist(cell)
            for cell_id in self.desk.extend(each.stage, each.configuration) & results.keys():
                self.upload(cell_id)

    def _enlist(self, cell: PlannedCell) -> None:
        if cell.source is None:
            self._waiting[cell.id] = cell
        elif cell.source in self.living_tree.results:
            self._ready[cell.id] = None
        else:
            self._dependents.setdefault(cell.source, []).append(cell.id)
