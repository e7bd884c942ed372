"""Which tracker is meant, and its settings as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.error import MarkedYAMLError

from data_pipeline.errors import unknown_name
from models.tracking.settings import (
    ColourAppearanceSettings,
    DeepSortSettings,
    NetworkAppearanceSettings,
    SortSettings,
)
from studies.spec.document import parse_value
from studies.tracking.mot_text import UnusableTracksError

METHODS: dict[str, type[SortSettings] | type[DeepSortSettings]] = {
    "sort": SortSettings,
    "deepsort": DeepSortSettings,
}
APPEARANCES = ("colour", "network")


def tracker_settings(
    method: str, given: Sequence[str], *, has_pictures: bool
) -> SortSettings | DeepSortSettings:
    """Return the settings of a tracker: the papers', but for those that are given.

    Args:
        method: sort or deepsort.
        given: `name=value`, the value as YAML has it.
        has_pictures: Without them deepsort compares no appearance, unless it is told to.

    Raises:
        UnusableTracksError: A name is unknown, a value cannot be, or one has no effect.
    """
    if method not in METHODS:
        raise UnusableTracksError(unknown_name("--method", method, tuple(METHODS)))
    if method == "sort" and has_pictures:
        raise UnusableTracksError(
            "--pictures has no effect with --method sort, which compares no appearance; leave it "
            "out, or use --method deepsort"
        )
    values = dict(_pair(each, method) for each in given)
    if method == "deepsort":
        uses = values.setdefault("use_appearance", has_pictures)
        if uses is not has_pictures:
            raise UnusableTracksError(
                f"use_appearance must be true with --pictures and false without, got {uses}; "
                "leave it out, or name or leave out the pictures"
            )
    try:
        return METHODS[method](**values)
    except ValidationError as error:
        raise _explained(error) from error


def appearance_settings(
    name: str, weights: Path | None
) -> ColourAppearanceSettings | NetworkAppearanceSettings:
    """Return the settings of what describes boxes.

    Raises:
        UnusableTracksError: The name is unknown, or weights have no effect.
    """
    if name not in APPEARANCES:
        raise UnusableTracksError(unknown_name("--appearance", name, APPEARANCES))
    if name == "network":
        return NetworkAppearanceSettings(weights=weights)
    if weights is not None:
        raise UnusableTracksError(
            "--weights has no effect with --appearance colour, which has none; leave it out, or "
            "use --appearance network"
        )
    return ColourAppearanceSettings()


def _pair(assignment: str, method: str) -> tuple[str, Any]:
    name, equals, text = assignment.partition("=")
    if not (equals and name.strip()):
        raise UnusableTracksError(
            f"--set must be written name=value, e.g. --set max_age=5, got '{assignment}'"
        )
    known = tuple(field for field in METHODS[method].model_fields if field != "name")
    if name.strip() not in known:
        raise UnusableTracksError(unknown_name(f"setting of {method}", name.strip(), known))
    try:
        return name.strip(), parse_value(text)
    except MarkedYAMLError as error:
        raise UnusableTracksError(
            f"--set {assignment}: the value must be YAML, got {error.problem}; correct it"
        ) from error


def _explained(error: ValidationError) -> UnusableTracksError:
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"]))
    told = first["msg"].removeprefix("Value error, ")
    if not name:
        return UnusableTracksError(f"--set: {told}")
    said = told[0].lower() + told[1:]
    return UnusableTracksError(f"--set {name}: {said}, got {first['input']!r}; correct it")
