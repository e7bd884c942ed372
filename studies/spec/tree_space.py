"""The space of a joint search that is like a tree: all that its stages vary.

What a stage holds by `with` was for that stage alone, and `together`, `only` and `per` say how
stages go about it; none of these belongs to the space.
"""

from collections.abc import Sequence

from studies.spec.search_schema import Range, Search, StageSpec, Varied, Vary
from studies.spec.settings import canonical


class SpaceConflictError(ValueError):
    """Two stages vary a setting in ways that make no common range."""

    def __init__(self, path: str, message: str) -> None:
        self.path = path  # the setting
        super().__init__(message)


def joint_space(search: Search) -> Vary:
    """Return the space of a study's joint search, its own or that of the tree it is like.

    Raises:
        SpaceConflictError: See `tree_space`.
    """
    if search.joint is None:
        return {}
    return tree_space(search.tree) if search.joint.like else search.joint.space


def tree_space(stages: Sequence[StageSpec]) -> Vary:
    """Return every setting that stages vary, with all values that any of them tries.

    Raises:
        SpaceConflictError: A setting is a list in one stage and a range in another, or ranges of
            different kinds.
    """
    space: dict[str, Varied] = {}
    for stage in stages:
        for path, values in stage.vary.items():
            space[path] = _union(path, space[path], values) if path in space else values
    return space


def _union(path: str, first: Varied, second: Varied) -> Varied:
    if isinstance(first, list) and isinstance(second, list):
        known = [canonical(value) for value in first]
        return [*first, *(value for value in second if canonical(value) not in known)]
    if isinstance(first, Range) and isinstance(second, Range):
        kinds = [(each.log, each.step, each.integer) for each in (first, second)]
        if kinds[0] == kinds[1] and (first.step is None or first.low == second.low):
            ends = {"low": min(first.low, second.low), "high": max(first.high, second.high)}
            return first.model_copy(update=ends)
        raise SpaceConflictError(
            path,
            f"'{path}' is varied over ranges of different scale or step, which make no common "
            "range; give them the same, or write the space under `joint.space`",
        )
    if first == second:
        return first
    raise SpaceConflictError(
        path,
        f"'{path}' is a list in one stage and something else in another, which make no common "
        "space; give lists in both, or write the space under `joint.space`",
    )
