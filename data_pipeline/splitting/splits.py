"""Which image is for training, validation and test, and which of them a limit leaves.

Where an image goes follows from what is listed and the seed: not from the file system's order,
not from a random number generator's version. A smaller `limit` takes a part of what a larger
one takes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from data_pipeline.datasets.dataset import Listed
from data_pipeline.settings import Limit, Split
from data_pipeline.splitting.balanced_groups import Part, shared_out
from data_pipeline.splitting.hash_order import rank, shuffled

SplitName: TypeAlias = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
NO_CLASS = ""  # images without an object of a chosen class are counted together, like a class


@dataclass(frozen=True, slots=True)
class Cuts:
    """Images, cut once, or once for each fold: the folds share a test split."""

    test: frozenset[str]  # image ids
    rest: frozenset[str]
    validation: tuple[frozenset[str], ...]  # of the rest, by fold

    def of(self, fold: int) -> Mapping[SplitName, frozenset[str]]:
        """Return the image ids of each split of a fold; every image is in exactly one."""
        val = self.validation[fold]
        return {"train": self.rest - val, "val": val, "test": self.test}


def cut(items: Iterable[Listed], split: Split) -> Mapping[SplitName, frozenset[str]]:
    """Cut all images into the three splits as `cuts` does, for the fold that is named."""
    return cuts(items, split).of(split.fold)


def cuts(items: Iterable[Listed], split: Split) -> Cuts:
    """Cut all images of a dataset by the study's policy, for every fold.

    First the test share is cut, then validation of the rest: so all folds share one test split.

    Args:
        items: All images there are, in any order.
        split: Its policy is `random`, `stratified` or `grouped`.
    """
    listed = list(items)
    if split.policy == "random" and split.folds is None:
        parts = random_cut((item.image_id for item in listed), split)
        train, val, test = (frozenset(parts[name]) for name in SPLITS)
        return Cuts(test, train | val, (val,))
    test = _test_share(listed, split)
    rest = _without(listed, test)
    if split.policy == "stratified" and split.folds is None:
        return Cuts(test, _ids(rest), (_stratified(rest, split.val, split.seed),))
    return replace(validation_cuts(rest, split), test=test)


def random_cut(image_ids: Iterable[str], split: Split) -> Mapping[SplitName, list[str]]:
    """Cut ids in the order of their hash; nothing else about the images counts."""
    ids = shuffled(image_ids, split.seed, "split")
    test = round(len(ids) * split.test)
    val = round((len(ids) - test) * split.val)
    return {"test": ids[:test], "val": ids[test : test + val], "train": ids[test + val :]}


def validation_cuts(items: Iterable[Listed], split: Split) -> Cuts:
    """Cut what is not for testing into training and validation; groups stay whole.

    It serves datasets that come without a validation list, whatever the policy, and k-fold:
    with `split.folds` each fold validates in turn and `split.val` is not used. Classes are spread
    evenly, as far as groups allow. None is for testing.
    """
    listed = list(items)
    if split.folds is None:
        parts: Sequence[Part] = (Part(split.val), Part(1 - split.val))
        val, _ = shared_out(listed, parts, seed=split.seed, purpose="validation")
        return Cuts(frozenset(), _ids(listed), (val,))
    parts = (Part(1 / split.folds),) * split.folds
    folds = shared_out(listed, parts, seed=split.seed, purpose="folds")
    return Cuts(frozenset(), _ids(listed), tuple(folds))


def limited(
    items: Iterable[Listed], name: SplitName, *, limit: Limit, seed: int
) -> frozenset[str]:
    """Choose as many images of a split as its limit allows, in the order of a hash.

    With `limit.per_class` these are the first so many images of each class. An image with
    several classes counts for each of them: a class that often comes along with others may have
    more images than the limit, none has fewer while there are any.
    """
    listed = list(items)
    most: int | None = getattr(limit, name)
    if most is None:
        return _ids(listed)
    purpose = f"limit {name}"
    if not limit.per_class:
        return frozenset(shuffled(_ids(listed), seed, purpose)[:most])
    counts: Counter[str] = Counter()
    chosen = []
    for item in sorted(listed, key=lambda item: rank(item.image_id, seed, purpose)):
        classes = item.classes or (NO_CLASS,)
        if any(counts[label] < most for label in classes):
            chosen.append(item.image_id)
            counts.update(classes)
    return frozenset(chosen)


def _test_share(items: Sequence[Listed], split: Split) -> frozenset[str]:
    if split.policy == "stratified":
        return _stratified(items, split.test, split.seed)
    if split.policy == "grouped":
        # two groups of each class in the rest: one for training, one for validation
        parts = (Part(split.test), Part(1 - split.test, at_least=2))
        return shared_out(items, parts, seed=split.seed, purpose="split")[0]
    return frozenset(random_cut(_ids(items), split)["test"])


def _stratified(items: Sequence[Listed], share: float, seed: int) -> frozenset[str]:
    """Take a share of every class; an image with several classes stands for its rarest one."""
    strata = _strata(items)
    quotas = _rounded(
        {label: len(ids) * share for label, ids in strata.items()},
        round(len(items) * share),
        seed,
    )
    return frozenset(
        image_id
        for label, ids in strata.items()
        for image_id in shuffled(ids, seed, "split")[: quotas[label]]
    )


def _strata(items: Sequence[Listed]) -> dict[str, list[str]]:
    images = Counter(label for item in items for label in item.classes)
    strata: dict[str, list[str]] = {}
    for item in items:
        rarest = min(item.classes, key=lambda label: (images[label], label), default=NO_CLASS)
        strata.setdefault(rarest, []).append(item.image_id)
    return strata


def _rounded(exact: Mapping[str, float], total: int, seed: int) -> dict[str, int]:
    """Round down, and up for the largest remainders until the sum is the total."""
    quotas = {label: int(quota) for label, quota in exact.items()}

    def place(label: str) -> tuple[float, tuple[bytes, str]]:
        return quotas[label] - exact[label], rank(label, seed, "remainder")

    for label in sorted(exact, key=place)[: total - sum(quotas.values())]:
        quotas[label] += 1
    return quotas


def _without(items: Iterable[Listed], image_ids: frozenset[str]) -> list[Listed]:
    return [item for item in items if item.image_id not in image_ids]


def _ids(items: Iterable[Listed]) -> frozenset[str]:
    return frozenset(item.image_id for item in items)
