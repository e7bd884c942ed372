"""Settings that name classes must name such as every network of the study has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from data_pipeline.catalog import class_names, label_names
from data_pipeline.errors import DataError
from models.loss_settings import BorderWeight
from models.metrics.names import BACKGROUND
from studies.spec.draft import Draft
from studies.spec.problems import Finding, Loc, did_you_mean
from studies.spec.schema import CellSettings
from studies.spec.settings import for_all_classes, for_class

Labels: TypeAlias = tuple[str, ...]  # of one network, in order
NAMING = ("training.class_weights", "training.border_weight")  # the settings that are checked


class Misnomer(NamedTuple):
    """A class that a setting names, or leaves out, wrongly."""

    path: str  # of `NAMING`
    keys: Loc  # below it
    message: str
    on_key: bool  # the name is a key


@dataclass(slots=True)
class NetworkLabels:
    """Knows what the labels of each network of a study are called."""

    task: str | None
    on_disk: bool  # whether to look at the data
    has_single_network: bool  # beside those of single classes
    _known: dict[tuple[object, ...], tuple[Labels, ...]] = field(default_factory=dict)

    def of(self, settings: CellSettings) -> tuple[Labels, ...]:
        """Return the labels of every network; () where that cannot be told."""
        if self.task is None or not self.on_disk:
            return ()
        choice = (settings.data.one_model_per_class, *settings.data.classes)
        if choice not in self._known:
            try:
                networks = self._networks(settings)
                labels = [label_names(network.data, self.task) for network in networks]
            except (DataError, OSError):  # `check_data` says what is missing
                labels = []
            self._known[choice] = tuple(labels)
        return self._known[choice]

    def _networks(self, settings: CellSettings) -> Iterator[CellSettings]:
        if not settings.data.one_model_per_class:
            yield settings
            return
        classes = settings.data.classes or class_names(settings.data)
        for name in classes:
            yield for_class(settings, name)
        if self.has_single_network:
            yield for_all_classes(settings, classes)


def network_labels(draft: Draft, *, on_disk: bool) -> NetworkLabels:
    """Return what knows the labels of a study's networks.

    Args:
        draft: The study as far as it could be read.
        on_disk: Whether to look at the data on disk.
    """
    assembly = draft.values.get("assembly")
    is_certain = draft.is_certain("data", "classes")
    return NetworkLabels(
        draft.task,
        on_disk=on_disk and is_certain,
        has_single_network=assembly is not None and assembly.single_network,
    )


def label_findings(draft: Draft, labels: NetworkLabels) -> Iterator[Finding]:
    """Check the base settings."""
    if draft.base is not None and _names_classes(draft.base):
        for path, keys, message, on_key in misnomers(draft.base, labels.of(draft.base)):
            yield Finding((*path.split("."), *keys), message, on_key)


def misnomers(settings: CellSettings, networks: Sequence[Labels]) -> Iterator[Misnomer]:
    """Find classes that are not in every network.

    Args:
        settings: What names classes.
        networks: Labels of every network; none where that cannot be told.
    """
    weights, border = settings.training.class_weights, settings.training.border_weight
    if not networks:
        return
    if isinstance(weights, dict):
        remedy = f"name '{BACKGROUND}' alone, or use median_frequency"
        for name in weights:
            message = _unknown(name, networks, remedy)
            if message:
                yield Misnomer(NAMING[0], (name,), message, on_key=True)
    if border is not None:
        message = _wrong_object(border, networks)
        if message:
            keys: Loc = () if border.of is None else ("of",)
            yield Misnomer(NAMING[1], keys, message, on_key=border.of is None)


def _names_classes(settings: CellSettings) -> bool:
    training = settings.training
    return isinstance(training.class_weights, dict) or training.border_weight is not None


def _unknown(name: str, networks: Sequence[Labels], remedy: str) -> str:
    known = list(dict.fromkeys(label for labels in networks for label in labels))
    if name not in known:
        listed = ", ".join(known[:12]) + ", …" * (len(known) > 12)
        return f"unknown class '{name}'{did_you_mean(name, known) or f'; there are {listed}'}"
    if all(name in labels for labels in networks):
        return ""
    return f"class '{name}' is not in every network of data.one_model_per_class; {remedy}"


def _wrong_object(border: BorderWeight, networks: Sequence[Labels]) -> str:
    if border.of is not None:
        return _unknown(border.of, networks, "remove `of`: each network has one class")
    for labels in networks:
        classes = [label for label in labels if label != BACKGROUND]
        if len(classes) > 1:
            return (
                "border_weight must name the class of the objects under `of`, "
                f"for a network has {len(classes)}: {', '.join(classes[:12])}"
            )
    return ""
