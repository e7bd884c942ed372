"""Which model of the schema checks a place in the study, to name the keys it knows."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeAliasType

from studies.spec.problems import Annotation, Loc, Plain


def model_at(annotation: Annotation, raw: Plain, loc: Loc) -> type[BaseModel] | None:
    """Follow a path of keys and indices; None where no model is, or several are possible.

    Args:
        annotation: Type of `raw`, as a schema states it.
        raw: The unchecked value; tells which model of a union is meant.
        loc: Path below `raw`.
    """
    if not loc:
        return _chosen(list(_models(annotation)), raw)
    head, tail = loc[0], loc[1:]
    inner = raw[head] if _has(raw, head) else None
    item = _item_type(annotation)
    if item is not None:
        return model_at(item, inner, tail)
    model = _chosen(list(_models(annotation)), raw)
    if model is None:
        return None
    for name, field in model.model_fields.items():
        if head == (field.alias or name):
            return model_at(field.annotation, inner, tail)
    return None


def known_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys of a model as the study file spells them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _has(raw: Plain, key: str | int) -> bool:
    if isinstance(raw, Mapping):
        return key in raw
    return isinstance(raw, list) and isinstance(key, int) and key < len(raw)


def _item_type(annotation: Annotation) -> Annotation:
    """Return the type of a list's items or a mapping's values."""
    if isinstance(annotation, TypeAliasType):
        return _item_type(annotation.__value__)
    origin: Annotation = get_origin(annotation)
    if origin is Annotated:
        return _item_type(get_args(annotation)[0])
    if origin in (list, dict):
        return get_args(annotation)[-1]
    return None


def _models(annotation: Annotation) -> Iterator[type[BaseModel]]:
    """Yield the models of a type, through unions, annotations and named types."""
    origin: Annotation = get_origin(annotation)
    if isinstance(annotation, TypeAliasType):
        yield from _models(annotation.__value__)
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _models(part)
    elif origin is Annotated:
        yield from _models(get_args(annotation)[0])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def _chosen(models: list[type[BaseModel]], raw: Plain) -> type[BaseModel] | None:
    if len(models) == 1:
        return models[0]
    return next((model for model in models if _is_named(model, raw)), None)


def _is_named(model: type[BaseModel], raw: Plain) -> bool:
    """Say whether the value names this model in a field that has one literal value only."""
    if not isinstance(raw, Mapping):
        return False
    literals = (
        (name, get_args(field.annotation))
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is Literal
    )
    return any(len(values) == 1 and raw.get(name) == values[0] for name, values in literals)
