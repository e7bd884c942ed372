"""What the schema cannot say of a stage: its settings must exist, fit the base and each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from models.catalog import TASKS
from studies.spec.draft import Draft
from studies.spec.label_checks import NetworkLabels
from studies.spec.problems import Finding, Loc, did_you_mean
from studies.spec.schema import CellSettings
from studies.spec.search_schema import Range, StageSpec, Vary
from studies.spec.settings import affects_result, flatten
from studies.spec.settings_trial import Option, SettingsTrial, Step, options_of
from studies.spec.start_checks import FindStart
from studies.spec.wording import shown

THRESHOLD = "evaluation.threshold"
FIXED = ("data", "data.dataset", "data.one_model_per_class")


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
        yield from _sampler_findings(stage, loc)
        yield from _together_findings(stage, loc)
        yield from _after_training_findings(stage, loc, draft.task)
        yield from _class_findings(stage, loc, draft, classes)
    yield from _threshold_findings(draft)
    if draft.base is not None:
        trial = SettingsTrial(
            draft.base,
            draft.task,
            labels,
            objective=draft.objective.metric if draft.objective else None,
            study=str(draft.values.get("study")),
            find=find_start,
        )
        yield from _setting_findings(draft, draft.base, trial)


def _sampler_findings(stage: StageSpec, loc: Loc) -> Iterator[Finding]:
    """Ranges need someone to propose from them; lists are tried in full."""
    ranges = [path for path, values in stage.vary.items() if isinstance(values, Range)]
    if ranges and (stage.sampler is None or stage.trials is None):
        yield Finding(
            (*loc, "vary", ranges[0]),
            "a range needs `sampler` (who proposes values) and `trials` (how many) in its stage, "
            "e.g. sampler: tpe and trials: 20",
            on_key=True,
        )
    for key in ("sampler", "trials"):
        if not ranges and getattr(stage, key) is not None:
            message = f"'{key}' has no range to propose from: lists are tried in full; remove it"
            yield Finding((*loc, key), message, on_key=True)


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


@dataclass(frozen=True, slots=True)
class _Part:
    """A mapping of dotted settings in the study, to be held against the base."""

    loc: Loc
    stage: str  # "" in a joint search
    vary: Vary
    vary_key: str  # "vary" or "space"
    held: Mapping[str, Any]
    together: bool = False  # lists are gone through side by side


def _parts(draft: Draft) -> Iterator[_Part]:
    for index, stage in enumerate(draft.stages):
        if stage is not None:
            loc: Loc = ("search", "tree", index)
            yield _Part(loc, stage.stage, stage.vary, "vary", stage.with_, stage.together)
    if draft.joint is not None:
        loc = ("search", "joint")
        yield _Part(loc, "", draft.joint.space, "space", {})


def _threshold_findings(draft: Draft) -> Iterator[Finding]:
    """A threshold that is compared must be able to change the objective."""
    if draft.task is None or draft.objective is None:
        return
    metric = draft.objective.metric.split("/", 1)[1]
    task = TASKS[draft.task]
    if metric not in task.metrics or metric in task.at_threshold:
        return
    for part in _parts(draft):
        if THRESHOLD in part.vary:
            yield Finding(
                (*part.loc, part.vary_key, THRESHOLD),
                f"'{THRESHOLD}' does not change {metric}, by which the study chooses; "
                f"choose by one of {', '.join(task.at_threshold)}, or remove it",
                on_key=True,
            )


def _setting_findings(draft: Draft, base: CellSettings, trial: SettingsTrial) -> Iterator[Finding]:
    """Every setting must exist and every value be valid, alone and after the stages above."""
    paths = _setting_paths(base)
    for part in _parts(draft):
        held_loc, vary_loc = (*part.loc, "with"), (*part.loc, part.vary_key)
        unknown = {p: _path_problem(p, paths, base) for p in (*part.held, *part.vary)}
        for path in part.held:
            message = unknown[path]
            if message is None and path in part.vary:
                message = f"'{path}' is held by `with` and varied as well; remove one"
            if message:
                yield Finding((*held_loc, path), message, on_key=True)
        options: dict[str, list[Option]] = {}
        for path, values in part.vary.items():
            message = unknown[path]
            if message:
                yield Finding((*vary_loc, path), message, on_key=True)
            else:
                if not part.together:  # where a value may be there twice
                    yield from trial.value_findings((*vary_loc, path), path, values)
                options[path] = options_of((*vary_loc, path), values)
        held = {p: v for p, v in part.held.items() if not unknown[p] and p not in part.vary}
        step = Step(part.stage, vary_loc, held_loc, options, held, together=part.together)
        yield from trial.findings(step)


def _setting_paths(base: CellSettings) -> dict[str, bool]:
    """Return every dotted path, of single settings and of whole parts, and if it has an effect."""
    paths: dict[str, bool] = {}

    def walk(model: BaseModel, prefix: str, *, inherited: bool) -> None:
        for name, info in type(model).model_fields.items():
            has_effect = inherited and affects_result(info)
            paths[prefix + name] = has_effect
            value = getattr(model, name)
            if isinstance(value, BaseModel):
                walk(value, f"{prefix}{name}.", inherited=has_effect)

    walk(base, "", inherited=True)
    return paths


def _path_problem(path: str, paths: Mapping[str, bool], base: CellSettings) -> str | None:
    """Say why a stage cannot set a path, or None when it can."""
    if path not in paths:
        hint = did_you_mean(path, [known for known in paths if "." in known])
        if not hint:
            known = [p for p in flatten(base) if p.split(".")[0] == path.split(".")[0]]
            hint = f"; known: {', '.join(known or ('data.…', 'model.…', 'training.…'))}"
        return f"unknown setting '{path}'{hint}"
    if path in FIXED:
        return f"'{path}' is the same for a whole study; write one study for each value"
    if path.endswith(".name"):
        whole = path.removesuffix(".name")
        return f"set '{whole}' as a whole instead, e.g. {whole}: [{{name: …}}, {{name: …}}]"
    if not paths[path]:
        return f"'{path}' has no effect on results, so there is nothing to compare; remove it"
    return None
