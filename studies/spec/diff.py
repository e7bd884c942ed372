"""What changed between a study's first launch and this one, and whether it may go on.

Relaunching resumes. Each changed setting is one of three kinds:

* **extends**: asks for more, and everything measured stays valid. More replicates, stages
  appended at the end, values added to a stage's list (of a stage without sampler, whose choices
  are fixed once it has proposed), wider ranges, more trials, a wider beam, more classes in
  `only`, more epochs (their cells are trained anew), `search.base` switched on, a larger budget,
  an assembly.
* **neutral**: touches no result. Description, baselines, whose weights are kept, no assembly any
  more, another list of its thresholds, a smaller budget, where the data lies and how it is loaded,
  checkpoint frequency, how many configurations of a search run at a time.
* **refused**: makes it another study, whose numbers cannot stand beside the old ones. All else:
  task, objective, data, model, base settings, the time a cell may train, stages removed, renamed,
  reordered or asked something else, the rule of selection, any stage that a search is like.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from data_pipeline.catalog import DATASETS
from models.settings import TrainingSettings
from studies.spec.budget_schema import duration_s
from studies.spec.problems import Plain
from studies.spec.schema import StudySpec
from studies.spec.search_schema import RANGE_KEYS
from studies.spec.settings import affects_result, canonical
from trackers.dotted_paths import flatten_json

Kind = Literal["extends", "neutral", "refused"]


def _without_effect(section: str, settings: type[BaseModel]) -> set[str]:
    fields = settings.model_fields.items()
    return {f"{section}.{name}" for name, info in fields if not affects_result(info)}


NEUTRAL = frozenset({"description", "baselines", "weights"}).union(
    _without_effect("training", TrainingSettings),
    *(_without_effect("data", entry.settings) for entry in DATASETS.values()),
)
# Results depend on them, and the identities of cells do not.
BESIDE_IDENTITY = ("task", "objective", "budget.per_trial", "budget.prices", "budget.provider")
GROWING = frozenset({"training.epochs", "search.replicates", "search.select.beam"})


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that is not what it was."""

    path: str  # dotted; stages by name, as in --set
    old: Plain  # None also where there was nothing
    new: Plain
    kind: Kind


def classify_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Compare two resolved studies (`LoadedStudy.resolved`): settings first, then the search."""
    old = _with_todays_settings(old)
    before, after = _flat(old), _flat(new)
    changes = [
        Change(path, before.get(path), after.get(path), _kind(path, before, after))
        for path in dict.fromkeys((*before, *after))
        if not _same(before.get(path), after.get(path))
    ]
    return [*changes, *_search_changes(old["search"], new["search"])]


def _with_todays_settings(resolved: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add the settings that an earlier release did not have, at their defaults.

    The default of a new setting is what was done before there was one.
    """
    try:
        return StudySpec.model_validate(resolved).model_dump(mode="json", by_alias=True)
    except ValidationError:
        return resolved  # it has settings that there are no more: those are told as changes


