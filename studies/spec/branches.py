"""What a search varies, walked through: every list and range, and every way of choosing."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from studies.spec.problems import Loc
from studies.spec.search_schema import Range, Vary


@dataclass(frozen=True, slots=True)
class Spot:
    """A setting that varies, at some depth."""

    loc: Loc
    path: str  # dotted setting
    values: list[Any] | Range  # of branches the choices
    is_choice: bool  # each value has settings of its own
    above: tuple[str, ...] = ()  # settings that vary further out


# Dotted setting -> where the study has it, and what is tried.
Way: TypeAlias = dict[str, tuple[Loc, list[Any] | Range]]


def spots(vary: Vary, loc: Loc, above: tuple[str, ...] = ()) -> Iterator[Spot]:
    """Yield everything that varies, outer settings first.

    Args:
        vary: The space.
        loc: Where the study has it.
        above: Settings that vary around it.
    """
    names = (*above, *vary)
    for path, values in vary.items():
        here = (*loc, path)
        if not isinstance(values, dict):
            yield Spot(here, path, values, is_choice=False, above=above)
            continue
        yield Spot(here, path, list(values), is_choice=True, above=above)
        for choice, space in values.items():
            yield from spots(space, (*here, choice), names)


def ways(vary: Vary, loc: Loc) -> list[Way]:
    """Return the space without choices, once for each way of choosing."""
    plain: Way = {}
    chosen: list[list[Way]] = []
    for path, values in vary.items():
        here = (*loc, path)
        if not isinstance(values, dict):
            plain[path] = (here, values)
            continue
        chosen.append(
            [
                {path: ((*here, choice), [choice]), **inner}
                for choice, space in values.items()
                for inner in ways(space, (*here, choice))
            ]
        )
    found = []
    for each in product(*chosen):
        way = dict(plain)
        for part in each:
            way |= part
        found.append(way)
    return found


def is_conditional(vary: Vary) -> bool:
    """Whether some settings vary only with some choices."""
    return any(isinstance(values, dict) for values in vary.values())
