"""What the schema cannot say of stages: their rules must go together, and their settings fit."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from models.catalog import TASKS
from studies.spec.branches import spots
from studies.spec.draft import Draft
from studies.spec.label_checks import NetworkLabels
from studies.spec.loss_checks import mixed_losses, mixed_losses_message
from studies.spec.problems import Finding, Loc, did_you_mean
from studies.spec.sampling_checks import sampler_findings, sampling_findings
from studies.spec.search_schema import StageSpec
from studies.spec.setting_checks import Part, setting_findings
from studies.spec.settings_trial import SettingsTrial
from studies.spec.start_checks import FindStart
from studies.spec.wording import shown

THRESHOLD = "evaluation.threshold"


def stage_findings(
    draft: Draft,
    classes: Sequence[str] | None,
    labels: NetworkLabels,
    find_start: FindStart,
) -> Iterator[Finding]:
    """Check the stages of a tree, or a joint search.

    Args:
        draft: The study as far as it could be read.
        classes: What the study trains on; None where that cannot be told.
        labels: What knows the labels of its networks.
        find_start: Looks for what a training starts from.
    """
    names: dict[str, int] = {}
    for index, stage in enumerate(draft.stages):
        if stage is None:
            continue
        loc: Loc = ("search", "tree", index)
        if stage.stage in names:
            first = names[stage.stage]
            message = f"stage '{stage.stage}' is already the name of stage {first}; rename one"
            yield Finding((*loc, "stage"), message)
        names.setdefault(stage.stage, index)
        yield from sampler_findings(stage, loc)
        yield from _together_findings(stage, loc)
        yield from _after_training_findings(stage, loc, draft.task)
        yield from _class_findings(stage, loc, draft, classes)
    yield from sampling_findings(draft)
    yield from _threshold_findings(draft)
    yield from _loss_findings(draft)
    if draft.base is not None:
        make_trial = partial(
            SettingsTrial,
            draft.base,
            draft.task,
            labels,
            objective=draft.objective.metric if draft.objective else None,
            study=str(draft.values.get("study")),
            find=find_start,
        )
        for parts in (_tree_parts(draft), _joint_parts(draft)):
            yield from setting_findings(parts, draft.base, make_trial())


def _together_findings(stage: StageSpec, loc: Loc) -> Iterator[Finding]:
    """Side by side, lists must be several and equally long."""
    if not stage.together:
        return
    lists = {path: v for path, v in stage.vary.items() if isinstance(v, list)}
    if len(lists) < len(stage.vary) or len(lists) < 2:
        message = "'together' needs two lists or more, and no range; give them, or remove it"
        yield Finding((*loc, "together"), message, on_key=True)
        return
    first, *others = lists
    for path in others:
        if len(lists[path]) != len(lists[first]):
            yield Finding(
                (*loc, "vary", path),
                f"must have {len(lists[first])} values, as many as '{first}', with which it goes "
                f"`together`, got {len(lists[path])}; add or remove some",
                on_key=True,
            )
            return
    combinations = list(zip(*lists.values(), strict=True))
    for index, values in enumerate(combinations):
        if values in combinations[:index]:
            place = (*loc, "vary", first, index)
            yield Finding(place, "these values are there together twice; remove one of each list")


def _after_training_findings(stage: StageSpec, loc: Loc, task: str | None) -> Iterator[Finding]:
    """Saved predictions can be scored again, and nothing else."""
    if not stage.after_training:
        return
    if task is not None and TASKS[task].rescore is None:
        message = f"predictions of task {task} cannot be scored again; remove after_training"
        yield Finding((*loc, "after_training"), message)
    for key, paths in (("vary", stage.vary), ("with", stage.with_)):
        for path in paths:
            if not path.startswith("evaluation."):
                yield Finding(
                    (*loc, key, path),
                    f"'{path}' needs training, and an after_training stage only scores again; "
                    "set evaluation settings, or remove after_training",
                    on_key=True,
                )


def _class_findings(
    stage: StageSpec, loc: Loc, draft: Draft, classes: Sequence[str] | None
) -> Iterator[Finding]:
    """`only` and `per` choose among the models of single classes."""
    is_certain = draft.is_certain("data", "one_model_per_class")
    for key in ("only", "per"):
        is_used = bool(getattr(stage, key))
        if is_used and is_certain and draft.data and not draft.data.one_model_per_class:
            yield Finding(
                (*loc, key),
                f"'{key}' chooses among models of single classes; "
                "set data.one_model_per_class: true, or remove it",
                on_key=True,
            )
    if stage.per is not None and (stage.beam or 1) > 1:
        yield Finding(
            (*loc, "beam"),
            f"beam {stage.beam} has no effect with `per`: each class keeps its one winner; "
            "remove one of the two",
            on_key=True,
        )
    for path, names in stage.only.items():
        if path == "data.classes":
            yield from _only_findings(names, (*loc, "only", path), classes)
        else:
            message = (
                f"'only' restricts data.classes and nothing else, got '{path}'; "
                "to hold a setting in this stage use `with`"
            )
            yield Finding((*loc, "only", path), message, on_key=True)


def _only_findings(
    names: Sequence[Any], loc: Loc, classes: Sequence[str] | None
) -> Iterator[Finding]:
    if not names:
        yield Finding(loc, "'only' must name at least one class; remove it for all classes")
    for index, name in enumerate(names):
        if names.index(name) < index:
            yield Finding((*loc, index), f"class {shown(name)} is there twice; remove one")
        elif classes is not None and name not in classes:
            hint = did_you_mean(str(name), classes) or f"; there are {', '.join(classes)}"
            yield Finding((*loc, index), f"class {shown(name)} is not in data.classes{hint}")


def _tree_parts(draft: Draft) -> Iterator[Part]:
    for index, stage in enumerate(draft.stages):
        if stage is not None:
            loc: Loc = ("search", "tree", index)
            yield Part(loc, stage.stage, stage.vary, "vary", stage.with_, stage.together)


def _joint_parts(draft: Draft) -> Iterator[Part]:
    if draft.joint is not None:
        key = "like" if draft.joint.like else "space"
        yield Part(("search", "joint"), "", draft.space, key, {})


def _threshold_findings(draft: Draft) -> Iterator[Finding]:
    """A threshold that is compared must be able to change the objective."""
    if draft.task is None or draft.objective is None:
        return
    metric = draft.objective.metric.split("/", 1)[1]
    task = TASKS[draft.task]
    if metric not in task.metrics or metric in task.at_threshold:
        return
    for part in (*_tree_parts(draft), *_joint_parts(draft)):
        for spot in spots(part.vary, (*part.loc, part.vary_key)):
            if spot.path != THRESHOLD:
                continue
            yield Finding(
                spot.loc,
                f"'{THRESHOLD}' does not change {metric}, by which the study chooses; "
                f"choose by one of {', '.join(task.at_threshold)}, or remove it",
                on_key=True,
            )


def _loss_findings(draft: Draft) -> Iterator[Finding]:
    """Losses of different kinds cannot be compared by the loss."""
    task, objective = draft.task, draft.objective
    if task is None or objective is None:
        return
    is_like_tree = draft.joint is not None and draft.joint.like is not None
    joint = () if is_like_tree else _joint_parts(draft)  # the stages say it already
    for part in (*_tree_parts(draft), *joint):
        for tried in mixed_losses(task, objective, part.vary, (*part.loc, part.vary_key)):
            yield Finding(tried.loc, mixed_losses_message(task, objective), on_key=True)
