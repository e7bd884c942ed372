"""`--set a.b=c`: replace a value of the study from the command line.

The right-hand side is YAML. A path may name a stage by its name or index
(`search.tree.learning rate.beam=2`), and a swept setting by its own dotted path
(`search.tree.0.vary.training.learning_rate=[0.1]`).
"""

from collections.abc import Sequence
from typing import Any

from ruamel.yaml.error import MarkedYAMLError

from studies.spec.document import Document, Place, parse_value
from studies.spec.problems import Loc, Plain, Problem, StudyFileError

DOTTED_KEYS = ("vary", "with", "only", "space")  # mappings whose keys are dotted settings


def apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Change the document's data in place, in the order given.

    Raises:
        StudyFileError: An override is not `path=YAML`, or leads through something that has no
            such part; all of them at once.
    """
    problems: list[Problem] = []
    for override in overrides:
        shown = f"--set {override}"
        try:
            _apply(document, override, Place(None, override=shown))
        except ValueError as error:
            problems.append(Problem(shown, None, None, "", str(error)))
    if problems:
        raise StudyFileError([problem for _, problem in document.found] + problems)


def _apply(document: Document, override: str, place: Place) -> None:
    path, equals, text = override.partition("=")
    if not (equals and path.strip()):
        raise ValueError("must be written path=value, e.g. --set training.epochs=3")
    try:
        value = parse_value(text)
    except MarkedYAMLError as error:
        raise ValueError(f"the value must be YAML: {error.problem}") from error
    loc = _put(document.data, path.strip().split("."), value)
    _forget(document, loc)
    for depth in range(1, len(loc) + 1):  # parents that the override brought into being
        document.places.setdefault(loc[:depth], place)


def _forget(document: Document, loc: Loc) -> None:
    """Drop the places and problems of a value that is no longer there."""
    depth = len(loc)
    document.places = {k: v for k, v in document.places.items() if k[:depth] != loc}
    document.found = [(k, problem) for k, problem in document.found if k[:depth] != loc]


def _put(data: dict[str, Any], parts: list[str], value: Plain) -> Loc:
    """Set the value and return where; mappings on the way are made, lists are not."""
    node: Plain = data
    loc: tuple[str | int, ...] = ()
    while True:
        key, used = _step(node, parts, under=loc[-1] if loc else "")
        loc, parts = (*loc, key), parts[used:]
        if not parts:
            node[key] = value
            return loc
        if isinstance(node, dict) and node.get(key) is None:
            node[key] = {}
        node = node[key]
        if not isinstance(node, dict | list):
            raise ValueError(
                f"'{'.'.join(map(str, loc))}' is a single value and has no '{'.'.join(parts)}'"
            )


def _step(node: Plain, parts: list[str], *, under: str | int) -> tuple[str | int, int]:
    """Return the key or index that the path enters, and how many of its parts that takes."""
    if isinstance(node, dict):
        if under in DOTTED_KEYS:
            return ".".join(parts), len(parts)
        return parts[0], 1
    names = [item.get("stage") if isinstance(item, dict) else None for item in node]
    for used in range(len(parts), 0, -1):  # a stage's name may hold dots
        name = ".".join(parts[:used])
        if name in names:
            return names.index(name), used
    if parts[0].isdecimal() and int(parts[0]) < len(node):
        return int(parts[0]), 1
    known = ", ".join(f"'{name}'" for name in names if name)
    raise ValueError(
        f"no item '{parts[0]}' in '{under}'; use an index below {len(node)}"
        + (f", or one of {known}" if known else "")
    )
