"""Settings that are nested in a study's file, by their dotted paths: `training.learning_rate`."""

from collections.abc import Mapping
from typing import Any

from trackers.records import JsonValue


def flatten_json(nested: Mapping[str, Any], prefix: str = "") -> dict[str, JsonValue]:
    """Return the leaves of nested mappings by their dotted paths; an empty mapping is a leaf."""
    flat: dict[str, JsonValue] = {}
    for key, value in nested.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat |= flatten_json(value, f"{path}.")
        else:
            flat[path] = value
    return flat
