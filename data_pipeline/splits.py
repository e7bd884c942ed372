"""Which image is for training, validation and test.

An image's place depends on its id and the seed alone: not on the file system, not on a random
number generator's version. A smaller `limit` takes a part of what a larger one takes.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal, TypeAlias

from data_pipeline.settings import Limit, Split

SplitName: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def shuffled(image_ids: Iterable[str], seed: int, purpose: str) -> list[str]:
    """Order ids by a hash of purpose, seed and id; two purposes give unrelated orders."""

    def rank(image_id: str) -> tuple[bytes, str]:
        return blake2b(f"{purpose}/{seed}/{image_id}".encode()).digest(), image_id

    return sorted(image_ids, key=rank)


def cut(image_ids: Iterable[str], split: Split) -> Mapping[SplitName, list[str]]:
    """Cut all images into the three splits: first the test share, then validation of the rest."""
    ids = shuffled(image_ids, split.seed, "split")
    test = round(len(ids) * split.test)
    val = round((len(ids) - test) * split.val)
    return {"test": ids[:test], "val": ids[test : test + val], "train": ids[test + val :]}


def limited(
    image_ids: Iterable[str], name: SplitName, *, limit: Limit, seed: int
) -> frozenset[str]:
    """Choose at most as many images of a split as its limit allows."""
    most: int | None = getattr(limit, name)
    if most is None:
        return frozenset(image_ids)
    return frozenset(shuffled(image_ids, seed, f"limit {name}")[:most])
