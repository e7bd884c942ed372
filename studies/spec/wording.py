"""pydantic's errors in plain words: what must hold, what there is, what to do.

Each error also says how to go on: with the name that was probably meant, or without the value,
so that one mistake does not hide the next.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from studies.spec.fields import known_keys, model_at
from studies.spec.problems import (
    Annotation,
    Finding,
    Loc,
    Plain,
    closest,
    did_you_mean,
    unknown_entry,
)
from studies.spec.schema import PATTERNS

TAGS = ("range", "branches")  # of what a search varies
LIST_OR_RANGE = "must be a list of values, such as [1, 2], or a range, such as {low: 1, high: 2}"
EXPECTED = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list, such as [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "path_type": "must be the path of a file or folder",
    "too_short": "must have at least {min_length} entries",
    "string_too_short": "must not be empty",
}
BOUNDS = {
    "greater_than": ("must be greater than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
}
CATALOGS = {"data": "dataset", "model": "model"}  # section -> what its entries are called


@dataclass(frozen=True, slots=True)
class Repair:
    """A guess at what was meant, to go on checking with."""

    action: Literal["rename", "put", "remove"]
    loc: Loc  # the key that is renamed, set or removed
    value: Any = None  # new name, or new value

    @property
    def target(self) -> Loc:
        """Where the value is afterwards."""
        return (*self.loc[:-1], self.value) if self.action == "rename" else self.loc


@dataclass(frozen=True, slots=True)
class Explanation:
    """An error of the schema as a finding, with a way to go on."""

    finding: Finding  # its path is below the section
    repair: Repair | None


def shown(value: Plain) -> str:
    """Return a value as a study file would spell it, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = (
        f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
    )
    text = text if len(text) <= 60 else text[:57] + "…"
    return f"'{text}'" if isinstance(value, str) else text


def explain(
    detail: ErrorDetails, raw: Plain, *, section: str, annotation: Annotation
) -> Explanation:
    """Put one error of a section into words.

    Args:
        detail: The error.
        raw: What the section holds, unchecked.
        section: Its key in the study, e.g. "data".
        annotation: Its type in the schema.
    """
    loc = untagged(detail["loc"], raw)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown_key(loc, model_at(annotation, raw, loc[:-1]))
    if kind == "missing":
        return _missing(loc, model_at(annotation, raw, loc[:-1]))
    special = SPECIAL.get(kind)
    if special is not None:
        return special(detail, loc, section)
    return Explanation(Finding(loc, _plain(detail)), _removal(loc))


def untagged(loc: Loc, raw: Plain) -> Loc:
    """Leave out the parts of pydantic's path that name a member of a union."""
    path: tuple[str | int, ...] = ()
    for part in loc:
        if isinstance(raw, Mapping):
            if part not in raw and part in (raw.get("dataset"), raw.get("name"), *TAGS):
                continue
            raw = raw.get(part)
        elif isinstance(raw, list):
            if not isinstance(part, int):
                continue
            raw = raw[part] if part < len(raw) else None
        elif part == "list":  # a single value where a list of values belongs
            continue
        path = (*path, part)
    return path


def _removal(loc: Loc) -> Repair | None:
    """Leave out the value, or the whole list that holds it: indices must not move."""
    first_index = next((i for i, part in enumerate(loc) if isinstance(part, int)), len(loc))
    return Repair("remove", loc[:first_index]) if loc[:first_index] else None


def _unknown_key(loc: Loc, model: type[BaseModel] | None) -> Explanation:
    name, known = str(loc[-1]), known_keys(model) if model else ()
    match = closest(name, known)
    hint = f"; did you mean '{match}'?" if match else f"; known here: {', '.join(known)}"
    finding = Finding(loc, f"unknown key '{name}'{hint if known else ''}", on_key=True)
    return Explanation(finding, Repair("rename", loc, match) if match else _removal(loc))


def _missing(loc: Loc, model: type[BaseModel] | None) -> Explanation:
    fields = model.model_fields.items() if model else ()
    about = [f.description for name, f in fields if (f.alias or name) == loc[-1]]
    purpose = f": {about[0]}" if about and about[0] else ""
    return Explanation(Finding(loc, f"'{loc[-1]}' is required but missing{purpose}"), None)


def _unknown_literal(detail: ErrorDetails, loc: Loc, _: str) -> Explanation:
    # pydantic joins the choices as "'a', 'b' or 'c'"
    expected = str(detail["ctx"]["expected"])
    choices = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
    value = detail["input"]
    match = closest(str(value), choices)
    hint = f"; did you mean '{match}'?" if match else ""
    finding = Finding(loc, f"must be one of {', '.join(choices)}; got {shown(value)}{hint}")
    return Explanation(finding, Repair("put", loc, match) if match else _removal(loc))


def _unknown_tag(detail: ErrorDetails, loc: Loc, section: str) -> Explanation:
    key = str(detail["ctx"]["discriminator"]).strip("'")
    known = [part.strip(" '") for part in str(detail["ctx"]["expected_tags"]).split(",")]
    value = str(detail["ctx"]["tag"])
    match = closest(value, known)
    if section in CATALOGS and not loc:
        message = unknown_entry(CATALOGS[section], value, known)
    else:
        message = f"must be one of {', '.join(known)}; got '{value}'{did_you_mean(value, known)}"
    repair = Repair("put", (*loc, key), match) if match else None
    return Explanation(Finding((*loc, key), message), repair)


def _missing_tag(detail: ErrorDetails, loc: Loc, section: str) -> Explanation:
    key = str(detail["ctx"]["discriminator"]).strip("'")
    what = CATALOGS.get(section, "one") if not loc else "one"
    message = f"'{key}' is required but missing; it says which {what} is meant"
    return Explanation(Finding((*loc, key), message), None)


def _broken_rule(detail: ErrorDetails, loc: Loc, _: str) -> Explanation:
    """Explain an error that a validator of ours raised; it may begin with the key at fault."""
    message = detail["msg"].removeprefix("Value error, ")
    key = message.split(" ", 1)[0]
    if isinstance(detail["input"], Mapping) and key in detail["input"]:
        return Explanation(Finding((*loc, key), message), _removal((*loc, key)))
    of_a_part = isinstance(detail["input"], Mapping)  # else of the value that stands there
    return Explanation(Finding(loc, message, on_key=of_a_part), None)


SPECIAL: Mapping[str, Callable[[ErrorDetails, Loc, str], Explanation]] = {
    "literal_error": _unknown_literal,
    "union_tag_invalid": _unknown_tag,
    "union_tag_not_found": _missing_tag,
    "value_error": _broken_rule,
}


def _plain(detail: ErrorDetails) -> str:
    """Say what must hold and what there is."""
    kind, value, ctx = detail["type"], detail["input"], detail.get("ctx", {})
    got = f", got {shown(value)}"
    if kind in BOUNDS:
        words, bound = BOUNDS[kind]
        return f"{words} {ctx[bound]:g}{got}"
    if kind == "string_pattern_mismatch":
        return f"must be {PATTERNS.get(ctx['pattern'], 'like ' + ctx['pattern'])}{got}"
    if kind == "list_type" and detail["loc"][-1:] == ("list",):
        return LIST_OR_RANGE + got
    if kind == "string_type" and isinstance(value, int | float):
        return f"{EXPECTED[kind]}{got}; put it in quotes"
    if kind == "too_short" and ctx["min_length"] == 1:
        return f"must have at least one entry{got}"
    if kind in EXPECTED:
        return EXPECTED[kind].format(**ctx) + got
    return detail["msg"][:1].lower() + detail["msg"][1:] + got
