"""The study file's reference for people, written from its JSON Schema: `docs/study_file.md`.

Every field with what it takes, its default and its meaning, in the order of the file. Where a
field chooses among kinds (datasets, networks, schedules), what all of them have stands once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from studies.spec.json_schema import study_schema

Schema: TypeAlias = Mapping[str, Any]
LIMITS = {
    "exclusiveMinimum": ">",
    "minimum": "\N{GREATER-THAN OR EQUAL TO}",
    "exclusiveMaximum": "<",
    "maximum": "\N{LESS-THAN OR EQUAL TO}",
}
INTRODUCTION = """# The study file

Written from the schema by `visionstudy schema --reference`; do not edit. The same schema completes
and checks a study in your editor, where its first line names it:

    # yaml-language-server: $schema=study.schema.json
"""


@dataclass(frozen=True, slots=True)
class _Section:
    """What a field of the file may hold, if that has fields itself."""

    path: str  # "training.schedule", with its kind "training.schedule: step"
    definition: str  # its name in the schema; "" for the fields that all kinds have
    description: str
    fields: Mapping[str, Schema]


def schema_reference() -> str:
    """Return the reference as Markdown."""
    schema = study_schema()
    definitions = schema["$defs"]
    sections = [
        _Section("study file", "", str(schema.get("description", "")), schema["properties"]),
        *_below("", schema["properties"], definitions, set()),
    ]
    anchors = {each.definition: _anchor(each.path) for each in sections if each.definition}
    return "\n".join([INTRODUCTION, *(_markdown(each, anchors) for each in sections)])


def _below(
    path: str, fields: Mapping[str, Schema], definitions: Schema, seen: set[str]
) -> Iterator[_Section]:
    """Yield the sections of everything that fields may hold, once each, in the file's order."""
    for name, field in fields.items():
        place = f"{path}.{name}".removeprefix(".")
        for union in _unions(field):
            yield from _kinds(place, union, definitions, seen)
        for definition in _references(field):
            if definition in seen:
                continue
            seen.add(definition)
            found = definitions[definition]
            if "properties" not in found:
                yield from _below(path, {name: found}, definitions, seen)
                continue
            where = f"{place}[]" if field.get("type") == "array" else place
            text = str(found.get("description", ""))
            yield _Section(where, definition, text, found["properties"])
            yield from _below(where, found["properties"], definitions, seen)


def _kinds(place: str, union: Schema, definitions: Schema, seen: set[str]) -> Iterator[_Section]:
    """Yield what all kinds of a choice have, then each kind's own fields."""
    kinds = {
        kind: reference.rpartition("/")[2]
        for kind, reference in union["discriminator"]["mapping"].items()
    }
    if set(kinds.values()) <= seen:
        return
    seen.update(kinds.values())
    first, *others = [definitions[each]["properties"] for each in kinds.values()]
    shared = {
        name: field
        for name, field in first.items()
        if others and all(other.get(name) == field for other in others)
    }
    by = union["discriminator"]["propertyName"]
    choice = {by: {"enum": list(kinds), "description": "Which kind; its own fields are below."}}
    yield _Section(place, "", "What every kind has.", choice | shared)
    yield from _below(place, shared, definitions, seen)
    for kind, definition in kinds.items():
        found = definitions[definition]
        own = {k: v for k, v in found["properties"].items() if k not in shared and k != by}
        yield _Section(f"{place}: {kind}", definition, found.get("description", ""), own)
        yield from _below(f"{place}[{kind}]", own, definitions, seen)


def _unions(field: Schema) -> Iterator[Schema]:
    """Yield the choices among kinds in a field: itself, its items, its alternatives."""
    if "discriminator" in field:
        yield field
        return
    for each in _parts(field):
        yield from _unions(each)


def _references(field: Schema) -> Iterator[str]:
    """Yield the definitions that a field names, but for kinds of a choice."""
    if "$ref" in field:
        yield field["$ref"].rpartition("/")[2]
    if "discriminator" in field:
        return
    for each in _parts(field):
        yield from _references(each)


def _parts(field: Schema) -> Iterator[Schema]:
    """Yield a field's alternatives, and what its list or mapping holds."""
    yield from field.get("anyOf", ())
    yield from field.get("oneOf", ())
    for key in ("items", "additionalProperties"):
        if isinstance(field.get(key), Mapping):
            yield field[key]


def _markdown(section: _Section, anchors: Mapping[str, str]) -> str:
    depth = "##" if "." not in section.path and ":" not in section.path else "###"
    lines = [f"{depth} `{section.path}` {{ #{_anchor(section.path)} }}", ""]
    if section.description:
        lines += [_cell(section.description), ""]
    if section.fields:
        lines += ["| field | takes | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{name}` | {_cell(_takes(field, anchors))} | {_default(field)} "
            f"| {_cell(str(field.get('description', '')))} |"
            for name, field in section.fields.items()
        ]
        lines.append("")
    return "\n".join(lines)


def _takes(field: Schema, anchors: Mapping[str, str]) -> str:
    """Say in words what a field takes."""
    if "discriminator" in field:
        return "one of " + ", ".join(f"`{each}`" for each in field["discriminator"]["mapping"])
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[fields](#{anchors[name]})" if name in anchors else "a mapping"
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_takes(each, anchors) for each in field[key]))
    if "enum" in field:
        return ", ".join(f"`{_literal(each)}`" for each in field["enum"])
    if "const" in field:
        return f"`{_literal(field['const'])}`"
    return _typed(field, anchors)


def _typed(field: Schema, anchors: Mapping[str, str]) -> str:
    kind: str = field.get("type", "anything")
    if kind == "array":
        parts = field.get("prefixItems")
        if parts:
            return "a list: " + ", ".join(_takes(each, anchors) for each in parts)
        return f"a list of {_takes(field.get('items', {}), anchors)}"
    if kind == "object":
        return "a mapping"
    if kind == "string":
        return "text"
    limits = [f"{sign} {field[key]:g}" for key, sign in LIMITS.items() if key in field]
    words = {"boolean": "`true` or `false`", "integer": "whole number", "null": "`null`"}
    return " ".join([words.get(kind, kind), *limits])


def _default(field: Schema) -> str:
    return f"`{_literal(field['default'])}`" if "default" in field else ""


def _literal(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    """Make a text one line that ends no cell of a table and starts no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _anchor(path: str) -> str:
    kept = "".join(letter if letter.isalnum() else "-" for letter in path.lower())
    return "-".join(part for part in kept.split("-") if part)
