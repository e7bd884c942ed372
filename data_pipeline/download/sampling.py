"""A given number of images per class, the same on every machine, each in one split for good.

An image's place in the order and its split depend on its id and the seed alone. So a larger
number holds the images of a smaller one, and no image changes its split when more are asked for.
"""

import heapq
from collections.abc import Iterable
from typing import Literal

from data_pipeline.splitting.hash_order import rank

Split = Literal["train", "validation"]
SPLITS: tuple[Split, Split] = ("train", "validation")


def split_of(image_id: str, *, train_share: float, seed: int) -> Split:
    """Return an image's split."""
    drawn = int.from_bytes(rank(image_id, seed, "download split")[0][:8]) / 2**64
    return "train" if drawn < train_share else "validation"


class Smallest:
    """The so many ids that come first in the drawn order; holds no more than those."""

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._worst_first: list[tuple[int, str]] = []
        self._ids: set[str] = set()

    def offer(self, image_id: str) -> None:
        """Take an id in if it comes early enough; again is the same as once."""
        if image_id in self._ids or self._count == 0:
            return
        place = -int.from_bytes(rank(image_id, self._seed, "download")[0][:16])
        if len(self._worst_first) < self._count:
            heapq.heappush(self._worst_first, (place, image_id))
        elif place > self._worst_first[0][0]:
            _, dropped = heapq.heapreplace(self._worst_first, (place, image_id))
            self._ids.remove(dropped)
        else:
            return
        self._ids.add(image_id)

    def first(self, count: int) -> list[str]:
        """Return the first so many, in order."""
        return [image_id for _, image_id in sorted(self._worst_first, reverse=True)[:count]]

    def __len__(self) -> int:
        return len(self._ids)


class SplitSample:
    """Images per class, cut into training and validation."""

    def __init__(
        self, classes: Iterable[str], per_class: int, *, train_share: float, seed: int
    ) -> None:
        self._per_class = per_class
        self._train_share = train_share
        self._seed = seed
        self._ids = {
            (name, split): Smallest(per_class, seed) for name in classes for split in SPLITS
        }

    def offer(self, class_name: str, image_id: str) -> None:
        """Tell of an image with an object of a class."""
        split = split_of(image_id, train_share=self._train_share, seed=self._seed)
        self._ids[class_name, split].offer(image_id)

    def chosen(self) -> dict[str, Split]:
        """Return the chosen images and their splits.

        Of each class as many as asked for, in the asked shares; where one split has too few,
        the other gives more, and where both have too few, all.
        """
        chosen: dict[str, Split] = {}
        for name in dict.fromkeys(name for name, _ in self._ids):
            train, validation = self._ids[name, "train"], self._ids[name, "validation"]
            for_train = min(round(self._per_class * self._train_share), len(train))
            for_validation = min(self._per_class - for_train, len(validation))
            chosen |= dict.fromkeys(train.first(self._per_class - for_validation), "train")
            chosen |= dict.fromkeys(validation.first(for_validation), "validation")
        return chosen
