"""The stages of a study in one form, whether the file says `tree`, `joint` or `base`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from studies.spec.schema import StudySpec
from studies.spec.search_schema import Range, Sampler, StageSpec, Vary

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
    sampler: Sampler | None
    trials: int | None
    is_restricted: bool  # `only` leaves classes out
    together: bool = False  # lists are gone through side by side

    @property
    def candidates_per_branch(self) -> int:
        """Configurations that each inherited branch is tried with."""
        return sum(1 for _ in self.combinations()) if self.trials is None else self.trials

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield what is tried of lists: dotted path -> value."""
        values = self.lists.values()
        chosen = zip(*values, strict=True) if self.together else product(*values)
        for each in chosen:
            yield dict(zip(self.lists, each, strict=True))

    def vary(self) -> dict[str, Any]:
        """Return what varies, as plain lists and mappings."""
        lists = {path: list(values) for path, values in self.lists.items()}
        ranges = {path: each.model_dump(mode="json") for path, each in self.ranges.items()}
        return {**lists, **ranges}


def groups_of(spec: StudySpec) -> tuple[str, ...]:
    """Return the classes that get a model each, or ("",) for one model for all."""
    return tuple(spec.data.classes) if spec.data.one_model_per_class else ("",)


def stages_of(spec: StudySpec) -> tuple[Stage, ...]:
    """Return the stages in the order they run."""
    stages = [_measure_base(spec)] if spec.search.base else []
    if spec.search.joint is not None:
        joint = spec.search.joint
        as_stage = StageSpec(
            stage=JOINT_STAGE, vary=joint.space, sampler=joint.sampler, trials=joint.trials
        )
        return (*stages, _fill_in(spec, as_stage))
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


def _fill_in(spec: StudySpec, stage: StageSpec) -> Stage:
    lists, ranges = _split_vary(stage.vary)
    every_group = groups_of(spec)
    wanted = stage.only.get("data.classes", list(every_group))
    groups = tuple(group for group in every_group if group in wanted)
    return Stage(
        name=stage.stage,
        lists=lists,
        ranges=ranges,
        held=dict(stage.with_),
        groups=groups,
        decides_per_group=stage.per is not None,
        beam=1 if stage.per else stage.beam or spec.search.select.beam,
        after_training=stage.after_training,
        sampler=stage.sampler,
        trials=stage.trials,
        is_restricted=groups != every_group,
        together=stage.together,
    )


def _split_vary(vary: Vary) -> tuple[dict[str, tuple[Any, ...]], dict[str, Range]]:
    lists = {path: tuple(values) for path, values in vary.items() if isinstance(values, list)}
    ranges = {path: values for path, values in vary.items() if isinstance(values, Range)}
    return lists, ranges
