"""What the schema cannot say of sampling: a rule of a search must be able to do something."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from models.catalog import MODELS, TASKS
from studies.spec.branches import is_conditional, spots
from studies.spec.draft import Draft
from studies.spec.problems import Finding, Loc, did_you_mean
from studies.spec.pruner_checks import pruner_findings
from studies.spec.sampling_schema import FACTS, SearchRules
from studies.spec.search_schema import Range, Sampler, StageSpec, Vary
from studies.spec.start_points import point_fault
from studies.spec.tree_space import SpaceConflictError, joint_space

RULES = tuple(SearchRules.model_fields)
NEEDS = {"cmaes": "cmaes", "gp": "torch"}  # sampler -> package that Optuna asks for at its use
# Of a trainer without a network there is nothing to count or time.
OF_NETWORKS = ("parameters", "macs", "latency_ms")
# They model a space that has the same settings everywhere.
UNCONDITIONAL = ("gp", "cmaes", "qmc")
INDIFFERENT = ("random", "qmc", "grid")  # to results: all they propose may run at once


@dataclass(frozen=True, slots=True)
class Sampling:
    """A search as its rules see it."""

    loc: Loc
    space_loc: Loc
    space: Vary
    rules: SearchRules
    sampler: Sampler | None
    trials: int | None
    held: Mapping[str, Any] = field(default_factory=dict)  # `with`


def sampling_findings(draft: Draft) -> Iterator[Finding]:
    """Check the rules of every stage, and of a joint search."""
    for index, stage in enumerate(draft.stages):
        if stage is not None:
            loc: Loc = ("search", "tree", index)
            vary_loc = (*loc, "vary")
            sampling = Sampling(
                loc, vary_loc, stage.vary, stage, stage.sampler, stage.trials, stage.with_
            )
            yield from _idle_rule_findings(stage, loc)
            yield from _findings(sampling, draft)
    joint = draft.joint
    if joint is None:
        return
    loc = ("search", "joint")
    yield from _like_findings(draft)
    space_loc = (*loc, "like" if joint.like else "space")
    sampling = Sampling(loc, space_loc, draft.space, joint, joint.sampler, joint.trials)
    if joint.trials is None and joint.sampler != "grid" and not joint.like:
        message = (
            f"'trials' is required but missing: how many configurations {joint.sampler} "
            "proposes, e.g. trials: 40"
        )
        yield Finding((*loc, "trials"), message)
    yield from _grid_findings(sampling)
    yield from _findings(sampling, draft)


def sampler_findings(stage: StageSpec, loc: Loc) -> Iterator[Finding]:
    """Ranges and branches need someone to propose from them; lists are tried in full."""
    sampled = [path for path, values in stage.vary.items() if not isinstance(values, list)]
    sampling = Sampling(loc, (*loc, "vary"), stage.vary, stage, stage.sampler, stage.trials)
    if stage.sampler == "grid":
        yield from _grid_findings(sampling)
        return
    if sampled and (stage.sampler is None or stage.trials is None):
        what = "a range needs" if isinstance(stage.vary[sampled[0]], Range) else "branches need"
        yield Finding(
            (*loc, "vary", sampled[0]),
            f"{what} `sampler` (who proposes values) and `trials` (how many) in its stage, "
            "e.g. sampler: tpe and trials: 20",
            on_key=True,
        )
    for key in ("sampler", "trials"):
        if not sampled and getattr(stage, key) is not None:
            message = f"'{key}' has no range to propose from: lists are tried in full; remove it"
            yield Finding((*loc, key), message, on_key=True)


def _idle_rule_findings(stage: StageSpec, loc: Loc) -> Iterator[Finding]:
    """Rules are of a search with a sampler."""
    for name in RULES:
        if not getattr(stage, name):
            continue
        if stage.after_training:
            message = f"'{name}' has nothing to act on where nothing is trained; remove it"
            yield Finding((*loc, name), message, on_key=True)
        elif stage.sampler is None:
            message = (
                f"'{name}' needs a `sampler` in its stage, and lists may have `sampler: grid`; "
                "add one, or remove it"
            )
            yield Finding((*loc, name), message, on_key=True)


def _like_findings(draft: Draft) -> Iterator[Finding]:
    search = draft.values.get("search")
    if search is None or draft.joint is None or not draft.joint.like:
        return
    loc: Loc = ("search", "joint")
    try:
        joint_space(search)
    except SpaceConflictError as error:
        yield Finding((*loc, "like"), str(error))
    if draft.joint.trials is not None:
        message = "'trials' has no effect: the tree's training says how many there are; remove it"
        yield Finding((*loc, "trials"), message, on_key=True)
    if draft.joint.sampler == "grid":
        message = (
            "'grid' tries every combination, whatever that costs, and `like: tree` may train as "
            "much as the tree; use tpe or random"
        )
        yield Finding((*loc, "sampler"), message)


def _grid_findings(sampling: Sampling) -> Iterator[Finding]:
    """A grid is all combinations of what can be counted."""
    if sampling.sampler != "grid":
        return
    if sampling.trials is not None:
        message = "'trials' has no effect on a grid, which is tried in full; remove it"
        yield Finding((*sampling.loc, "trials"), message, on_key=True)
    for spot in spots(sampling.space, sampling.space_loc):
        if isinstance(spot.values, Range) and not spot.values.is_countable:
            message = (
                "a grid needs a range with `step`, or a list; add step, or use another sampler"
            )
            yield Finding(spot.loc, message, on_key=True)


def _findings(sampling: Sampling, draft: Draft) -> Iterator[Finding]:
    if sampling.sampler is None:
        return
    yield from _space_findings(sampling)
    yield from _second_findings(sampling, draft)
    yield from _constraint_findings(sampling, draft)
    yield from _warm_start_findings(sampling)
    if sampling.rules.parallel and sampling.sampler in INDIFFERENT:
        message = (
            f"'parallel' has no effect on '{sampling.sampler}', whose proposals wait for no "
            "result: all may run at once; remove it"
        )
        yield Finding((*sampling.loc, "parallel"), message, on_key=True)
    if sampling.rules.pruner is not None:
        yield from pruner_findings(
            sampling.rules.pruner,
            (*sampling.loc, "pruner"),
            draft,
            space=sampling.space,
            held=sampling.held,
            trials=sampling.trials,
        )


def _space_findings(sampling: Sampling) -> Iterator[Finding]:
    """Some samplers propose from some spaces only."""
    sampler, loc = sampling.sampler, (*sampling.loc, "sampler")
    package = NEEDS.get(str(sampler))
    if package is not None and find_spec(package) is None:
        message = f"'{sampler}' needs the package {package}; pip install {package}, or use tpe"
        yield Finding(loc, message)
    if sampler in UNCONDITIONAL and is_conditional(sampling.space):
        message = (
            f"'{sampler}' needs the same settings in every configuration, and some vary only "
            "with a choice; use tpe, random, nsga2 or grid"
        )
        yield Finding(loc, message)
        return
    if sampler != "cmaes":
        return
    lists = [path for path, values in sampling.space.items() if isinstance(values, list)]
    if lists:
        message = (
            f"'cmaes' proposes numbers of ranges, and '{lists[0]}' is a list; make it a range, "
            "or use tpe"
        )
        yield Finding(loc, message)
    elif len(sampling.space) < 2:
        message = "'cmaes' learns how settings go together, and there is one; use tpe or gp"
        yield Finding(loc, message)


def _second_findings(sampling: Sampling, draft: Draft) -> Iterator[Finding]:
    """Two objectives need a sampler that takes them, and something to measure."""
    second, loc = sampling.rules.second, (*sampling.loc, "second")
    if sampling.sampler == "nsga2" and second is None:
        message = "'nsga2' searches between two objectives; add `second`, or use tpe"
        yield Finding((*sampling.loc, "sampler"), message)
    if second is None:
        return
    if sampling.sampler != "nsga2":
        message = f"a second objective needs `sampler: nsga2`, got {sampling.sampler}"
        yield Finding(loc, f"{message}; or make it one of `constraints`", on_key=True)
    if sampling.rules.pruner is not None:
        message = "a pruner compares one objective, and there is a `second`; remove one of the two"
        yield Finding((*sampling.loc, "pruner"), message, on_key=True)
    if draft.objective is None or draft.task is None:
        return
    split = draft.objective.metric.split("/")[0]
    metrics = [f"{split}/{name}" for name in TASKS[draft.task].metrics]
    if second.metric == draft.objective.metric:
        yield Finding((*loc, "metric"), f"'{second.metric}' is the first objective already")
    elif second.metric not in FACTS and second.metric not in metrics:
        hint = did_you_mean(second.metric, [*FACTS, *metrics])
        known = ", ".join([*FACTS, *metrics])
        yield Finding((*loc, "metric"), f"unknown metric '{second.metric}'{hint} (known: {known})")
    else:
        yield from _unmeasured(second.metric, (*loc, "metric"), draft, on_key=False)


def _constraint_findings(sampling: Sampling, draft: Draft) -> Iterator[Finding]:
    for name in sampling.rules.constraints:
        loc = (*sampling.loc, "constraints", name)
        if name not in FACTS:
            hint = did_you_mean(name, FACTS)
            message = f"unknown fact '{name}'{hint} (measured: {', '.join(FACTS)})"
            yield Finding(loc, message, on_key=True)
        else:
            yield from _unmeasured(name, loc, draft, on_key=True)


def _unmeasured(fact: str, loc: Loc, draft: Draft, *, on_key: bool) -> Iterator[Finding]:
    if draft.model is None or fact not in OF_NETWORKS:
        return
    if MODELS[draft.model.name].builder is None:
        message = f"model '{draft.model.name}' has no network to measure '{fact}' of; remove it"
        yield Finding(loc, message, on_key=on_key)


def _warm_start_findings(sampling: Sampling) -> Iterator[Finding]:
    warm = sampling.rules.warm_start
    if warm is None:
        return
    loc = (*sampling.loc, "warm_start")
    if sampling.sampler == "grid":
        message = "'warm_start' has no effect on a grid, which tries everything; remove it"
        yield Finding(loc, message, on_key=True)
        return
    if not warm.values and not warm.studies:
        yield Finding(loc, "must name `values` or `studies`, got neither; give some, or remove it")
    for index, point in enumerate(warm.values):
        place = (*loc, "values", index)
        fault = point_fault(point, sampling.space)
        if fault is not None:
            yield Finding(place, fault)
        elif point in warm.values[:index]:
            yield Finding(place, "this configuration is there twice; remove one")
    if sampling.trials is not None and len(warm.values) > sampling.trials:
        message = (
            f"must be at most {sampling.trials} configurations, which is all of `trials`, got "
            f"{len(warm.values)}; raise trials, or remove some"
        )
        yield Finding((*loc, "values"), message)
