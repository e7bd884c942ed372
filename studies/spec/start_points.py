"""Whether a configuration that a study names lies in the space of a search."""

import math
from collections.abc import Mapping
from typing import Any

from studies.spec.problems import did_you_mean
from studies.spec.search_schema import Range, Varied, Vary
from studies.spec.settings import canonical
from studies.spec.wording import shown

TOLERANCE = 1e-9  # of a step


def point_fault(point: Mapping[str, Any], space: Vary) -> str | None:
    """Say why a configuration is not one of the space's; None when it is.

    Args:
        point: Dotted setting -> value.
        space: What the search varies.
    """
    needed, fault = _walk(point, space)
    if fault is not None:
        return fault
    for path in point:
        if path not in needed:
            hint = did_you_mean(path, needed) or f"; there are {', '.join(needed)}"
            return f"'{path}' does not vary here{hint}"
    return None


def _walk(point: Mapping[str, Any], space: Vary) -> tuple[list[str], str | None]:
    """Return the settings that a configuration has, and what is wrong with the first bad one."""
    needed: list[str] = []
    for path, values in space.items():
        needed.append(path)
        if path not in point:
            return needed, f"must set '{path}', which varies, as every other setting of the space"
        if fault := _value_fault(path, point[path], values):
            return needed, fault
        if isinstance(values, dict):
            inner, fault = _walk(point, values[point[path]])
            needed += inner
            if fault is not None:
                return needed, fault
    return needed, None


def _value_fault(path: str, value: object, values: Varied) -> str | None:
    if isinstance(values, Range):
        return _range_fault(path, value, values)
    known = [canonical(each) for each in values]
    if canonical(value) in known:
        return None
    choices = ", ".join(shown(each) for each in known)
    return f"'{path}' must be one of {choices}, got {shown(value)}"


def _range_fault(path: str, value: object, values: Range) -> str | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not values.low <= float(str(value)) <= values.high:
        return f"'{path}' must be from {values.low:g} to {values.high:g}, got {shown(value)}"
    number = float(str(value))
    if values.integer and not number.is_integer():
        return f"'{path}' must be a whole number, got {shown(value)}"
    step = values.step or (1 if values.integer else None)
    if step is not None:
        steps = (number - values.low) / step
        if not math.isclose(steps, round(steps), abs_tol=TOLERANCE):
            return f"'{path}' must be {values.low:g} and steps of {step:g}, got {shown(value)}"
    return None
