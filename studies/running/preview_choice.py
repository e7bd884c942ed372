"""Which configuration of a study a preview shows."""

from dataclasses import dataclass
from typing import Any

from reports.notation import configuration_label
from studies.spec.problems import did_you_mean
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, for_class, with_changes
from studies.tree.stages import Stage, groups_of, stages_of


class UnknownStageError(ValueError):
    """A stage that the study does not have."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A configuration, and in words which one it is."""

    settings: CellSettings
    words: str


def preview_choice(spec: StudySpec, stage_name: str | None) -> Choice:
    """Return the base settings, or a stage's first candidate on them.

    With one model per class, it is the first class's. What a stage inherits from those above it
    is not known before they ran.

    Raises:
        UnknownStageError: There is no such stage.
    """
    stage = None if stage_name is None else _stage(spec, stage_name)
    group = (groups_of(spec) if stage is None else stage.groups)[0]
    changes = {} if stage is None else _first_candidate(stage)
    settings = with_changes(base_settings(spec), changes)
    words = [
        f"stage '{stage.name}', {configuration_label(changes)}" if stage else "base settings",
        *([f"class {group}"] if group else []),
    ]
    return Choice(for_class(settings, group) if group else settings, ", ".join(words))


def _first_candidate(stage: Stage) -> dict[str, Any]:
    first = {path: values[0] for path, values in stage.lists.items()}
    low = {path: int(r.low) if r.integer else r.low for path, r in stage.ranges.items()}
    return {**stage.held, **first, **low}


def _stage(spec: StudySpec, name: str) -> Stage:
    stages = {stage.name: stage for stage in stages_of(spec)}
    if name not in stages:
        raise UnknownStageError(
            f"unknown stage '{name}' of study '{spec.study}'{did_you_mean(name, stages)} "
            f"(stages: {', '.join(stages)})"
        )
    return stages[name]
