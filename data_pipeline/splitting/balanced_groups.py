"""Share out whole groups of images so that sizes and classes come out as even as they can.

Groups are taken one after another, those with the rarest class first, and each goes where its
classes and images are furthest behind their share. It is the greedy rule of Sechidis et al.
2011, "On the stratification of multi-label data", for groups instead of single images.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from data_pipeline.datasets.dataset import Listed
from data_pipeline.splitting.hash_order import rank

EVERY_IMAGE = ""  # counted like a class, so that a part's size counts like a class's share


@dataclass(frozen=True, slots=True)
class Group:
    """Images that stay together."""

    name: str
    image_ids: tuple[str, ...]
    counts: Mapping[str, int]  # images per class, and EVERY_IMAGE


@dataclass(frozen=True, slots=True)
class Part:
    """What the groups are shared out to."""

    share: float  # of all images, in (0, 1); the parts' sum is 1
    at_least: int = 1  # groups of each class, as far as a class has so many


def shared_out(
    items: Iterable[Listed], parts: Sequence[Part], *, seed: int, purpose: str
) -> list[frozenset[str]]:
    """Return the image ids of each part; every image is in one, and no group in two.

    The order of `items` does not matter. A class with enough groups is in every part.
    """
    groups = _grouped(items)
    balance = _Balance(groups, parts)
    chosen: list[list[str]] = [[] for _ in parts]
    for group in _rarest_first(groups, seed, purpose):
        chosen[balance.place(group)].extend(group.image_ids)
    return [frozenset(image_ids) for image_ids in chosen]


def _grouped(items: Iterable[Listed]) -> list[Group]:
    members: defaultdict[str, list[Listed]] = defaultdict(list)
    for item in items:
        members[item.group].append(item)
    return [
        Group(
            name,
            tuple(item.image_id for item in group),
            _counts(group),
        )
        for name, group in members.items()
    ]


def _counts(group: Iterable[Listed]) -> Mapping[str, int]:
    counts = Counter(label for item in group for label in (*item.classes, EVERY_IMAGE))
    return dict(sorted(counts.items()))  # sums of floats must not depend on the listing


def _rarest_first(groups: Sequence[Group], seed: int, purpose: str) -> Iterator[Group]:
    """Order groups: by rarest class, then from large to small, then by hash.

    Only the three leading bits of a size count, so that among groups of about one size, within
    a quarter, the seed decides.
    """
    holders = Counter(name for group in groups for name in group.counts)

    def place(group: Group) -> tuple[int, str, int, tuple[bytes, str]]:
        rarest = min(group.counts, key=lambda name: (holders[name], name))
        size = group.counts[EVERY_IMAGE]
        lower_bits = max(0, size.bit_length() - 3)
        rounded = size >> lower_bits << lower_bits
        return holders[rarest], rarest, -rounded, rank(group.name, seed, purpose)

    yield from sorted(groups, key=place)


class _Balance:
    """How far each part is behind, class by class; plain numbers, for there may be 100k groups."""

    def __init__(self, groups: Sequence[Group], parts: Sequence[Part]) -> None:
        totals: Counter[str] = Counter()
        for group in groups:
            totals.update(group.counts)
        self._parts = parts
        # A class weighs by one over the square root of its images: where a rare class is off by
        # an image, a common one is off by several.
        self._weights = {name: 1 / sqrt(total) for name, total in totals.items()}
        self._behind = [dict.fromkeys(totals, 0.0) for _ in parts]  # images, by share
        self._missing = [dict.fromkeys(totals, part.at_least) for part in parts]  # groups
        self._lacking = dict.fromkeys(totals, sum(part.at_least for part in parts))
        self._waiting = Counter(name for group in groups for name in group.counts)

    def place(self, group: Group) -> int:
        """Return the number of the part that takes the group, and count it there."""
        for part, behind in zip(self._parts, self._behind, strict=True):
            for name, count in group.counts.items():
                behind[name] += part.share * count
        # a part lacks the class, and each of the waiting groups with it is needed by such a part
        critical = [name for name in group.counts if self._waiting[name] <= self._lacking[name]]
        chosen = max(range(len(self._parts)), key=lambda part: self._need(group, critical, part))
        self._count(group, chosen)
        return chosen

    def _count(self, group: Group, part: int) -> None:
        behind, missing = self._behind[part], self._missing[part]
        for name, count in group.counts.items():
            behind[name] -= count
            self._waiting[name] -= 1
            if missing[name]:
                missing[name] -= 1
                self._lacking[name] -= 1

    def _need(self, group: Group, critical: Iterable[str], part: int) -> tuple[int, float]:
        behind, missing = self._behind[part], self._missing[part]
        lacks = sum(missing[name] > 0 for name in critical)
        return lacks, sum(behind[name] * self._weights[name] for name in group.counts)
