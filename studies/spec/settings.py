"""What a cell is trained with: as dotted paths, with changes, and as a fingerprint.

A fingerprint names everything that can change a result, so that the same cell is never trained
twice and different ones are never mistaken for each other.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import data_pipeline
import models
from data_pipeline.video.flow_weights import FLOW_WEIGHTS
from studies.spec.problems import Plain
from studies.spec.schema import CellSettings, StudySpec
from trackers.dotted_paths import flatten_json
from trackers.records import JsonValue

FINGERPRINT_DIGITS = 12  # 48 bits: a collision among 10,000 cells is a 1 in 5 million chance


def base_settings(spec: StudySpec) -> CellSettings:
    """Return what a study's cells have in common before any stage varies something."""
    return CellSettings(
        data=spec.data, model=spec.model, training=spec.training, evaluation=spec.evaluation
    )


def for_class(settings: CellSettings, name: str) -> CellSettings:
    """Return the settings of one class's model in a study with one model per class."""
    return with_changes(settings, {"data.classes": [name], "data.one_model_per_class": False})


def for_fold(settings: CellSettings, fold: int | None) -> CellSettings:
    """Return the settings of one fold of a cross-validated study; None: its data are cut once.

    They are those of a study that names this one fold by `data.split`: a cell of either is a cell
    of the other.
    """
    if fold is None:
        return settings
    split = settings.data.split.model_copy(update={"fold": fold})
    data = settings.data.model_copy(update={"folds": None, "split": split})
    return settings.model_copy(update={"data": data})  # unchecked: it is valid, and there are many


def for_all_classes(settings: CellSettings, names: Sequence[str]) -> CellSettings:
    """Return settings of one model for all classes, with the images of every class's model.

    What limits each class's images then limits those of each class among all.
    """
    changes = {
        "data.classes": list(names),
        "data.one_model_per_class": False,
        "data.limit.per_class": True,
    }
    return with_changes(settings, changes)


def with_changes(settings: CellSettings, changes: Mapping[str, Any]) -> CellSettings:
    """Return settings with some replaced, checked as if they had stood in the study file.

    Args:
        settings: What to start from.
        changes: Dotted path -> value; a path names one setting (`training.learning_rate`) or a
            whole part (`training.schedule`). Parts are replaced before settings inside them.

    Raises:
        ValueError: A path leads nowhere, or a value is not valid (pydantic's ValidationError).
    """
    return CellSettings.model_validate(nested_with_changes(settings, changes))


def nested_with_changes(settings: CellSettings, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the unchecked settings that `with_changes` checks.

    Raises:
        ValueError: A path leads nowhere.
    """
    nested = settings.model_dump()
    for path in sorted(changes, key=lambda path: path.count(".")):
        _put(nested, path, changes[path])
    return nested


def flatten(settings: CellSettings) -> dict[str, JsonValue]:
    """Return every setting by its dotted path, as JSON values; lists stay whole."""
    return flatten_json(settings.model_dump(mode="json"))


def fingerprint(
    settings: CellSettings, *, seed: int, data: str, start: str = "", without: Sequence[str] = ()
) -> str:
    """Hash what can change a cell's result.

    Settings marked `affects_result: False` (where the data lies, how many processes load it) are
    left out, and so is where weights of optical flow lie: their content is part of `data`.
    Settings that came after their model's first release say `since` and are left out at their
    default, so that the cells of earlier releases keep their fingerprints.
    1 and 1.0 give the same hash, as do 1e-4 and 0.0001.

    Args:
        settings: Of the cell.
        seed: Of the cell.
        data: Fingerprint of the data on disk.
        start: Fingerprint of the weights that `training.transfer.init_from` names, which stands
            in its place: a run may be known by several names, and a file lie elsewhere.
        without: Dotted prefixes that do not matter, e.g. "evaluation".

    Returns:
        12 hexadecimal digits of a SHA-256.
    """
    affecting = _affecting(settings, settings.model_dump(mode="json"))
    kept = {
        path: canonical(value)
        for path, value in flatten_json(affecting).items()
        if not any(path == prefix or path.startswith(f"{prefix}.") for prefix in without)
    }
    if kept.get(FLOW_WEIGHTS) is not None:
        kept[FLOW_WEIGHTS] = "of the data"
    if start:
        kept["training.transfer.init_from"] = start
    facts = {
        "settings": kept,
        "seed": seed,
        "data": data,
        "numerics": [models.NUMERICS, data_pipeline.NUMERICS],
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def training_fingerprint(settings: CellSettings, *, seed: int, data: str, start: str = "") -> str:
    """Hash what can change a cell's training.

    Which epoch's weights are kept may still depend on the threshold, by way of the objective; a
    re-scored cell is scored with those that its training kept.
    """
    return fingerprint(settings, seed=seed, data=data, start=start, without=("evaluation",))


def _put(nested: dict[str, Any], path: str, value: Plain) -> None:
    """Replace a value below a dotted path; the schema judges the last part's name."""
    *parents, last = path.split(".")
    node: Any = nested
    for part in parents:
        if not isinstance(node, dict) or part not in node:
            raise ValueError(f"unknown setting '{path}': there is no '{part}'")
        node = node[part]
    if not isinstance(node, dict):
        raise ValueError(f"unknown setting '{path}': '{'.'.join(parents)}' has no parts")
    node[last] = value


def _affecting(model: BaseModel, dumped: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a model's JSON that can change a result."""
    kept: dict[str, Any] = {}
    for name, info in type(model).model_fields.items():
        if not affects_result(info):
            continue
        part = getattr(model, name)
        if _is_later(info) and part == info.get_default(call_default_factory=True):
            continue
        kept[name] = (
            _affecting(part, dumped[name]) if isinstance(part, BaseModel) else dumped[name]
        )
    return kept


def affects_result(info: FieldInfo) -> bool:
    """Say whether a setting can change a result, as its field states."""
    extra = info.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("affects_result") is False)


def _is_later(info: FieldInfo) -> bool:
    """Say whether a setting came after its model's first release, as its field states."""
    extra = info.json_schema_extra
    return isinstance(extra, dict) and "since" in extra


def canonical(value: Plain) -> Plain:
    """Write whole numbers as integers, at any depth."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items()}
    return value
