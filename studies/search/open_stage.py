"""The stage that is being measured: its searches, and what each configuration still lacks."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from studies.search.measured import Measured
from studies.search.pruners import exceeded, watches_epochs
from studies.search.stage_search import Proposal, StageSearch
from studies.search.told import configuration_result
from studies.spec.sampling_schema import WilcoxonPruner
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult, PlannedCell
from studies.tree.grown import Configuration, GrownStage, objective_value, replicate_name
from studies.tree.growth import Search, Walk, configuration_id, searches_of
from studies.tree.planning import Planner
from trackers.records import Outcome

OpenSearch = Callable[[GrownStage, Search], StageSearch]


@dataclass(slots=True)
class Candidate:
    """A configuration in its search."""

    search: StageSearch
    number: int  # in the search, from 0
    configuration: Configuration
    open: set[str]  # its cells that have not ended
    pruned: str = ""  # why no more of its cells are run


@dataclass(frozen=True, slots=True)
class Added:
    """A proposal that became a configuration."""

    stage: str  # its name
    search: str  # see `growth.search_name`
    number: int
    proposal: Proposal
    configuration: Configuration
    cells: tuple[PlannedCell, ...]  # that were not planned yet
    known: Candidate | None = None  # where all of it was measured before


class OpenStage:
    """Grows by a configuration at a time, and knows when nothing of it is left to run."""

    def __init__(
        self,
        walk: Walk,
        position: int,
        *,
        open_search: OpenSearch,
        measured: Callable[[str], Measured],
    ) -> None:
        """Take in a stage as it has grown.

        Args:
            walk: That grew it.
            position: Of the stage in the tree, from 0.
            open_search: Opens the search of a branch (and group), holding nothing yet.
            measured: What a cell's trials reported.
        """
        self.position = position
        self._planner: Planner = walk.planner
        self._spec: StudySpec = walk.planner.spec
        self._results: Mapping[str, CellResult] = walk.planner.results
        self._measured = measured
        self._grown = walk.tree.stages[position]
        self._searches = searches_of(self._grown.stage, walk.branches)
        self._opened = [open_search(self._grown, each) for each in self._searches]
        self._rows: list[list[Configuration]] = [[] for _ in self._searches]
        self._candidates: dict[str, list[Candidate]] = {}  # by cell
        self._open: set[str] = {
            cell.id for cell in self._grown.cells() if cell.id not in self._results
        }
        self._is_stale = False
        self._take_in_configurations()

    @property
    def grown(self) -> GrownStage:
        """The stage as far as it is known."""
        if self._is_stale:
            self._is_stale = False
            every = tuple(each for row in self._rows for each in row)
            self._grown = replace(self._grown, configurations=every)
        return self._grown

    @property
    def is_run(self) -> bool:
        """Whether every cell that is known ended."""
        return not self._open

    @property
    def awaits_verdicts(self) -> bool:
        """Whether a pruner looks at trials while they run, or limits are held against them."""
        return self.has_limits or watches_epochs(self._grown.stage.rules)

    @property
    def has_limits(self) -> bool:
        """Whether facts of a trial have limits."""
        return bool(self._grown.stage.rules.constraints)

    @property
    def is_over(self) -> bool:
        """Whether a search that may compute so much and no more has done so."""
        measured = sum(len(each.cells) for row in self._rows for each in row)
        return self._grown.stage.work is not None and measured >= self._grown.planned_cells

    def must_grow_anew(self, added: Iterable[Added]) -> bool:
        """Whether proposals change more than themselves: others' names, or which are trained."""
        return self._grown.stage.after_training or any(
            isinstance(value, Mapping)
            for each in added
            for value in each.configuration.varied.values()
        )

    def searches(self) -> Iterator[StageSearch]:
        """Yield the searches."""
        yield from self._opened

    def holds(self, cell: str) -> bool:
        """Whether a configuration of the stage is measured by a cell."""
        return cell in self._candidates

    def take_in(self, cell: str) -> list[Candidate]:
        """Tell what a cell ended with; return the configurations that this completes."""
        self._open.discard(cell)
        complete = []
        for candidate in self._candidates.get(cell, ()):
            candidate.open.discard(cell)
            self._judge_replicates(candidate)
            if not candidate.open:
                self._tell(candidate)
                complete.append(candidate)
        return complete

    def propose(self) -> list[Added]:
        """Ask for what may follow what was told, and plan it."""
        added: list[Added] = []
        if self.is_over:
            return added
        while fresh := [each for index in range(len(self._opened)) for each in self._ask(index)]:
            added.extend(fresh)  # what is measured already may be followed by more
        return added

    def verdict(self, cell: str, curve: Mapping[int, float]) -> str | None:
        """Say why a trial is pruned; the first replicate of a configuration speaks for all."""
        rules = self._grown.stage.rules
        if rules.constraints and (reason := exceeded(rules, self._measured(cell).facts)):
            return reason
        for candidate in self._candidates.get(cell, ()):
            if not watches_epochs(rules):
                return None
            first = candidate.configuration.cells[0]
            if first.id == cell and max(curve, default=0) < first.settings.training.epochs:
                return candidate.search.verdict(candidate.number, curve)
            if candidate.pruned:
                return candidate.pruned
        return None

    def forgone(self) -> dict[str, str]:
        """Return the cells that need not be run, as their configuration is pruned, with why."""
        return {
            cell: candidate.pruned
            for candidates in self._candidates.values()
            for candidate in candidates
            if candidate.pruned
            for cell in candidate.open
        }

    def forgone_with(self, cell: str) -> dict[str, str]:
        """Return the cells that need not be run since a cell ended, with why."""
        return {
            other: candidate.pruned
            for candidate in self._candidates.get(cell, ())
            if candidate.pruned
            for other in candidate.open
        }

    def _take_in_configurations(self) -> None:
        """Give each search what the ledger holds of it."""
        rows: dict[str, list[Configuration]] = {each.name: [] for each in self._searches}
        names = self._names()
        for configuration in self._grown.configurations:
            rows[names(configuration)].append(configuration)
        for index, (search, opened) in enumerate(zip(self._searches, self._opened, strict=True)):
            row = self._rows[index] = rows[search.name]
            results = [
                configuration_result(
                    each,
                    self._results,
                    self._spec,
                    rules=self._grown.stage.rules,
                    measured=self._measured,
                    counts_work=self._grown.stage.work is not None,
                )
                for each in row
            ]
            opened.hold([each.varied for each in row], results)
            for number, each in enumerate(row):
                self._enlist(opened, number, each)

    def _names(self) -> Callable[[Configuration], str]:
        """Return what finds the search that a configuration belongs to, by its number."""
        most = max(1, self._grown.stage.candidates_per_branch)

        def name(configuration: Configuration) -> str:
            number = int(configuration.id.rpartition(".")[2]) - 1
            return self._searches[min(number // most, len(self._searches) - 1)].name

        return name

    def _enlist(self, search: StageSearch, number: int, configuration: Configuration) -> None:
        open_cells = {cell.id for cell in configuration.cells if cell.id not in self._results}
        candidate = Candidate(search, number, configuration, open_cells)
        for cell in configuration.cells:
            self._candidates.setdefault(cell.id, []).append(candidate)
        if open_cells:
            self._judge_replicates(candidate)

    def _judge_replicates(self, candidate: Candidate) -> None:
        """See whether what ended of a configuration prunes the rest of it."""
        rules = self._grown.stage.rules
        if candidate.pruned or not candidate.open:
            return
        cells = candidate.configuration.cells
        for cell in cells:
            result = self._results.get(cell.id)
            if result is not None and result.outcome is Outcome.PRUNED:
                candidate.pruned = f"not run: {replicate_name(cell)} was pruned"
                return
        if isinstance(rules.pruner, WilcoxonPruner):  # it compares replicates
            scores = self._scores(cells)
            reason = candidate.search.verdict(candidate.number, scores) if scores else None
            candidate.pruned = f"not run: {reason}" if reason else ""

    def _scores(self, cells: tuple[PlannedCell, ...]) -> dict[int, float]:
        metric = self._spec.objective.metric
        values = {
            step: objective_value(self._results[cell.id], metric)
            for step, cell in enumerate(cells)
            if cell.id in self._results
        }
        return {step: value for step, value in values.items() if value is not None}

    def _tell(self, candidate: Candidate) -> None:
        result = configuration_result(
            candidate.configuration,
            self._results,
            self._spec,
            rules=self._grown.stage.rules,
            measured=self._measured,
            counts_work=self._grown.stage.work is not None,
        )
        if result is not None:
            candidate.search.tell(candidate.number, result)

    def _ask(self, index: int) -> Iterator[Added]:
        search, opened = self._searches[index], self._opened[index]
        first = index * self._grown.stage.candidates_per_branch
        for proposal in opened.proposals():
            number = len(self._rows[index])
            before = len(self._planner.cells)
            configuration, _ = self._planner.configuration(
                self._grown.stage,
                search.branch,
                search.groups,
                varied=proposal.varied,
                id=configuration_id(self.position, first=first, number=number),
            )
            self._rows[index].append(configuration)
            self._is_stale = True
            self._enlist(opened, number, configuration)
            count = len(self._planner.cells) - before  # the last ones are those that it added
            fresh = tuple(islice(reversed(self._planner.cells.values()), count))[::-1]
            self._open |= {each.id for each in fresh if each.id not in self._results}
            stage = self._grown.stage.name
            known = None
            if all(cell.id in self._results for cell in configuration.cells):
                known = self._candidates[configuration.cells[0].id][-1]
                self._tell(known)
            yield Added(stage, search.name, number, proposal, configuration, fresh, known)
