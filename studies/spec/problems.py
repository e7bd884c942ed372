"""What is wrong with a study file, and where.

    StudyFileError   holds every `Problem` of a study file, in the order of its lines

Checks produce a `Finding` at a path into the study; the document turns it into a `Problem` with
a line and a column, or with the `--set` that brought the value in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

from trackers.redaction import redact

Plain: TypeAlias = Any  # None, bool, int, float, str, list, dict: YAML data before any check
Annotation: TypeAlias = Any  # a type, as a schema states it
Loc: TypeAlias = tuple[str | int, ...]  # keys and list indices from the top of the study


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a place in the study."""

    loc: Loc
    message: str  # what must hold, what there is, what to do; one line
    on_key: bool = False  # the key is wrong, not its value


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place in a file, or in an override."""

    file: str  # as given by the user, or "--set a.b=c"
    line: int | None  # 1-based; None for overrides and unreadable files
    col: int | None  # 1-based
    path: str  # dotted, "" for the whole file
    message: str
    source: str = ""  # the line itself

    def __str__(self) -> str:
        """Render as `file:line:col: path: message`, the line and a caret; without secrets."""
        place = self.file if self.line is None else f"{self.file}:{self.line}:{self.col}"
        head = redact(": ".join(part for part in (place, self.path, self.message) if part))
        if self.line is None or self.col is None:
            return head
        return f"{head}\n    {redact(self.source)}\n    {' ' * (self.col - 1)}^"


class StudyFileError(ValueError):
    """A study file that cannot be run, with everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(loc: Loc) -> str:
    """Return `search.tree.0.vary` for a path of keys and indices."""
    return ".".join(str(part) for part in loc)


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was most likely meant to be."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?`, or nothing where no known name is close."""
    match = closest(name, known)
    return f"; did you mean '{match}'?" if match else ""


def unknown_entry(kind: str, name: object, known: Iterable[str]) -> str:
    """Say that a catalog (`models` or `datasets`) has no such entry, and how to see all.

    Args:
        kind: "model" or "dataset".
        name: What was asked for.
        known: Names of the catalog.
    """
    names = sorted(known)
    command = "visionstudy models list" if kind == "model" else "visionstudy data list"
    hint = did_you_mean(str(name), names)
    return f"unknown {kind} '{name}'{hint} ({len(names)} {kind}s: {command})"
