"""What is measured once a tree is decided: finalists on fresh seeds, and the way not taken.

confirmation  the winner of the last trained stage, and those not told from its best mean, with
              seeds that chose nothing. The winner was chosen for what its seeds scored, luck
              included; on fresh seeds it has none of that luck (the winner's curse). It stays
              the winner: whoever chose anew by the fresh seeds would need others to confirm
              that. Cells of the old seeds are listed beside, to be compared with.
probe         of each earlier stage the values beside the one it chose, everything else as the
              tree ended: a greedy path decides early stages while later settings stand at
              their base values, and what it missed for that shows here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reports.notation import brief_settings
from studies.spec.afterwards_checks import BESIDE, FRESH_SEEDS
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import with_changes
from studies.tree.assemblies import PlanCell
from studies.tree.cells import PlannedCell
from studies.tree.grown import Branch, Configuration, GrownStage
from studies.tree.judging import Judge
from studies.tree.neighbours import as_it_is, axes, most_neighbours, neighbours
from studies.tree.replicates import Replicate, folds_of, replicate_count, replicates_of
from studies.tree.stages import Stage, groups_of, stages_of

CONFIRMATION, PROBE = "confirmation", "probe"


def planned_afterwards(spec: StudySpec) -> tuple[GrownStage, ...]:
    """Return what follows a tree that is not decided: how many cells at most, and no more."""
    trees = stages_of(spec)
    confirmation = [_planned_confirmation(spec, trees)] if spec.search.confirm is not None else []
    return (
        *(each for each in confirmation if each is not None),
        *(_planned_probes(spec, trees) if spec.search.probe else ()),
    )


def _planned_confirmation(spec: StudySpec, trees: Sequence[Stage]) -> GrownStage | None:
    """Return the confirmation of the last trained stage; None where every stage re-scores."""
    wanted = spec.search.confirm
    at = max((n for n, each in enumerate(trees) if not each.after_training), default=None)
    if wanted is None or at is None:
        return None
    branches = trees[at - 1].beam if at else 1
    most = min(wanted.finalists, branches * trees[at].candidates_per_branch)
    # What a later stage chose re-scores the old seeds too; the winner's are, unless it holds more.
    known = 0 if trees[-1].held or trees[-1].is_restricted else 1
    re_scored = (most - known) * replicate_count(spec) if trees[-1].after_training else 0
    fresh = most * wanted.seeds * folds_of(spec)
    cells = (fresh + re_scored) * len(trees[at].groups)
    return _waiting(_confirmation(trees[at]), cells)


def _planned_probes(spec: StudySpec, trees: Sequence[Stage]) -> Iterator[GrownStage]:
    """Yield the probes: neighbours, and the final settings where no stage measures them."""
    unmeasured = set(trees[-1].groups) if trees[-1].held else set()
    if trees[-1].is_restricted:
        unmeasured = set(groups_of(spec))
    for stage in probed_stages(trees):
        cells = most_neighbours(stage) * len(stage.groups) + len(unmeasured & {*stage.groups})
        unmeasured -= {*stage.groups}
        yield _waiting(_probe(stage), cells * replicate_count(spec))


def plan_afterwards(
    spec: StudySpec,
    grown: Sequence[GrownStage],
    branches: Sequence[Sequence[Branch]],
    *,
    plan: PlanCell,
    judge: Judge,
) -> tuple[GrownStage, ...]:
    """Plan what follows a decided tree, and decide what of it ended.

    Args:
        spec: The study.
        grown: Its stages, all decided.
        branches: What each stage inherited, and what the last one leaves behind, best first.
        plan: Finds a cell, or plans it.
        judge: Decides.
    """
    found = []
    trained = [n for n, each in enumerate(grown) if not each.stage.after_training]
    if spec.search.confirm is not None and trained:
        confirmation = _confirm(spec, grown, branches, at=trained[-1], plan=plan)
        first = spec.search.replicates
        found.append(judge.judge(confirmation, has_reference=True, first_seed=first))
    if spec.search.probe:
        names = [stage.name for stage in probed_stages([each.stage for each in grown])]
        for number, each in enumerate(grown):
            if each.stage.name in names:
                probe = _look_beside(spec, each, branches[-1][0], number=number, plan=plan)
                found.append(judge.judge(probe, above=grown, has_reference=True))
    return tuple(found)


def probed_stages(stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages that decided before later settings were known: all but the last."""
    varying = [stage for stage in stages if stage.lists or stage.ranges]
    return [stage for stage in varying[:-1] if axes(stage)]


def _waiting(stage: Stage, cells: int) -> GrownStage:
    return GrownStage(stage, (), (), (), planned_cells=cells, is_settled=False)


def _confirmation(stage: Stage) -> Stage:
    return _after(stage, FRESH_SEEDS, CONFIRMATION)


def _probe(stage: Stage) -> Stage:
    return _after(stage, f"{BESIDE}{stage.name}", PROBE)


