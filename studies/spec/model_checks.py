"""What the models of a study make nothing of: training settings, and metrics to be chosen by.

A study may hold a network's training beside a reference that learns nothing by it. So a setting
is refused only where every model that it can be tried with makes nothing of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.catalog import MODELS
from models.settings import ModelSettings, TrainingSettings
from studies.spec.branches import spots
from studies.spec.draft import Draft
from studies.spec.problems import Finding, Loc
from studies.spec.search_schema import Varied, Vary

TRAINING = "training"
# It changes no result, but how many images are read at once: something to set, not to compare.
READING = "batch_size"


def objective_fault(model: ModelSettings, objective: str | None) -> str | None:
    """Return what must hold where a model is not to be chosen by a metric, such as "val/loss"."""
    rule = MODELS[model.name].objective_rule
    return None if rule is None or objective is None else rule(model, objective)


def recording_fault(model: ModelSettings, training: TrainingSettings) -> tuple[str, str] | None:
    """Return the dotted setting, and what must hold, where a model was not recorded so."""
    rule = MODELS[model.name].training_rule
    message = None if rule is None else rule(model, training)
    return (f"{TRAINING}.{message.split(' ', 1)[0]}", message) if message else None


def recording_findings(draft: Draft) -> Iterator[Finding]:
    """Check that a model which plays back recordings has what the base asks for, and the seeds."""
    if draft.model is None or draft.training is None:
        return
    fault = recording_fault(draft.model, draft.training)
    if fault is not None:
        path, message = fault
        yield Finding(tuple(path.split(".")), message)
    count, search = MODELS[draft.model.name].most_seeds, draft.values.get("search")
    if count is not None and search and search.replicates > count(draft.model):
        message = f"must be at most {count(draft.model)}, the seeds that {draft.model.name} has"
        yield Finding(("search", "replicates"), f"{message}, got {search.replicates}")


@dataclass(frozen=True, slots=True)
class _Tried:
    """What a stage or a joint search gives settings, and where the study says so."""

    varied_loc: Loc
    held_loc: Loc
    varied: Vary
    held: Mapping[str, Any]

    @property
    def models(self) -> set[str]:
        """Names of models that it sets itself."""
        values = [*_listed(self.varied.get("model")), self.held.get("model")]
        names = {str(value.get("name")) for value in values if isinstance(value, Mapping)}
        return names & MODELS.keys()


def idle_training_findings(draft: Draft) -> Iterator[Finding]:
    """Find training settings that no model learns by: of a stage, and of the whole study."""
    if draft.model is None or draft.training is None or None in draft.stages:
        return  # what cannot be read may name a model that learns
    inherited = {draft.model.name}
    for tried in _all_tried(draft):
        yield from _idle_findings(tried, tried.models or inherited)
        inherited |= tried.models
    usual = TrainingSettings()
    for name in _idle(inherited):
        if name != READING and getattr(draft.training, name) != getattr(usual, name):
            yield Finding((TRAINING, name), _message(name, inherited), on_key=True)


def _all_tried(draft: Draft) -> Iterator[_Tried]:
    for index, stage in enumerate(draft.stages):
        if stage is not None:
            loc: Loc = ("search", "tree", index)
            yield _Tried((*loc, "vary"), (*loc, "with"), stage.vary, stage.with_)
    if draft.joint is not None:
        loc = ("search", "joint")
        yield _Tried((*loc, "space"), (*loc, "with"), draft.space, {})


def _idle_findings(tried: _Tried, models: set[str]) -> Iterator[Finding]:
    idle = _idle(models)
    varied = spots(tried.varied, tried.varied_loc)
    given = [(spot.loc, spot.path, _listed(spot.values)) for spot in varied]
    given += [((*tried.held_loc, path), path, [value]) for path, value in tried.held.items()]
    for loc, path, values in given:
        names = _training_names(path, values)
        if names and all(name in idle for name in names):
            yield Finding(loc, _message(", ".join(names), models), on_key=True)


def _training_names(path: str, values: list[Any]) -> list[str]:
    """Return which fields of `training` a dotted path sets, or the values of all of it."""
    section, _, rest = path.partition(".")
    if section != TRAINING:
        return []
    if rest:
        return [rest.split(".")[0]]
    mappings = (value for value in values if isinstance(value, Mapping))
    return list(dict.fromkeys(str(name) for mapping in mappings for name in mapping))


def _listed(values: Varied | None) -> list[Any]:
    return values if isinstance(values, list) else []


def _idle(models: set[str]) -> list[str]:
    """Return the fields that all of these models make nothing of, in the order of a study."""
    shared = set.intersection(*(set(MODELS[name].idle_training) for name in models))
    return [name for name in TrainingSettings.model_fields if name in shared]


def _message(names: str, models: set[str]) -> str:
    which = " or ".join(sorted(models))
    why = MODELS[min(models)].idle_because
    return f"{names} has no effect on model {which}, {why}; remove it"
