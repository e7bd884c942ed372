"""What is measured once a tree is decided: finalists on fresh seeds, and the way not taken.

    confirmation  the winner of the last trained stage, and those not told from its best mean, with
                  seeds that chose nothing. The winner was chosen for what its seeds scored, luck
                  included; on fresh seeds it has none of that luck (the winner's curse). It stays
                  the winner: whoever chose anew by the fresh seeds would need others to confirm
                  that. Cells of the old seeds are listed beside, to be compared with.
    probe         of each earlier stage the values beside the one it chose, everything else as the
                  tree ended: a greedy path decides early stages while later settings stand at
                  their base values, and what it missed for that shows here.

Lists have neighbours in their own order. A range's are a tenth of its width away, or one `step`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from reports.notation import brief_settings
from studies.spec.afterwards_checks import BESIDE, FRESH_SEEDS
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.search_schema import Range
from studies.spec.settings import flatten, with_changes
from studies.tree.assemblies import PlanCell
from studies.tree.cells import PlannedCell
from studies.tree.grown import Branch, Configuration, GrownStage
from studies.tree.judging import Judge
from studies.tree.stages import Stage, stages_of

CONFIRMATION, PROBE = "confirmation", "probe"
STEPS_OF_RANGE = 10
_Axis: TypeAlias = Sequence[Mapping[str, Any]] | Range


def planned_afterwards(spec: StudySpec) -> tuple[GrownStage, ...]:
    """Return what follows a tree that is not decided: how many cells at most, and no more."""
    waiting = []
    trees = stages_of(spec)
    trained = [stage for stage in trees if not stage.after_training]
    if spec.search.confirm is not None and trained:
        most = min(spec.search.confirm.finalists, trained[-1].candidates_per_branch)
        # What a later stage chose re-scores the runners-up of the old seeds too.
        re_scored = (most - 1) * spec.search.replicates if trees[-1].after_training else 0
        cells = (most * spec.search.confirm.seeds + re_scored) * len(trained[-1].groups)
        waiting.append(_waiting(_confirmation(trained[-1]), cells))
    if spec.search.probe:
        for stage in probed_stages(trees):
            most = sum(_most_neighbours(values) for values in _axes(stage).values())
            cells = most * len(stage.groups) * spec.search.replicates
            waiting.append(_waiting(_probe(stage), cells))
    return tuple(waiting)


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
    return [stage for stage in varying[:-1] if _axes(stage)]


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
    seeds = range(spec.search.replicates + wanted.seeds)
    configurations: list[Configuration] = []
    for group in stage.stage.groups if stage.stage.decides_per_group else ("",):
        winner = _ancestor(grown, at, branches[-1][0], group)
        for finalist in _finalists(stage, group, winner, wanted.finalists):
            parent = next(b for b in branches[at] if finalist.parent in b.origin.values())
            settings = {
                own: with_changes(
                    with_changes(parent.settings[own], finalist.varied),
                    _chosen_later(grown[at + 1 :], own),
                )
                for own in finalist.settings
            }
            configurations.append(
                Configuration(
                    id=f"c.{len(configurations) + 1}",
                    parent=finalist.id,
                    varied=finalist.varied,
                    group=group,
                    settings=settings,
                    cells=tuple(
                        plan(each, own, seed) for own, each in settings.items() for seed in seeds
                    ),
                    brief=finalist.brief,
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
        here = final.settings[groups[0]]
        for varied in (_as_it_is(grown.stage, here), *_neighbours(grown.stage, here)):
            settings = {own: with_changes(final.settings[own], varied) for own in groups}
            configurations.append(
                Configuration(
                    id=f"p{number + 1}.{len(configurations) + 1}",
                    parent=final.origin[groups[0]],
                    varied=varied,
                    group=groups[0] if grown.stage.decides_per_group else "",
                    settings=settings,
                    cells=_cells(settings, spec.search.replicates, plan),
                )
            )
    return _planned(_probe(grown.stage), configurations)


def _cells(
    settings: Mapping[str, CellSettings], seeds: int, plan: PlanCell
) -> tuple[PlannedCell, ...]:
    return tuple(plan(each, own, seed) for own, each in settings.items() for seed in range(seeds))


def _planned(stage: Stage, configurations: Sequence[Configuration]) -> GrownStage:
    choices = [each.varied for each in configurations]
    named = tuple(
        replace(each, brief=each.brief or brief_settings(each.varied, choices))
        for each in configurations
    )
    cells = sum(len(each.cells) for each in named)
    return GrownStage(stage, named, (), (), planned_cells=cells, is_settled=False)


def _axes(stage: Stage) -> dict[str, _Axis]:
    """Return what has an order in a stage: each setting, or those that go together as one."""
    if stage.together:
        return {", ".join(stage.lists): list(stage.combinations())}
    lists = {path: [{path: each} for each in values] for path, values in stage.lists.items()}
    axes: dict[str, _Axis] = {path: each for path, each in lists.items() if len(each) > 1}
    return axes | dict(stage.ranges)


def _most_neighbours(values: _Axis) -> int:
    return 2 if isinstance(values, Range) else min(2, len(values) - 1)


def _as_it_is(stage: Stage, final: CellSettings) -> dict[str, Any]:
    """Return what the final settings have for a stage's settings, as far as it has an order."""
    flat, found = flatten(final), dict[str, Any]()
    for path, values in _axes(stage).items():
        index = _place(final, values)
        if index is not None and not isinstance(values, Range):
            found |= values[index]
        elif path in flat:
            found[path] = flat[path]
    return found


def _neighbours(stage: Stage, final: CellSettings) -> Iterator[dict[str, Any]]:
    """Yield what one step beside the final settings changes; a later stage may have moved them."""
    for path, values in _axes(stage).items():
        if isinstance(values, Range):
            value: Any = flatten(final)[path]
            yield from ({path: each} for each in _beside(float(value), values))
        elif (here := _place(final, values)) is not None:
            beside = (here - 1, here + 1)
            yield from (dict(values[index]) for index in beside if 0 <= index < len(values))


def _place(final: CellSettings, values: _Axis) -> int | None:
    """Return where in a list the final settings are; None where a later stage moved them."""
    if isinstance(values, Range):
        return None
    return next((n for n, each in enumerate(values) if with_changes(final, each) == final), None)


def _beside(value: float, allowed: Range) -> list[float]:
    """Return one step down and one up, within the range."""
    if allowed.log:
        step = (allowed.high / allowed.low) ** (1 / STEPS_OF_RANGE)
        ends = [value / step, value * step]
    else:
        step = allowed.step or (allowed.high - allowed.low) / STEPS_OF_RANGE
        ends = [value - step, value + step]
    if allowed.integer:
        ends = [float(min(round(ends[0]), value - 1)), float(max(round(ends[1]), value + 1))]
    kept = [each for each in ends if allowed.low <= each <= allowed.high]
    return [int(each) for each in kept] if allowed.integer else kept
