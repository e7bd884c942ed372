"""Do the splits share what they must not: groups, files, or pictures that look the same?

Two pictures or videos that look alike are found by perceptual hashes and confirmed by comparing
small grey thumbnails, so that what is only similar is not reported. Nothing is left out: a leak
is named, and it is the user who decides. What was looked at is kept in the workspace.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice, product
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.dataset import Dataset, Listed
from data_pipeline.leakage.hamming import close_pairs
from data_pipeline.leakage.likeness import Likeness, thumbnails
from data_pipeline.leakage.looking import Looking, Progress
from data_pipeline.splitting.splits import SPLITS, SplitName

LeakKind: TypeAlias = Literal["group", "identical", "near", "mirrored"]
MOST_BITS = 6  # of 64; copies differ in at most 4
LEAST_CORRELATION = 0.985  # of thumbnails; copies reach 0.99, different pictures not 0.98
MOST_ALIKE = 8  # items of one hash and split that are compared; 5,000 may show one blank form


@dataclass(frozen=True, slots=True)
class Leak:
    """Two items that should not be in different splits."""

    kind: LeakKind
    first_split: SplitName
    first_id: str
    second_split: SplitName
    second_id: str
    distance: int = 0  # bits of 64 that differ, the most of all frames; 0 for group, identical
    group: str | None = None  # what both belong to, for the kind "group"


@dataclass(frozen=True, slots=True)
class Leakage:
    """What splits have in common."""

    leaks: tuple[Leak, ...]  # a group once per pair of splits, by the first item of each
    compared: Mapping[SplitName, int]  # items that were looked at
    unreadable: tuple[str, ...]  # ids of items that could not be

    def counts(self) -> Mapping[LeakKind, int]:
        """Return how many leaks there are of each kind."""
        return Counter(leak.kind for leak in self.leaks)


@dataclass(frozen=True, slots=True)
class _Part:
    """A split's items that could be looked at."""

    split: SplitName
    items: tuple[Listed, ...]
    likenesses: tuple[Likeness, ...]


def find_leaks(
    splits: Mapping[SplitName, Dataset], *, progress: Progress | None = None
) -> Leakage:
    """Compare all items of each split with those of the others.

    Args:
        splits: The items as they are used, after cutting and limiting.
        progress: Told now and then, from this thread, how far the slow part is.
    """
    present = {name: splits[name] for name in SPLITS if name in splits}
    items = [item for dataset in present.values() for item in dataset.items]
    looking = Looking(items)
    seen = looking.likenesses(items, progress)
    each = iter(zip(items, seen, strict=True))
    parts = {name: _part(name, islice(each, len(dataset))) for name, dataset in present.items()}
    leaks: list[Leak] = []
    for first, second in combinations(present, 2):
        leaks += _shared_groups((first, present[first]), (second, present[second]))
        leaks += _same_content(parts[first], parts[second])
        leaks += _same_looks(parts[first], parts[second], looking)
    return Leakage(
        leaks=tuple(leaks),
        compared={name: len(part.items) for name, part in parts.items()},
        unreadable=tuple(i.image_id for i, look in zip(items, seen, strict=True) if look is None),
    )


def _part(split: SplitName, seen: Iterable[tuple[Listed, Likeness | None]]) -> _Part:
    looked_at = [(item, likeness) for item, likeness in seen if likeness is not None]
    return _Part(
        split, tuple(item for item, _ in looked_at), tuple(likeness for _, likeness in looked_at)
    )


def _shared_groups(
    first: tuple[SplitName, Dataset], second: tuple[SplitName, Dataset]
) -> Iterator[Leak]:
    (first_split, first_dataset), (second_split, second_dataset) = first, second
    held = {item.group: item.image_id for item in reversed(first_dataset.items)}
    sought = {item.group: item.image_id for item in reversed(second_dataset.items)}
    for group in sorted(held.keys() & sought.keys()):
        yield Leak("group", first_split, held[group], second_split, sought[group], group=group)