def unlike(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Return for which changes not even the same cell has the same result in two studies."""
    return [
        change
        for change in classify_changes(old, new)
        if change.kind == "refused" and change.path.startswith(BESIDE_IDENTITY)
    ]


def is_refused(changes: Sequence[Change]) -> bool:
    """Say whether a study with these changes must not be resumed."""
    return any(change.kind == "refused" for change in changes)


def render_changes(changes: Sequence[Change], study: str) -> str:
    """Return the changes one per line and, where they are refused, the ways out."""
    width = max((len(change.path) for change in changes), default=0)
    lines = [
        f"  {change.kind:<8} {change.path:<{width}}  {_text(change.old)} -> {_text(change.new)}"
        for change in changes
    ]
    if is_refused(changes):
        lines = [
            f"study '{study}' cannot be resumed: it was launched with other settings, "
            "and their results cannot stand side by side",
            *lines,
            "undo what is marked refused, or launch it as a study of its own with --as NEW_NAME; "
            "visionstudy fork lets that begin with what was measured alike",
        ]
    return "\n".join(lines)


def _flat(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting but the stages and the joint search, by dotted path."""
    search = {k: v for k, v in study["search"].items() if k not in ("tree", "joint")}
    return flatten_json({**study, "search": search})


def _kind(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Kind:
    old, new = before.get(path), after.get(path)
    if path in NEUTRAL:
        return "neutral"
    if path == "assembly" or path.startswith("assembly."):
        is_less = new is None or (old and not new)
        return "neutral" if is_less or path == "assembly.thresholds" else "extends"
    if path == "search.probe" or path.startswith("search.confirm"):  # they follow the tree
        return "extends" if _grew(old or 0, new or 0) else "neutral"
    if path.startswith("budget.per_trial.") and path != "budget.per_trial.silence":
        return "refused"
    if path in ("budget.prices", "budget.provider"):  # they say when a limit of money cuts
        return "neutral" if before.get("budget.per_trial.money") is None else "refused"
    if path.startswith("budget."):
        return "extends" if _is_larger_budget(old, new) else "neutral"
    if path in GROWING and _grew(old, new):
        return "extends"
    return "extends" if path == "search.base" and new else "refused"


def _search_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = old.get("joint"), new.get("joint")
    if before is None and after is None:
        yield from _tree_changes(old["tree"], new["tree"])
    elif before is None or after is None:
        names = ["tree" if joint is None else "joint" for joint in (before, after)]
        yield Change("search", names[0], names[1], "refused")
    else:
        yield from _vary_changes("search.joint.space", before, after, key="space")
        yield from _other_changes("search.joint", before, after, skip=("space",))
        if before.get("like") or after.get("like"):  # the stages are its space and its budget
            for change in _tree_changes(old["tree"], new["tree"]):
                yield replace(change, kind="refused")


def _tree_changes(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> Iterator[Change]:
    for index, before in enumerate(old):
        after = new[index] if index < len(new) else None
        if after is None or after["stage"] != before["stage"]:
            name = after["stage"] if after else None
            yield Change(f"search.tree.{index}", before["stage"], name, "refused")
            return  # the stages below have moved too; one line says it
        path = f"search.tree.{before['stage']}"
        yield from _vary_changes(f"{path}.vary", before, after, key="vary")
        yield from _only_changes(f"{path}.only", before["only"], after["only"])
        yield from _other_changes(path, before, after, skip=("stage", "vary", "only"))
    for index in range(len(old), len(new)):
        yield Change(f"search.tree.{index}", None, new[index]["stage"], "extends")


def _vary_changes(
    path: str, old: Mapping[str, Any], new: Mapping[str, Any], *, key: str
) -> Iterator[Change]:
    before, after = old[key], new[key]
    for setting in dict.fromkeys((*before, *after)):
        values, others = before.get(setting), after.get(setting)
        if _same(values, others):
            continue
        kind: Kind = "refused"
        if isinstance(values, list) and isinstance(others, list):
            kind = _list_kind(values, others, is_sampled=old["sampler"] is not None)
        elif _is_range(values) and _is_range(others):
            kind = _range_kind(values, others)
        yield Change(f"{path}.{setting}", values, others, kind)


def _list_kind(old: list[Any], new: list[Any], *, is_sampled: bool) -> Kind:
    before, after = ({_text(canonical(value)) for value in values} for values in (old, new))
    if before == after:
        return "neutral"  # in another order
    return "extends" if before < after and not is_sampled else "refused"


def _is_range(values: object) -> bool:
    """Tell a range from branches, which may not change: what was proposed must stay a point."""
    return isinstance(values, Mapping) and values.keys() == RANGE_KEYS


def _range_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> Kind:
    same_grid = all(_same(old[key], new[key]) for key in ("log", "step", "integer"))
    is_wider = new["low"] <= old["low"] and new["high"] >= old["high"]
    return "extends" if same_grid and is_wider else "refused"


def _only_changes(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Compare restrictions; none at all is the widest."""
    for setting in dict.fromkeys((*old, *new)):
        before, after = old.get(setting), new.get(setting)
        if _same(before, after):
            continue
        is_wider = after is None or (before is not None and set(before) <= set(after))
        yield Change(f"{path}.{setting}", before, after, "extends" if is_wider else "refused")


def _other_changes(
    path: str, old: Mapping[str, Any], new: Mapping[str, Any], *, skip: tuple[str, ...]
) -> Iterator[Change]:
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        # A study of before a setting existed lacks it: as false, or nothing, as it is now.
        if key not in skip and not _same(before or None, after or None):
            grew = key in ("beam", "trials") and _grew(before, after)
            kind: Kind = "extends" if grew else "refused"
            yield Change(f"{path}.{key}", before, after, "neutral" if key == "parallel" else kind)


def _same(old: Plain, new: Plain) -> bool:
    return _text(canonical(old)) == _text(canonical(new))


def _grew(old: Plain, new: Plain) -> bool:
    return old is not None and new is not None and new > old


def _is_larger_budget(old: Plain, new: Plain) -> bool:
    """Compare limits; null is no limit, text is a duration."""
    if old is None or new is None:
        return new is None
    values = [duration_s(value) if isinstance(value, str) else value for value in (old, new)]
    return bool(values[1] > values[0])


def _text(value: Plain) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
