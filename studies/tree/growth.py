"""Grow the tree: from a study and the results so far to every cell that is known to be needed.

A pure function. Results are keyed by the cell's fingerprint, so growing again after a crash, an
added seed or an added stage keeps everything that was measured and asks only for the rest.

    base settings ──stage──► configurations ──cells──► decision ──winner──► next stage …
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data_pipeline.settings import DataSettings
from reports.notation import brief_settings
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, for_class, with_changes
from studies.tree.afterwards import plan_afterwards, planned_afterwards
from studies.tree.assemblies import plan_assemblies
from studies.tree.cells import CellResult, PlannedCell, no_start
from studies.tree.grown import Branch, Configuration, GrownStage, Tree
from studies.tree.judging import ImageDifference, Judge
from studies.tree.planning import Planner
from studies.tree.replicates import replicate_count
from studies.tree.stages import Stage, groups_of, stages_of

Proposals = Mapping[str, Sequence[Mapping[str, Any]]]  # search name -> what a sampler proposed
SPENT: Mapping[str, Any] = {}  # last proposal of a search that has computed all it may


@dataclass(frozen=True, slots=True)
class Search:
    """The candidates of a stage that are proposed together: of one branch, and group."""

    name: str
    branch: Branch
    groups: tuple[str, ...]  # measured together


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk down the tree, and what is needed to take one step more."""

    tree: Tree
    planner: Planner
    branches: tuple[Branch, ...]  # what the first undecided stage inherits


def grow(
    spec: StudySpec,
    results: Mapping[str, CellResult],
    *,
    data_fingerprint: Callable[[DataSettings], str],
    start_fingerprint: Callable[[CellSettings], str] = no_start,
    proposals: Proposals | None = None,
    image_difference: ImageDifference | None = None,
) -> Tree:
    """Grow a study's tree as far as the results allow.

    Args:
        spec: The study.
        results: By cell.
        data_fingerprint: Hashes the data on disk.
        start_fingerprint: Hashes the weights that cells start from; "" of those that start anew.
        proposals: What samplers proposed.
        image_difference: Compares cells over images, where decisions are by them.
    """
    planner = Planner(spec, results, data_fingerprint, start_fingerprint)
    return walk(planner, proposals or {}, image_difference=image_difference).tree


def walk(
    planner: Planner, proposals: Proposals, *, image_difference: ImageDifference | None = None
) -> Walk:
    """Grow a study's tree as `grow` does; return what a further proposal is planned with."""
    spec = planner.spec
    judge = Judge(spec, planner.results, image_difference)
    branches = [_base_branch(spec)]
    inherited = [branches]
    expected = 1  # branches, also below an undecided stage
    grown: list[GrownStage] = []
    for stage in stages_of(spec):
        if grown and not grown[-1].decisions:
            count = _count_cells(spec, stage, branches=expected)
            grown.append(GrownStage(stage, (), (), (), planned_cells=count, is_settled=False))
        else:
            position = len(grown)
            planned = _grow_stage(planner, stage, branches, proposals, position=position)
            grown.append(judge.judge(planned, above=grown))
            branches = _inherit(grown[-1], branches)
            inherited.append(branches)
        most = min(stage.beam, expected * stage.candidates_per_branch)
        expected = len(branches) if grown[-1].decisions else most
    tree = Tree(tuple(grown))
    if not tree.is_complete:
        tree = replace(tree, afterwards=planned_afterwards(spec))
        return Walk(tree, planner, tuple(branches))
    settings = branches[0].settings
    assemblies = plan_assemblies(spec, settings, planner.results, planner.cell)
    after = plan_afterwards(spec, grown, inherited, plan=planner.cell, judge=judge)
    tree = replace(tree, assemblies=assemblies, afterwards=after)
    return Walk(tree, planner, tuple(branches))


def search_name(stage: str, branch: int, group: str) -> str:
    """Name the Optuna study of one branch (and group) of a stage."""
    return stage + (f" / {group}" if group else "") + (f" #{branch + 1}" if branch else "")


def _base_branch(spec: StudySpec) -> Branch:
    base = base_settings(spec)
    groups = groups_of(spec)
    settings = {group: for_class(base, group) if group else base for group in groups}
    return Branch(settings, dict.fromkeys(groups))


