"""A YAML file as plain data that remembers where each key and value stands.

YAML 1.2 by ruamel.yaml: `1e-4` is a number, `no` is a string, a key that is there twice is an
error. Values are built from the node tree, because only nodes know their line and column.
Strings may name environment variables as `${NAME}` or `${NAME:-default}`, but none that holds a
secret: settings are shown. A tag builds nothing, and aliases cannot make much of little.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from studies.spec.problems import Finding, Loc, Plain, Problem, StudyFileError, dotted
from trackers.redaction import is_secret_name

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
MOST_VALUES = 50_000  # with every alias written out; a long list of classes has hundreds
CORE = "tag:yaml.org,2002:"
TEXT_TAGS = (f"{CORE}str", f"{CORE}timestamp")  # dates stay text
SCALAR_TAGS = (*TEXT_TAGS, *(f"{CORE}{name}" for name in ("int", "float", "bool", "null")))
KNOWN_TAGS = {  # all others, such as !!python/object, would build something
    MappingNode: (f"{CORE}map",),
    SequenceNode: (f"{CORE}seq",),
    ScalarNode: SCALAR_TAGS,
}


class Mark(NamedTuple):
    """A place in the file, both 1-based."""

    line: int
    col: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key and its value stand; list items have no key."""

    value: Mark | None
    key: Mark | None = None
    override: str = ""  # "--set a.b=c" when the value comes from the command line


@dataclass(slots=True)
class Document:
    """A study file, read but not yet checked."""

    file: str  # as the user named it
    text: str
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Loc, Place] = field(default_factory=dict)
    found: list[tuple[Loc, Problem]] = field(default_factory=list)  # while reading

    def problem(self, finding: Finding) -> Problem:
        """Give a finding its line and column; what is missing is placed at its parent's key."""
        loc, on_key = finding.loc, finding.on_key
        while loc and loc not in self.places:
            loc, on_key = loc[:-1], True
        place = self.places.get(loc, Place(Mark(1, 1)))
        if place.override:
            return Problem(place.override, None, None, dotted(finding.loc), finding.message)
        mark = place.key if place.key and (on_key or not place.value) else place.value
        return self.problem_at(mark or Mark(1, 1), finding.loc, finding.message)

    def rename(self, old: Loc, new: Loc) -> None:
        """Find what lies below `old` under `new` as well: a misspelt key and what was meant."""
        for loc, place in list(self.places.items()):
            if loc[: len(old)] == old:
                self.places.setdefault((*new, *loc[len(old) :]), place)

    def problem_at(self, mark: Mark, loc: Loc, message: str) -> Problem:
        """Put a message at a place in the file."""
        lines = self.text.splitlines()
        # A tab is one column for YAML, so it must be one character for the caret too.
        line = lines[mark.line - 1].replace("\t", " ") if mark.line <= len(lines) else ""
        return Problem(self.file, mark.line, mark.col, dotted(loc), message, line)


def read_document(path: Path, environ: Mapping[str, str]) -> Document:
    """Read a study file; problems that leave something to check are kept in `found`.

    Raises:
        StudyFileError: The file cannot be read, or is not a YAML mapping.
    """
    document = Document(str(path), _read_text(path))
    yaml = YAML(typ="safe", pure=True)
    try:
        with _marked():
            root = yaml.compose(document.text)
    except MarkedYAMLError as error:
        raise StudyFileError([_syntax_problem(document, error)]) from error
    if not isinstance(root, MappingNode):
        message = "a study file must be a mapping with `study`, `task`, `data`, `model`, …"
        raise StudyFileError([document.problem(Finding((), message))])
    data = _Builder(document, yaml, environ).build(root, ())
    document.data = data if isinstance(data, dict) else {}
    return document


def parse_value(text: str) -> Plain:
    """Return the YAML value of an override's right-hand side.

    Raises:
        MarkedYAMLError: The text is not YAML.
    """
    with _marked():
        return YAML(typ="safe", pure=True).load(text)


@contextmanager
def _marked() -> Iterator[None]:
    """Turn all that text which is not YAML raises into one error: some kinds have no mark.

    A control character is a `ReaderError`, a day that no month has a `ValueError`, and brackets
    in a thousand brackets a `RecursionError`.

    Raises:
        MarkedYAMLError: The text is not YAML.
    """
    try:
        yield
    except MarkedYAMLError:
        raise
    except (YAMLError, ValueError, RecursionError) as error:
        problem = next(iter(str(error).splitlines()), type(error).__name__)
        raise MarkedYAMLError(problem=problem) from error


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        message = "no such study file; studies that come with visionstudy are in studies/library"
        raise StudyFileError([Problem(str(path), None, None, "", message)]) from error
    except OSError as error:
        message = f"the study file cannot be read: {error.strerror}"
        raise StudyFileError([Problem(str(path), None, None, "", message)]) from error
    except UnicodeDecodeError as error:
        message = f"a study file must be UTF-8 text; byte {error.start} is not"
        raise StudyFileError([Problem(str(path), None, None, "", message)]) from error


