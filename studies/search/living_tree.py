"""The tree of a running study: grown from the ledger once, then a configuration at a time.

Growing anew is a pure function of the study and all its results (`tree.growth`), and takes as
long as there are cells. So it is done at launch, when a stage has run, and where something else
than one more result or proposal happened; what is done between gives the same tree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from data_pipeline.catalog import fingerprint_key
from data_pipeline.settings import DataSettings
from studies.search.measured import Measured
from studies.search.open_stage import Added, Candidate, OpenStage
from studies.search.optuna_copy import OptunaCopy
from studies.search.stage_search import Proposal, StageSearch, frozen_trial
from studies.search.told import configuration_result
from studies.search.warm_start import NOTHING_KNOWN, Start, StartOf, start_of_file
from studies.spec.pruner_checks import EPOCHS, most_epochs
from studies.spec.schema import StudySpec
from studies.tree.cells import CellResult
from studies.tree.grown import Configuration, GrownStage, Tree
from studies.tree.growth import SPENT, Search, Walk, search_name, walk
from studies.tree.ledger import Ledger
from studies.tree.ledger_plan import Addition
from studies.tree.planning import Planner
from studies.tree.sources import Sources
from studies.tree.stages import Stage
from trackers.records import ConfigurationRecord, StageRecord


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the tree."""

    tree: Tree
    added: tuple[Added, ...] | None  # in the open stage; None: anything may have changed
    forgone: Mapping[str, str]  # cells that need not be run -> why


class LivingTree:
    """Follows results; proposes, plans and decides what follows from them."""

    def __init__(
        self,
        spec: StudySpec,
        ledger: Ledger,
        *,
        copy: OptunaCopy,
        sources: Sources,
        measured: Callable[[str], Measured],
        start_of: StartOf = start_of_file,
    ) -> None:
        """Follow a study; `refresh` comes first.

        Args:
            spec: The study.
            ledger: Where it is kept.
            copy: Optuna's database.
            sources: What its cells hang on beside settings and results.
            measured: What a cell's trials reported.
            start_of: What a search starts with.
        """
        self._start_of = start_of
        self._spec = spec
        self._ledger = ledger
        self._copy = copy
        self._measured = measured
        self._sources = sources
        self._results: dict[str, CellResult] = {}
        self._proposals: dict[str, list[Mapping[str, object]]] = {}
        self._tree = Tree(())
        self._stage: OpenStage | None = None
        self._positions = 0  # cells in the running order
        self._copied = 0  # so many of the first stages are decided, and in Optuna's copy

    @property
    def results(self) -> Mapping[str, CellResult]:
        """What came of every cell that ended."""
        return self._results

    def refresh(self) -> Change:
        """Grow from what the ledger holds, and write the plan down."""
        study = self._spec.study
        self._results = self._ledger.results(study)
        self._proposals = {
            name: list(each) for name, each in self._ledger.proposals(study).items()
        }
        self._copied = 0
        return self._grow_anew()

    def take_in(self, cell: str) -> Change:
        """Follow what a cell that ended leads to."""
        self._results |= self._ledger.results(self._spec.study, cell)
        stage = self._stage
        if stage is None or not stage.holds(cell):
            return self._grow_anew()  # of an assembly, a confirmation, or trained to be re-scored
        complete = stage.take_in(cell)
        added = stage.propose()
        self._copy_some([*complete, *(each.known for each in added if each.known)])
        if stage.is_run or stage.must_grow_anew(added):
            self._write(stage, added)
            return self._grow_anew()
        if added:
            self._write(stage, added)
            self._place(stage)
        return Change(self._tree, tuple(added), stage.forgone_with(cell))

    def awaits_verdict(self, cell: str) -> bool:
        """Whether a pruner watches a cell's trials."""
        stage = self._stage
        return stage is not None and stage.awaits_verdicts and stage.holds(cell)

    def awaits_last_verdict(self, cell: str) -> bool:
        """Whether a cell may still turn out to exceed a limit when it is trained."""
        stage = self._stage
        return stage is not None and stage.has_limits and stage.holds(cell)

    def verdict(self, cell: str, curve: Mapping[int, float]) -> str | None:
        """Say why a trial is pruned after the last epoch of its curve; None: it goes on.

        Args:
            cell: Whose trial asks.
            curve: Epoch -> objective, of all its attempts.
        """
        return None if self._stage is None else self._stage.verdict(cell, curve)

    def _grow_anew(self) -> Change:
        """Grow from all results, until there is something to run or nothing left to propose."""
        planner = self._planner()
        walked = walk(planner, self._proposals, image_difference=self._sources.image_difference)
        stage = self._open_stage(walked)
        added = [] if stage is None else stage.propose()
        if stage is not None and added and (stage.is_run or stage.must_grow_anew(added)):
            self._write(stage, added)
            return self._grow_anew()
        if stage is not None and not added and stage.is_run and self._end_search(stage):
            return self._grow_anew()
        self._tree, self._stage = walked.tree, stage
        records = [stage_record(each) for each in walked.tree.every_stage]
        planned = walked.tree.cells()
        self._ledger.plan(self._spec.study, planned.values(), records)
        self._positions = len(planned)
        if stage is not None:
            self._write(stage, added)
            self._place(stage)
            self._copy_open(stage)
        decided = [each for each in walked.tree.stages if each.decisions]
        for grown in decided[self._copied :]:
            self._copy_decided(grown)
        self._copied = len(decided)
        return Change(self._tree, None, {} if stage is None else stage.forgone())

    def _end_search(self, stage: OpenStage) -> bool:
        """Write down that a search has computed all it may; False: it is limited otherwise."""
        name, proposed = stage.grown.stage.name, stage.grown.configurations
        if stage.grown.stage.work is None or stage.is_over or not proposed:
            return False
        self._ledger.save_proposal(
            self._spec.study, name, number=len(proposed), varied=SPENT, source="spent"
        )
        self._proposals[name].append(SPENT)
        return True

    def _planner(self) -> Planner:
        sources = self._sources
        return Planner(
            self._spec, self._results, sources.data_fingerprint, sources.start_fingerprint
        )

    def _open_stage(self, walked: Walk) -> OpenStage | None:
        """Open the first stage that is not decided."""
        for position, grown in enumerate(walked.tree.stages):
            if not grown.decisions:
                return OpenStage(
                    walked, position, open_search=self._open_search, measured=self._measured
                )
        return None

    def _open_search(self, grown: GrownStage, search: Search) -> StageSearch:
        start = self._start_of(grown.stage, search.branch, search.groups, self._planner())
        inherited = max(each.training.epochs for each in search.branch.settings.values())
        return self._search(grown.stage, search.name, epochs=inherited, start=start)

    def _search(
        self, stage: Stage, name: str, *, epochs: int, start: Start = NOTHING_KNOWN
    ) -> StageSearch:
        return StageSearch(
            stage,
            f"{self._spec.study} / {name}",
            maximize=self._spec.objective.direction == "maximize",
            epochs=most_epochs(stage.held.get(EPOCHS, epochs), stage.space()),
            first=[Proposal(varied, source) for varied, source in start.first],
            known=[
                frozen_trial(stage, each.varied, each.result, for_sampler=True)
                for each in start.known
            ],
        )

    def _write(self, stage: OpenStage, added: Sequence[Added]) -> None:
        """Write proposals down, with what they add to the plan."""
        additions = []
        for each in added:
            self._proposals.setdefault(each.search, []).append(each.proposal.varied)
            additions.append(
                Addition(
                    search=each.search,
                    number=each.number,
                    source=each.proposal.source,
                    stage=stage.position,
                    configuration=configuration_record(each.configuration),
                    cells=each.cells,
                    position=self._positions,
                )
            )
            self._positions += len(each.cells)
        if additions:
            self._ledger.extend(self._spec.study, additions)

    def _place(self, stage: OpenStage) -> None:
        """Put the open stage, as it is now, into the tree."""
        stages = list(self._tree.stages)
        stages[stage.position] = stage.grown
        self._tree = replace(self._tree, stages=tuple(stages))

    def _copy_some(self, complete: Sequence[Candidate]) -> None:
        for each in complete:
            trial = each.search.frozen(each.number)
            if trial is not None:
                name, directions = each.search.name, each.search.directions
                self._copy.add(name, directions, number=each.number, trial=trial)

    def _copy_open(self, stage: OpenStage) -> None:
        for search in stage.searches():
            self._copy.follow(search.name, search.directions, search.all_frozen())

    def _copy_decided(self, grown: GrownStage) -> None:
        """Have Optuna's copy of a whole stage looked through: nothing is added to it later."""
        for name, row in searches(grown):
            epochs = max(cell.settings.training.epochs for each in row for cell in each.cells)
            search = self._search(grown.stage, name, epochs=epochs)
            results = [
                configuration_result(
                    each,
                    self._results,
                    self._spec,
                    rules=grown.stage.rules,
                    measured=self._measured,
                )
                for each in row
            ]
            search.hold([each.varied for each in row], results)
            self._copy.follow(search.name, search.directions, search.all_frozen())


