"""Pictures with a label image beside them: pixel values there are classes.

With all classes chosen, labels are 0, 1, … in the chosen order and there is no background. With
a part of them, these are 1, 2, … and the other classes are background, 0. Void is `IGNORE`
either way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from data_pipeline.datasets.labels import BACKGROUND, chosen_classes
from data_pipeline.errors import DataError, InvalidDataError
from data_pipeline.faults import Fault
from data_pipeline.images import read_image, read_labels
from data_pipeline.samples import IGNORE, SegmentationSample
from data_pipeline.settings import DataSettings


@dataclass(frozen=True, slots=True)
class Legend:
    """What the values of a label image mean."""

    names: tuple[str, ...]  # in label order
    labels: Mapping[int, int]  # stored value, 0 to 255 -> label, or IGNORE for void
    classes: Mapping[int, str]  # stored value -> chosen class


def map_label_names(settings: DataSettings, known: Sequence[str]) -> tuple[str, ...]:
    """Return the chosen classes in label order, after background where some were not chosen.

    Raises:
        UnknownClassError: A chosen class is not known, or is named twice.
    """
    chosen = chosen_classes(settings, known)
    return chosen if len(chosen) == len(known) else (BACKGROUND, *chosen)


def legend_of(
    settings: DataSettings, stored: Mapping[int, str], *, void: int | None = None
) -> Legend:
    """Say what stored values become.

    Args:
        settings: Name the chosen classes.
        stored: Value in the label images -> class; all classes there are, in their order.
        void: Value of pixels without a class.
    """
    names = map_label_names(settings, tuple(stored.values()))
    chosen = chosen_classes(settings, tuple(stored.values()))
    labels = {value: names.index(n) if n in chosen else 0 for value, n in stored.items()}
    classes = {value: name for value, name in stored.items() if name in chosen}
    if void is not None:
        labels[void] = IGNORE
    return Legend(names, labels, classes)


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture, its label image, and what to make of the stored values."""

    image_id: str
    group: str
    image_file: Path
    label_file: Path
    legend: Legend

    @property
    def files(self) -> tuple[Path, ...]:
        """The picture and its label image."""
        return self.image_file, self.label_file

    @property
    def classes(self) -> tuple[str, ...]:
        """Chosen classes in it, in label order; decodes the label image at the first call.

        A label image that cannot be read has none.
        """
        try:
            changed = self.label_file.stat().st_mtime_ns
        except OSError:
            return ()
        stored = _stored_values(self.label_file, changed)
        found = {self.legend.classes[value] for value in stored if value in self.legend.classes}
        return tuple(name for name in self.legend.names if name in found)

    def faults(self) -> tuple[Fault, ...]:
        """Find nothing: what is wrong with a label image shows when it is decoded."""
        return ()

    def read(self) -> SegmentationSample:
        """Decode the pair.

        Raises:
            DataError: One is missing or damaged, sizes differ, or a stored value is unknown.
        """
        image = read_image(self.image_file)
        stored = read_labels(self.label_file)
        if stored.shape != image.shape[:2]:
            raise InvalidDataError(
                f"label image {self.label_file} must have its image's height and width "
                f"{image.shape[:2]}, got {stored.shape}; restore both files",
                kind="mask_size",
            )
        counts = np.bincount(stored.ravel(), minlength=256)
        unknown = sorted(set(np.flatnonzero(counts).tolist()) - set(self.legend.labels))
        if unknown:
            raise InvalidDataError(
                f"label image {self.label_file} must hold only {_listing(self.legend.labels)}, "
                f"got {unknown[0]} at {counts[unknown].sum()} pixels; use the dataset's own label "
                "images",
                kind="mask_value",
            )
        table = np.zeros(256, dtype=np.uint8)
        table[list(self.legend.labels)] = list(self.legend.labels.values())
        return SegmentationSample(self.image_id, image, table[stored])


@lru_cache(maxsize=16_384)
def _stored_values(label_file: Path, changed: int) -> frozenset[int]:  # noqa: ARG001  # a new file is read anew
    try:
        return frozenset(np.unique(read_labels(label_file)).tolist())
    except DataError:
        return frozenset()


def _listing(values: Mapping[int, int]) -> str:
    """Return "0 to 11", or "0, 255" where there are gaps."""
    ordered = sorted(values)
    if ordered == list(range(ordered[0], ordered[-1] + 1)) and len(ordered) > 2:
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(str(value) for value in ordered)
