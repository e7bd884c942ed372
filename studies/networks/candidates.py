"""Which networks are compared: families of the catalog, and the variants of each. Torch-free.

A variant is a choice of what makes a network another one (`STRUCTURE`); what else may be set, such
as dropout, has no say in what it takes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from models.catalog import MODELS
from models.classification.published import published_of
from models.entries import ModelEntry
from models.settings import ModelSettings
from studies.spec.problems import unknown_entry

STRUCTURE = ("form", "depth", "version", "batch_norm", "backbone", "encoder")
HEADS = "auxiliary_weight"  # setting of heads that only help to learn; 0: none
USUAL_SIZE = 224  # pixels, where nothing is published
MADE_FOR = {"alexnet": 227, "resnet_cifar": 32, "small_cnn": 64, "attention_cnn": 64}  # pixels
LARGEST_SIZE = 1024
Value = str | int | bool


class UnknownNetworkError(Exception):
    """A network was asked for that there is not."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One network to measure."""

    settings: ModelSettings
    label: str  # "resnet 50"

    @property
    def entry(self) -> ModelEntry:
        """Return its family."""
        return MODELS[self.settings.name]

    @property
    def is_whole(self) -> bool:
        """Tell whether all of it predicts: no heads that only help it to learn."""
        return self.predicting == self

    @property
    def predicting(self) -> "Candidate":
        """Return the network without the heads that only help it to learn."""
        if HEADS not in type(self.settings).model_fields:
            return self
        return replace(self, settings=self.settings.model_copy(update={HEADS: 0.0}))


def families(task: str) -> tuple[str, ...]:
    """Return the names of the networks of a task, in the order of the catalog."""
    return tuple(
        name for name, entry in MODELS.items() if task in entry.tasks and entry.builder is not None
    )


def variants(name: str) -> tuple[Candidate, ...]:
    """Return all variants of a family, in the order of its settings."""
    entry = MODELS[name]
    choices = {each: _choices(field) for each, field in entry.settings.model_fields.items()}
    varied = {each: choices[each] for each in STRUCTURE if len(choices.get(each, ())) > 1}
    found = []
    for values in product(*varied.values()):
        chosen = dict(zip(varied, values, strict=True))
        try:
            settings = entry.settings.model_validate({"name": name, **chosen})
        except ValidationError:
            continue  # two choices that exclude each other
        found.append(Candidate(settings, _label(name, chosen)))
    return tuple(found)


def usual_candidates(task: str) -> tuple[Candidate, ...]:
    """Return of each family its first variant, its last, and one between: small, middle, large.

    The one between is the usual variant, or the middle one where that is first or last. Where a
    family varies in several ways, the others are as usual.
    """
    return tuple(each for name in families(task) for each in _usual(name))


def all_candidates(task: str) -> tuple[Candidate, ...]:
    """Return all variants of all families."""
    return tuple(each for name in families(task) for each in variants(name))


def named_candidates(task: str, wishes: Sequence[str]) -> tuple[Candidate, ...]:
    """Return what is asked for by name, each once.

    Args:
        task: Whose networks.
        wishes: "resnet" for all variants of it, "resnet:depth=50" for those with this setting.

    Raises:
        UnknownNetworkError: there is no such network, setting or value.
    """
    found: dict[str, Candidate] = {}
    for wish in wishes:
        found |= {each.label: each for each in _wished(task, wish)}
    return tuple(found.values())


def own_size(candidate: Candidate) -> int:
    """Return the size of the pictures that a network is published for, else one that it takes."""
    entry, settings = candidate.entry, candidate.settings
    published = published_of(settings)
    if published is not None and entry.size_rule(settings, published.image_size) is None:
        return published.image_size
    meant = MADE_FOR.get(settings.name, USUAL_SIZE)
    sizes = sorted(range(1, LARGEST_SIZE + 1), key=lambda size: abs(size - meant))
    return next((size for size in sizes if entry.size_rule(settings, size) is None), meant)


def _usual(name: str) -> tuple[Candidate, ...]:
    every = variants(name)
    usual = MODELS[name].settings(name=name)
    first = next((each for each in STRUCTURE if _differ(every, each)), None)
    rest = [each for each in STRUCTURE if each != first]
    line = [each for each in every if _agree(each.settings, usual, rest)]
    if first is None:
        return tuple(line)
    place = next(at for at, each in enumerate(line) if _agree(each.settings, usual, [first]))
    last = len(line) - 1
    between = place if 0 < place < last else len(line) // 2
    return tuple(line[at] for at in sorted({0, between, last}))


def _wished(task: str, wish: str) -> Iterator[Candidate]:
    name, *settings = wish.split(":")
    if name not in families(task):
        known = {each: MODELS[each] for each in families(task)}
        raise UnknownNetworkError(unknown_entry("model", name, known))
    every = variants(name)
    for setting in settings:
        field, _, value = setting.partition("=")
        kept = [each for each in every if _text(getattr(each.settings, field, None)) == value]
        if not kept:
            known_values = ", ".join(_known(every)) or "nothing to choose"
            raise UnknownNetworkError(
                f"--models {wish}: '{setting}' must choose among the variants of {name} "
                f"({known_values})"
            )
        every = tuple(kept)
    yield from every


def _known(every: Sequence[Candidate]) -> Iterator[str]:
    for field in STRUCTURE:
        if _differ(every, field):
            yield from dict.fromkeys(f"{field}={_text(getattr(e.settings, field))}" for e in every)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choices(field: FieldInfo) -> tuple[Value, ...]:
    """Return what a field may be, where that is a list."""
    if field.annotation is bool:
        return (False, True)
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _differ(candidates: Sequence[Candidate], field: str) -> bool:
    return len({getattr(each.settings, field, None) for each in candidates}) > 1


def _agree(one: ModelSettings, other: ModelSettings, fields: Sequence[str]) -> bool:
    return all(getattr(one, each, None) == getattr(other, each, None) for each in fields)


def _label(name: str, chosen: dict[str, Value]) -> str:
    """Write the name and what makes it the variant: "vgg 16 batch norm"."""
    words = [
        field.replace("_", " ") if value is True else str(value)
        for field, value in chosen.items()
        if value is not False
    ]
    return " ".join((name, *words))
