"""A split as a list of things that can be read, whatever format they lie in."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from data_pipeline.errors import InvalidDataError
from data_pipeline.samples import Sample


class Item(Protocol):
    """Where one sample lies; small, and may be sent to another process."""

    @property
    def image_id(self) -> str:
        """Unique in the dataset, over all its splits."""

    def read(self) -> Sample:
        """Decode the sample as it lies on disk, not resized.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """


@dataclass(frozen=True, slots=True)
class Dataset:
    """The items of a split, ordered by image id and so not by the file system."""

    class_names: tuple[str, ...]  # in label order
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        counts = Counter(item.image_id for item in self.items)
        twice = sorted(image_id for image_id, count in counts.items() if count > 1)
        if twice:
            raise InvalidDataError(
                f"every image must be listed once, but {len(twice)} are listed again, "
                f"the first is '{twice[0]}'; remove the repetition"
            )
        ordered = tuple(sorted(self.items, key=lambda item: item.image_id))
        object.__setattr__(self, "items", ordered)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Ids in order."""
        return tuple(item.image_id for item in self.items)

    def keep(self, image_ids: Iterable[str]) -> "Dataset":
        """Return the dataset with these images only; the others are forgotten."""
        wanted = frozenset(image_ids)
        return replace(self, items=tuple(i for i in self.items if i.image_id in wanted))


def pooled(parts: Iterable[Dataset | None]) -> Dataset:
    """Return one dataset of all splits there are.

    Raises:
        InvalidDataError: An image is in two of them.
    """
    present = [part for part in parts if part is not None]
    return Dataset(present[0].class_names, tuple(i for part in present for i in part.items))