def searches(grown: GrownStage) -> Iterator[tuple[str, list[Configuration]]]:
    """Yield each search of a stage with its configurations, in the order they were proposed."""
    stage = grown.stage
    groups = stage.groups if stage.decides_per_group else ("",)
    most = max(1, stage.candidates_per_branch if stage.work is None else len(grown.configurations))
    rows: dict[int, list[Configuration]] = {}
    for each in grown.configurations:
        rows.setdefault((int(each.id.rpartition(".")[2]) - 1) // most, []).append(each)
    for index, row in rows.items():
        branch, group = divmod(index, len(groups))
        yield search_name(stage.name, branch, groups[group]), row


def stage_record(grown: GrownStage) -> StageRecord:
    """Turn a grown stage into the record that reports read."""
    stage = grown.stage
    return StageRecord(
        name=stage.name,
        after_training=stage.after_training,
        vary=stage.vary(),
        held=stage.held,
        only={"data.classes": list(stage.groups)} if stage.is_restricted else {},
        configurations=tuple(configuration_record(each) for each in grown.configurations),
        decisions=grown.decisions,
        planned_cells=grown.planned_cells,
        together=stage.together,
        kind=stage.kind,
        about=stage.about,
    )


def configuration_record(configuration: Configuration) -> ConfigurationRecord:
    """Turn a configuration into the record that reports read."""
    return ConfigurationRecord(
        id=configuration.id,
        parent=configuration.parent,
        varied=configuration.varied,
        group=configuration.group,
        cells=tuple(cell.id for cell in configuration.cells),
        brief=configuration.brief,
    )


def data_fingerprints(
    read: Callable[[DataSettings], str],
) -> Callable[[DataSettings], str]:
    """Return `read`, asked once per dataset: it reads the dataset's files.

    A dataset is the same however it is cut into folds, resized and augmented.
    """
    known: dict[str, str] = {}

    def fingerprint(settings: DataSettings) -> str:
        key = fingerprint_key(settings)
        if key not in known:
            known[key] = read(settings)
        return known[key]

    return fingerprint
