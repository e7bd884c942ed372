"""The stages of a study in one form, whether the file says `tree`, `joint` or `base`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from studies.spec.sampling_schema import SearchRules
from studies.spec.schema import StudySpec
from studies.spec.search_schema import (
    Branches,
    JointSpec,
    Range,
    Sampler,
    StageSpec,
    Varied,
    Vary,
)
from studies.spec.tree_space import joint_space
from studies.tree.equal_compute import WorkBudget, budget_like

BASE_STAGE = "base"
JOINT_STAGE = "joint"


@dataclass(frozen=True, slots=True)
class Stage:
    """One branching point, with every default filled in."""

    name: str
    lists: Mapping[str, tuple[Any, ...]]  # dotted path -> values
    ranges: Mapping[str, Range]  # dotted path -> range, for a sampler
    held: Mapping[str, Any]  # `with`
    groups: tuple[str, ...]  # the classes measured in this stage; ("",) for one model for all
    decides_per_group: bool
    beam: int  # 1 where each class keeps its own winner
    after_training: bool
    sampler: Sampler | None  # None: every combination is tried, also with sampler `grid`
    trials: int | None  # that a sampler proposes; where `work` limits them, about so many
    is_restricted: bool  # `only` leaves classes out
    together: bool = False  # lists are gone through side by side
    branches: Mapping[str, Branches] = field(default_factory=dict)  # path -> choice -> its space
    rules: SearchRules = field(default_factory=SearchRules)
    work: WorkBudget | None = None  # ends a search in place of `trials`
    kind: str = "stage"  # or "confirmation", "probe": see StageRecord
    about: str = ""  # the stage that a confirmation or probe looks back on

    @property
    def candidates_per_branch(self) -> int:
        """Configurations that each inherited branch is tried with."""
        return sum(1 for _ in self.combinations()) if self.trials is None else self.trials

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield what is tried of lists and branches, and in a grid of ranges: path -> value."""
        if self.together:
            for each in zip(*self.lists.values(), strict=True):
                yield dict(zip(self.lists, each, strict=True))
        else:
            yield from _combinations(self.space(), with_ranges=self.sampler is None)

    def vary(self) -> dict[str, Any]:
        """Return what varies, as plain lists and mappings."""
        return {path: _plain(values) for path, values in self.space().items()}

    def space(self) -> Vary:
        """Return what varies as a study file has it: lists, then ranges, then branches."""
        lists = {path: list(values) for path, values in self.lists.items()}
        return {**lists, **self.ranges, **self.branches}


def groups_of(spec: StudySpec) -> tuple[str, ...]:
    """Return the classes that get a model each, or ("",) for one model for all."""
    return tuple(spec.data.classes) if spec.data.one_model_per_class else ("",)


def stages_of(spec: StudySpec) -> tuple[Stage, ...]:
    """Return the stages in the order they run."""
    stages = [_measure_base(spec)] if spec.search.base else []
    if spec.search.joint is not None:
        return (*stages, _joint_stage(spec, spec.search.joint))
    return (*stages, *(_fill_in(spec, stage) for stage in spec.search.tree))


def _measure_base(spec: StudySpec) -> Stage:
    return Stage(
        name=BASE_STAGE,
        lists={},
        ranges={},
        held={},
        groups=groups_of(spec),
        decides_per_group=False,
        beam=1,
        after_training=False,
        sampler=None,
        trials=None,
        is_restricted=False,
    )


def _joint_stage(spec: StudySpec, joint: JointSpec) -> Stage:
    rules = {name: getattr(joint, name) for name in SearchRules.model_fields}
    above = [_fill_in(spec, each) for each in spec.search.tree]
    work = budget_like(spec, above) if joint.like else None
    stage = StageSpec(
        stage=JOINT_STAGE,
        vary=joint_space(spec.search),
        sampler=joint.sampler,
        trials=joint.trials if work is None else work.configurations,
        **rules,
    )
    return replace(_fill_in(spec, stage), work=work)


def _fill_in(spec: StudySpec, stage: StageSpec) -> Stage:
    every_group = groups_of(spec)
    wanted = stage.only.get("data.classes", list(every_group))
    groups = tuple(group for group in every_group if group in wanted)
    is_grid = stage.sampler == "grid"
    vary = stage.vary.items()
    return Stage(
        name=stage.stage,
        lists={path: tuple(values) for path, values in vary if isinstance(values, list)},
        ranges={path: values for path, values in vary if isinstance(values, Range)},
        held=dict(stage.with_),
        groups=groups,
        decides_per_group=stage.per is not None,
        beam=1 if stage.per else stage.beam or spec.search.select.beam,
        after_training=stage.after_training,
        sampler=None if is_grid else stage.sampler,
        trials=None if is_grid else stage.trials,
        is_restricted=groups != every_group,
        together=stage.together,
        branches={path: values for path, values in vary if isinstance(values, dict)},
        rules=stage,
    )


def _combinations(space: Vary, *, with_ranges: bool) -> Iterator[dict[str, Any]]:
    """Yield every way through a space; a choice brings what varies where it is chosen."""
    options = [
        list(_options(path, values, with_ranges=with_ranges))
        for path, values in space.items()
        if with_ranges or not isinstance(values, Range)
    ]
    for chosen in product(*options):
        yield {path: value for each in chosen for path, value in each.items()}


def _options(path: str, values: Varied, *, with_ranges: bool) -> Iterator[dict[str, Any]]:
    if isinstance(values, Range):
        for value in values.values():
            yield {path: value}
    elif isinstance(values, list):
        for value in values:
            yield {path: value}
    else:
        for choice, space in values.items():
            for inner in _combinations(space, with_ranges=with_ranges):
                yield {path: choice, **inner}


def _plain(values: Varied) -> Any:  # noqa: ANN401  # JSON
    if isinstance(values, Range):
        return values.model_dump(mode="json")
    if isinstance(values, list):
        return values
    return {
        choice: {path: _plain(each) for path, each in space.items()}
        for choice, space in values.items()
    }