def _count_cells(spec: StudySpec, stage: Stage, *, branches: int) -> int:
    """Count the cells of a stage that inherits some branches, proposed or not."""
    return branches * stage.candidates_per_branch * len(stage.groups) * replicate_count(spec)


def searches_of(stage: Stage, branches: Sequence[Branch]) -> list[Search]:
    """Return what is searched apart: each branch, and with `per` each group."""
    together = [(group,) for group in stage.groups] if stage.decides_per_group else [stage.groups]
    return [
        Search(
            search_name(stage.name, number, groups[0] if stage.decides_per_group else ""),
            branch,
            groups,
        )
        for number, branch in enumerate(branches)
        for groups in together
    ]


def configuration_id(position: int, *, first: int, number: int) -> str:
    """Name a candidate of a stage; what other searches of it propose changes no name.

    Args:
        position: Of the stage, from 0.
        first: Candidates that earlier searches of the stage may have.
        number: Of the candidate in its search, from 0.
    """
    return f"{position + 1}.{first + number + 1}"


def _grow_stage(
    planner: Planner,
    stage: Stage,
    branches: Sequence[Branch],
    proposals: Proposals,
    *,
    position: int,
) -> GrownStage:
    configurations: list[Configuration] = []
    sources: dict[str, PlannedCell] = {}
    most = stage.candidates_per_branch
    for index, search in enumerate(searches_of(stage, branches)):
        for number, varied in enumerate(_candidates(stage, search, proposals)):
            candidate, needed = planner.configuration(
                stage,
                search.branch,
                search.groups,
                varied=varied,
                id=configuration_id(position, first=index * most, number=number),
            )
            sources.update(needed)
            configurations.append(candidate)
    choices = [each.varied for each in configurations]
    configurations = [
        replace(each, brief=brief_settings(each.varied, choices)) for each in configurations
    ]
    own = {cell.id for each in configurations for cell in each.cells}
    planned_cells = _count_cells(planner.spec, stage, branches=len(branches))
    if stage.work is not None:  # it ends when that is spent, which the last proposal says
        is_over = is_spent(proposals.get(stage.name, ()))
        measured = sum(len(each.cells) for each in configurations)
        planned_cells = measured if is_over else max(planned_cells, measured + 1)
    return GrownStage(
        stage=stage,
        configurations=tuple(configurations),
        sources=tuple(cell for cell in sources.values() if cell.id not in own),
        decisions=(),
        planned_cells=planned_cells,
        is_settled=False,
    )


def _candidates(stage: Stage, search: Search, proposals: Proposals) -> Iterator[Mapping[str, Any]]:
    """Yield what varies, of lists or of what a sampler proposed."""
    if stage.sampler is None:
        return stage.combinations()
    return (varied for varied in proposals.get(search.name, ()) if varied != SPENT)


def is_spent(proposed: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a search that may compute so much and no more has done so."""
    return bool(proposed) and proposed[-1] == SPENT


def _inherit(grown: GrownStage, branches: Sequence[Branch]) -> list[Branch]:
    """Return what the next stage inherits: one branch per winner, best first."""
    if not grown.decisions:
        return list(branches)
    by_id = {each.id: each for each in grown.configurations}
    if grown.stage.decides_per_group:
        return [_follow_each(branches, [by_id[each.winners[0]] for each in grown.decisions])]
    inherited = []
    for winner in grown.decisions[0].winners:
        configuration = by_id[winner]
        parent = next(
            branch for branch in branches if configuration.parent in branch.origin.values()
        )
        inherited.append(_follow(parent, configuration))
    return inherited


def _follow(branch: Branch, winner: Configuration) -> Branch:
    """Apply what a winner varied to its branch, also for classes that `only` left out.

    What `with` held was for the stage alone: an early stage may screen with few epochs.
    """
    settings = {
        group: with_changes(each, winner.varied) for group, each in branch.settings.items()
    }
    return Branch(settings, dict.fromkeys(settings, winner.id))


def _follow_each(branches: Sequence[Branch], winners: Sequence[Configuration]) -> Branch:
    """Give each class the settings of its own winner; classes left out keep the best branch's."""
    settings, origin = dict(branches[0].settings), dict(branches[0].origin)
    for winner in winners:
        group = winner.group
        parent = next(branch for branch in branches if branch.origin[group] == winner.parent)
        settings[group] = with_changes(parent.settings[group], winner.varied)
        origin[group] = winner.id
    return Branch(settings, origin)
