"""What lies one step beside what a stage chose, with the settings that the tree ended with.

Lists have neighbours in their own order. A range's are one `step` away, or a tenth of its width.
What a later stage moved (another model has no such setting, or refuses the value) has none.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from studies.spec.schema import CellSettings
from studies.spec.search_schema import Range
from studies.spec.settings import flatten, with_changes
from studies.tree.stages import Stage

STEPS_OF_RANGE = 10
NEARLY = 1e-6  # of a step: so close to the grid is on it
Axis: TypeAlias = Sequence[Mapping[str, Any]] | Range


def axes(stage: Stage) -> dict[str, Axis]:
    """Return what has an order in a stage: each setting, or those that go together as one."""
    if stage.together:
        return {", ".join(stage.lists): list(stage.combinations())}
    lists = {path: [{path: each} for each in values] for path, values in stage.lists.items()}
    found: dict[str, Axis] = {path: each for path, each in lists.items() if len(each) > 1}
    return found | dict(stage.ranges)


def most_neighbours(stage: Stage) -> int:
    """Return how many neighbours there are at most."""
    return sum(
        2 if isinstance(values, Range) else min(2, len(values) - 1)
        for values in axes(stage).values()
    )


def as_it_is(stage: Stage, final: CellSettings) -> dict[str, Any]:
    """Return what the final settings have for a stage's settings, as far as it has an order."""
    flat, found = flatten(final), dict[str, Any]()
    for path, values in axes(stage).items():
        index = _place(final, values)
        if index is not None and not isinstance(values, Range):
            found |= values[index]
        elif path in flat:
            found[path] = flat[path]
    return found


def neighbours(stage: Stage, finals: Mapping[str, CellSettings]) -> Iterator[dict[str, Any]]:
    """Yield what one step beside the final settings changes; a later stage may have moved them.

    Args:
        stage: What varied.
        finals: Class -> its final settings, of those that are measured together; all of them must
            accept the change.
    """
    first = next(iter(finals.values()))
    for varied in _beside_each(stage, first):
        if all(_changed(final, varied) is not None for final in finals.values()):
            yield varied


def _beside_each(stage: Stage, final: CellSettings) -> Iterator[dict[str, Any]]:
    flat = flatten(final)
    for path, values in axes(stage).items():
        if isinstance(values, Range):
            value = flat.get(path)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield from ({path: each} for each in beside(value, values))
        elif (here := _place(final, values)) is not None:
            places = (here - 1, here + 1)
            yield from (dict(values[index]) for index in places if 0 <= index < len(values))


def _place(final: CellSettings, values: Axis) -> int | None:
    """Return where in a list the final settings are; None where a later stage moved them."""
    if isinstance(values, Range):
        return None
    return next((n for n, each in enumerate(values) if _changed(final, each) == final), None)


def _changed(final: CellSettings, changes: Mapping[str, Any]) -> CellSettings | None:
    """Return the final settings with changes; None where they refuse those."""
    try:
        return with_changes(final, changes)
    except ValueError:  # also pydantic's ValidationError
        return None


def beside(value: float, allowed: Range) -> list[float]:
    """Return one step down and one up, within the range and on its grid if it has one."""
    if allowed.step is not None:
        return _on_grid(value, allowed, step=allowed.step)
    if allowed.log:
        factor = (allowed.high / allowed.low) ** (1 / STEPS_OF_RANGE)
        ends = [value / factor, value * factor]
    else:
        width = (allowed.high - allowed.low) / STEPS_OF_RANGE
        ends = [value - width, value + width]
    if allowed.integer:
        ends = [float(min(round(ends[0]), value - 1)), float(max(round(ends[1]), value + 1))]
    kept = [each for each in ends if allowed.low <= each <= allowed.high]
    return [int(each) for each in kept] if allowed.integer else kept


def _on_grid(value: float, allowed: Range, *, step: float) -> list[float]:
    """Return the nearest values below and above, exactly as `Range.values` has them."""
    place = (value - allowed.low) / step
    last = int((allowed.high - allowed.low) / step + NEARLY)
    indices = (math.ceil(place - NEARLY) - 1, math.floor(place + NEARLY) + 1)
    kept = [round(allowed.low + n * step, 12) for n in indices if 0 <= n <= last]
    return [int(each) for each in kept] if allowed.integer else kept