def _syntax_problem(document: Document, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = " ".join(part for part in (error.context, error.problem) if part)
    if mark is not None:
        document.places[()] = Place(Mark(mark.line + 1, mark.column + 1))
    return document.problem(Finding((), f"not valid YAML: {message}"))


class _Builder:
    """Turns nodes into plain values and notes where each one stands."""

    def __init__(self, document: Document, yaml: YAML, environ: Mapping[str, str]) -> None:
        self.document = document
        self.yaml = yaml
        self.environ = environ
        self.open_nodes: set[int] = set()  # an alias may lead back to its own anchor
        self.built = 0  # values so far

    def build(self, node: Node, loc: Loc, key: Mark | None = None) -> Plain:
        """Return the value of a node.

        Raises:
            StudyFileError: The file holds more values than any study has.
        """
        self.built += 1
        if self.built > MOST_VALUES:
            message = (
                f"a study file must hold at most {MOST_VALUES:,} values with its aliases (*) "
                "written out; use fewer aliases"
            )
            raise StudyFileError([self.document.problem_at(_mark(node), loc, message)])
        is_empty = node.start_mark.index == node.end_mark.index  # `key:` with nothing behind it
        self.document.places[loc] = Place(None if is_empty and key else _mark(node), key)
        if str(node.tag) not in KNOWN_TAGS[type(node)]:
            tag = str(node.tag).replace(CORE, "!!")
            return self._report(loc, f"tag '{tag}' is not known here; remove it")
        if isinstance(node, ScalarNode):
            return self._scalar(node, loc)
        if id(node) in self.open_nodes:
            return self._report(loc, "an alias must not contain itself; write the value out")
        self.open_nodes.add(id(node))
        try:
            if isinstance(node, SequenceNode):
                return [self.build(item, (*loc, i)) for i, item in enumerate(node.value)]
            return self._mapping(node, loc)
        finally:
            self.open_nodes.discard(id(node))

    def _mapping(self, node: Node, loc: Loc) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, mark = str(key_node.value), _mark(key_node)
            if not isinstance(key_node, ScalarNode):
                self._report(loc, "a key must be text, got a list or a mapping; write it out")
            elif key in built:
                self._report_duplicate((*loc, key), mark)
            else:
                built[key] = self.build(value_node, (*loc, key), mark)
        return built

    def _report_duplicate(self, loc: Loc, second: Mark) -> None:
        """Report the second occurrence; the first one stays in force."""
        first = self.document.places[loc].key or Mark(1, 1)
        message = (
            f"key '{loc[-1]}' is already set at line {first.line}, column {first.col}; remove one"
        )
        problem = self.document.problem_at(second, loc, message)
        # Not kept at `loc` itself: the first value is there, and is checked as usual.
        self.document.found.append(((*loc, "duplicate"), problem))

    def _scalar(self, node: ScalarNode, loc: Loc) -> Plain:
        if node.tag in TEXT_TAGS:
            return self._text(str(node.value), loc)
        try:
            value = self.yaml.constructor.construct_object(node)
        except (ValueError, KeyError):  # a tag that its text does not follow: !!int red
            kind = str(node.tag).removeprefix(CORE)
            return self._report(loc, f"must be a value of kind {kind}, got {node.value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            return self._report(loc, f"must be a finite number, got {node.value}; null: no limit")
        return value

    def _text(self, text: str, loc: Loc) -> str:
        def value_of(match: re.Match[str]) -> str:
            name, default = match.group(1), match.group(2)
            if is_secret_name(name):
                self._report(
                    loc,
                    f"{name} names a secret, and settings are shown in reports; remove it, and "
                    "have what needs it read the environment itself",
                )
                return match.group(0)
            value = self.environ.get(name) or default  # empty counts as unset, as in a shell
            if value is None:
                self._report(
                    loc,
                    f"environment variable {name} is not set; export {name}=…, "
                    f"or write ${{{name}:-default}}",
                )
                return match.group(0)
            return value

        if "${" in VARIABLE.sub("", text):
            self._report(loc, "a variable must be written ${NAME} or ${NAME:-default}")
            return text
        return VARIABLE.sub(value_of, text)

    def _report(self, loc: Loc, message: str) -> None:
        self.document.found.append((loc, self.document.problem(Finding(loc, message))))


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)
