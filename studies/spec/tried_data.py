"""Every way of taking the data that a study tries, resolved on its base settings."""

from collections.abc import Iterator, Mapping
from typing import Any

from data_pipeline.settings import DataSettings
from studies.spec.branches import ways
from studies.spec.schema import CellSettings, StudySpec
from studies.spec.settings import base_settings, with_changes
from studies.spec.settings_trial import Step, options_of
from studies.spec.tree_space import joint_space

OF_DATA = "data."


def tried_data(spec: StudySpec) -> Iterator[DataSettings]:
    """Yield the base's data and what each stage, or a joint search, makes of it; each once.

    Stages are tried on the base, not on each other; of a range its ends are tried.
    """
    base = base_settings(spec)
    seen: set[str] = set()
    for changes in ({}, *_changes(spec)):
        settings = _changed(base, changes)
        key = settings.model_dump_json() if settings else ""
        if settings is not None and key not in seen:
            seen.add(key)
            yield settings


def _changed(base: CellSettings, changes: Mapping[str, Any]) -> DataSettings | None:
    try:
        return with_changes(base, changes).data
    except ValueError:  # it needs what a stage above chooses
        return None


def _changes(spec: StudySpec) -> Iterator[dict[str, Any]]:
    search = spec.search
    parts = [
        (way, each.with_, each.together) for each in search.tree for way in ways(each.vary, ())
    ]
    parts += [(way, {}, False) for way in ways(joint_space(search), ())]
    for way, held, together in parts:
        # Side by side, what is no data decides which of the others come together.
        kept = {path: v for path, (_, v) in way.items() if together or _is_of_data(path)}
        options = {path: options_of((), values) for path, values in kept.items()}
        for chosen in Step("", (), (), options, held, together=together).combinations():
            every = {**held, **{path: option.value for path, option in chosen.items()}}
            yield {path: value for path, value in every.items() if _is_of_data(path)}


def _is_of_data(path: str) -> bool:
    return f"{path}.".startswith(OF_DATA)