def _after(stage: Stage, name: str, kind: str) -> Stage:
    """Return a stage that looks back on one."""
    return Stage(
        name=name,
        lists={},
        ranges={},
        held={},
        groups=stage.groups,
        decides_per_group=stage.decides_per_group,
        beam=1,
        after_training=False,
        sampler=None,
        trials=None,
        is_restricted=stage.is_restricted,
        kind=kind,
        about=stage.name,
    )


def _confirm(
    spec: StudySpec,
    grown: Sequence[GrownStage],
    branches: Sequence[Sequence[Branch]],
    *,
    at: int,
    plan: PlanCell,
) -> GrownStage:
    """Plan the finalists of the stage `at`, with what later stages re-scored them by."""
    stage, wanted = grown[at], spec.search.confirm
    assert wanted is not None
    configurations: list[Configuration] = []
    for group in stage.stage.groups if stage.stage.decides_per_group else ("",):
        winner = _ancestor(grown, at, branches[-1][0], group)
        for finalist in _finalists(stage, group, winner, wanted.finalists):
            parent = next(b for b in branches[at] if finalist.parent in b.origin.values())
            trained = {
                own: with_changes(parent.settings[own], finalist.varied)
                for own in finalist.settings
            }
            # Where the stage held something, as few epochs, its seeds measured something else.
            first = 0 if trained == finalist.settings else spec.search.replicates
            settings = {
                own: with_changes(each, _chosen_later(grown[at + 1 :], own))
                for own, each in trained.items()
            }
            seeds = range(first, spec.search.replicates + wanted.seeds)
            configurations.append(
                replace(
                    finalist,
                    id=f"c.{len(configurations) + 1}",
                    parent=finalist.id,
                    group=group,
                    settings=settings,
                    cells=_cells(settings, replicates_of(spec, seeds), plan),
                )
            )
    return _planned(_confirmation(stage.stage), configurations)


def _finalists(
    stage: GrownStage, group: str, winner: Configuration, most: int
) -> list[Configuration]:
    """Return the winner, then those that its decision cannot tell from the best, best first."""
    decision = next(each for each in stage.decisions if each.group == group)
    sign = -1.0 if decision.direction == "maximize" else 1.0
    tied = sorted(
        (each for each in decision.candidates if each.is_tied and not each.missing),
        key=lambda each: sign * each.mean,
    )
    by_id = {each.id: each for each in stage.configurations}
    others = [by_id[each.configuration] for each in tied if each.configuration != winner.id]
    return [winner, *others][:most]


def _ancestor(grown: Sequence[GrownStage], at: int, final: Branch, group: str) -> Configuration:
    """Return the configuration of a stage that the tree's final settings descend from."""
    stage = grown[at]
    known = {each.id: each for below in grown[at:] for each in below.configurations}
    own = {each.id for each in stage.configurations}
    found = final.origin[group or stage.stage.groups[0]]
    while found is not None and found not in own:
        found = known[found].parent if found in known else None
    decision = next(each for each in stage.decisions if each.group == group)
    return known[found if found is not None else decision.winners[0]]


def _chosen_later(stages: Sequence[GrownStage], group: str) -> dict[str, Any]:
    """Return what stages after a trained one chose for a class: settings that re-score."""
    chosen: dict[str, Any] = {}
    for grown in stages:
        by_id = {each.id: each for each in grown.configurations}
        for decision in grown.decisions:
            if decision.group in ("", group):
                chosen |= by_id[decision.winners[0]].varied
    return chosen


def _look_beside(
    spec: StudySpec, grown: GrownStage, final: Branch, *, number: int, plan: PlanCell
) -> GrownStage:
    """Plan the final settings, and those one step beside what a stage chose."""
    configurations: list[Configuration] = []
    together: list[tuple[str, ...]] = [grown.stage.groups]
    if grown.stage.decides_per_group:
        together = [(group,) for group in grown.stage.groups]
    for groups in together:
        finals = {own: final.settings[own] for own in groups}
        here = as_it_is(grown.stage, finals[groups[0]])
        beside = ((each, each) for each in neighbours(grown.stage, finals))
        for varied, changes in ((here, {}), *beside):
            settings = {own: with_changes(each, changes) for own, each in finals.items()}
            configurations.append(
                Configuration(
                    id=f"p{number + 1}.{len(configurations) + 1}",
                    parent=final.origin[groups[0]],
                    varied=varied,
                    group=groups[0] if grown.stage.decides_per_group else "",
                    settings=settings,
                    cells=_cells(settings, replicates_of(spec), plan),
                )
            )
    return _planned(_probe(grown.stage), configurations)


def _cells(
    settings: Mapping[str, CellSettings], replicates: Sequence[Replicate], plan: PlanCell
) -> tuple[PlannedCell, ...]:
    return tuple(plan(each, own, one) for own, each in settings.items() for one in replicates)


def _planned(stage: Stage, configurations: Sequence[Configuration]) -> GrownStage:
    choices = [each.varied for each in configurations]
    named = tuple(
        replace(each, brief=each.brief or brief_settings(each.varied, choices))
        for each in configurations
    )
    cells = sum(len(each.cells) for each in named)
    return GrownStage(stage, named, (), (), planned_cells=cells, is_settled=False)