def _same_content(first: _Part, second: _Part) -> Iterator[Leak]:
    holders: defaultdict[bytes, list[str]] = defaultdict(list)
    for item, likeness in zip(first.items, first.likenesses, strict=True):
        holders[likeness.content].append(item.image_id)
    for item, likeness in zip(second.items, second.likenesses, strict=True):
        for image_id in holders.get(likeness.content, ())[:MOST_ALIKE]:
            yield Leak("identical", first.split, image_id, second.split, item.image_id)


def _same_looks(first: _Part, second: _Part, looking: Looking) -> Iterator[Leak]:
    """Yield what is near or mirrored, and not of the same content."""
    candidates = {
        pair: is_mirrored
        for is_mirrored in (True, False)  # what is both is near
        for pair in _candidates(first, second, is_mirrored=is_mirrored)
    }
    own = _squares(first, {i for i, _ in candidates}, looking)
    others = _squares(second, {j for _, j in candidates}, looking)
    for (i, j), is_mirrored in sorted(candidates.items()):
        one, other = own[i], others[j]
        if one is None or other is None:
            continue
        if _is_confirmed(one, other, is_mirrored=is_mirrored):
            kind: LeakKind = "mirrored" if is_mirrored else "near"
            distance = _distance(first.likenesses[i], second.likenesses[j], is_mirrored)
            ids = first.items[i].image_id, second.items[j].image_id
            yield Leak(kind, first.split, ids[0], second.split, ids[1], distance)


def _squares(
    part: _Part, places: Collection[int], looking: Looking
) -> dict[int, NDArray[np.uint8] | None]:
    """Look at some of a part's items again; None: it can no longer be read."""
    return dict(zip(places, looking.squares([part.items[p] for p in places]), strict=True))


def _candidates(first: _Part, second: _Part, *, is_mirrored: bool) -> Iterator[tuple[int, int]]:
    """Yield the places of items whose hashes are close; of a video's, in any frame."""
    own, own_places = _hashes(first, is_mirrored=False)
    sought, sought_places = _hashes(second, is_mirrored=is_mirrored)
    for frame in range(min(own.shape[1], sought.shape[1])):
        values, holders = _by_hash(own[:, frame], own_places)
        others, seekers = _by_hash(sought[:, frame], sought_places)
        pairs, _ = close_pairs(values, others, MOST_BITS)
        for held, asked in pairs.tolist():
            for i, j in product(holders[held], seekers[asked]):
                if first.likenesses[i].content != second.likenesses[j].content:
                    yield i, j


def _hashes(part: _Part, *, is_mirrored: bool) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the (n, k) hashes of a part's telling items, and their (n,) places in it."""
    places = [place for place, each in enumerate(part.likenesses) if each.is_telling]
    telling = [part.likenesses[place] for place in places]
    rows = [each.mirrored if is_mirrored else each.hashes for each in telling]
    hashes = np.stack(rows) if rows else np.empty((0, 1), dtype=np.uint64)
    return hashes, np.array(places, dtype=np.int64)


def _by_hash(
    hashes: NDArray[np.uint64], places: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], list[list[int]]]:
    """Return each hash once, and for each the places that have it, MOST_ALIKE at most."""
    values, inverse = np.unique(hashes, return_inverse=True)
    holders: list[list[int]] = [[] for _ in values]
    for place, number in zip(places.tolist(), inverse.tolist(), strict=True):
        if len(holders[number]) < MOST_ALIKE:
            holders[number].append(place)
    return values, holders


def _is_confirmed(one: NDArray[np.uint8], other: NDArray[np.uint8], *, is_mirrored: bool) -> bool:
    """Compare (k, SIDE, SIDE) squares frame by frame."""
    turned = other[:, :, ::-1] if is_mirrored else other
    correlations = (thumbnails(one) * thumbnails(turned)).sum(axis=1)
    return bool(correlations.min() >= LEAST_CORRELATION)


def _distance(one: Likeness, other: Likeness, is_mirrored: bool) -> int:
    hashes = other.mirrored if is_mirrored else other.hashes
    return int(np.bitwise_count(one.hashes ^ hashes).max())
