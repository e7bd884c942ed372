"""A split as a list of things that can be read, whatever format they lie in."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from data_pipeline.errors import InvalidDataError
from data_pipeline.faults import Fault
from data_pipeline.samples import Sample


class Listed(Protocol):
    """Where one image or video lies; small, and may be sent to another process."""

    @property
    def image_id(self) -> str:
        """Unique in the dataset, over all its splits; a video's id for a video."""

    @property
    def group(self) -> str:
        """What must not be cut apart by a split: same scene, same video; else the image id."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Chosen classes in it, each once, in label order; background is none of them."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What reading opens; the picture or video is first."""

    def faults(self) -> tuple[Fault, ...]:
        """Return what is wrong with its annotation, without decoding anything."""


class Item(Listed, Protocol):
    """Where one image lies."""

    def read(self) -> Sample:
        """Decode the sample as it lies on disk, not resized.

        Raises:
            DataError: A file is missing or damaged; the message names it.
        """


class VideoItem(Listed, Protocol):
    """Where one video lies."""

    @property
    def label(self) -> int:
        """Index of its class, from 0."""

    def frame_count(self) -> int:
        """Return how many frames can be decoded; opens the video.

        Raises:
            DataError: It is missing or damaged; the message names it.
        """

    def frames(self, indices: NDArray[np.int64], shorter_side: int) -> NDArray[np.uint8]:
        """Decode these frames, (t,) ascending, and no more than that takes.

        Returns:
            (t, h, w, 3) RGB, the shorter side scaled to `shorter_side` pixels.

        Raises:
            DataError: The video is missing, damaged or shorter; the message names it.
        """


def is_video(item: Listed) -> TypeGuard[VideoItem]:
    """Tell the items of videos from those of pictures."""
    return hasattr(item, "frame_count")


@dataclass(frozen=True, slots=True)
class Dataset:
    """The items of a split, ordered by image id and so not by the file system."""

    class_names: tuple[str, ...]  # in label order
    items: tuple[Listed, ...]  # an Item each, or a VideoItem each
    faults: tuple[Fault, ...] = ()  # what was listed and could not become an item, and why

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
    return Dataset(
        present[0].class_names,
        tuple(item for part in present for item in part.items),
        tuple(fault for part in present for fault in part.faults),
    )
