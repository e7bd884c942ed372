"""Splits: shares, classes, groups, folds, limits; each on made lists and on UCF101's names."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (  # type: ignore[import-untyped]
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
)

from data_pipeline.datasets.dataset import Listed
from data_pipeline.datasets.listed_videos import ListedVideo
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.datasets.ucf101 import official_clips
from data_pipeline.faults import Fault
from data_pipeline.settings import Limit, Split
from data_pipeline.splitting.hash_order import shuffled
from data_pipeline.splitting.splits import (
    SPLITS,
    SplitName,
    cut,
    limited,
    random_cut,
    validation_cuts,
)


@dataclass(frozen=True)
class Named:
    """An item that is only listed."""

    image_id: str
    group: str
    classes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def faults(self) -> tuple[Fault, ...]:
        return ()


def single(image_id: str, *classes: str) -> Named:
    return Named(image_id, image_id, classes)


SHARES: dict[SplitName, float] = {"train": 0.64, "val": 0.16, "test": 0.2}
ITEMS = [single(f"image-{number}") for number in range(1000)]
POLICIES = [
    Split(policy="random"),
    Split(policy="stratified"),
    Split(policy="grouped"),
    Split(policy="random", folds=3, fold=1),
    Split(policy="stratified", folds=3, fold=1),
    Split(policy="grouped", folds=3, fold=1),
]


def classes_in(items: Iterable[Listed], image_ids: frozenset[str]) -> Counter[str]:
    return Counter(label for i in items if i.image_id in image_ids for label in i.classes)


@pytest.fixture(scope="module")
def ucf101(real_data: Path) -> list[ListedVideo]:
    """The 13,320 clips of the official lists, though only seven are on disk."""
    clips = official_clips(UCF101Data(root=real_data / "ucf101_mini"))
    assert (len(clips), len({clip.group for clip in clips})) == (13_320, 2525)
    return list(clips)


# --- random, as it has always been ------------------------------------------------------------


def test_default_cut_is_64_16_20() -> None:
    parts = cut(ITEMS, Split(policy="random"))
    assert {name: len(parts[name]) for name in SPLITS} == {"train": 640, "val": 160, "test": 200}


def test_cut_follows_the_configured_shares() -> None:
    parts = cut(ITEMS, Split(policy="random", test=0.1, val=0.5))
    assert {name: len(parts[name]) for name in SPLITS} == {"train": 450, "val": 450, "test": 100}


def test_another_seed_gives_other_splits() -> None:
    first, second = (cut(ITEMS, Split(policy="random", seed=seed)) for seed in (0, 1))
    shared = len(first["test"] & second["test"])
    assert 15 <= shared <= 65  # 40 expected of two independent draws of 200 from 1000


def test_order_is_the_documented_hash_and_thus_the_same_on_every_machine() -> None:
    assert shuffled(["a", "b", "c", "d", "e"], 0, "split") == ["b", "e", "c", "a", "d"]


def test_random_cut_and_limit_are_those_of_earlier_studies() -> None:
    ten = ITEMS[:10]
    parts = cut(ten, Split(policy="random"))
    assert parts["test"] == {"image-0", "image-6"}
    assert parts["val"] == {"image-1", "image-7"}
    chosen = limited(ten, "val", limit=Limit(val=3), seed=2)
    assert chosen == {"image-1", "image-4", "image-8"}


def test_random_cut_of_ids_is_the_cut_of_their_items() -> None:
    split = Split(policy="random", seed=4)
    by_id = random_cut((item.image_id for item in ITEMS), split)
    assert {name: frozenset(ids) for name, ids in by_id.items()} == cut(ITEMS, split)


@pytest.mark.parametrize("split", POLICIES, ids=str)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_sets_are_cut_without_losing_an_image(split: Split, count: int) -> None:
    assert sum(len(part) for part in cut(ITEMS[:count], split).values()) == count


# --- every policy -----------------------------------------------------------------------------

LABELS = st.lists(st.sampled_from("abcd"), max_size=3, unique=True).map(tuple)
LISTS = st.lists(st.tuples(st.integers(0, 8), LABELS), max_size=40).map(
    lambda rows: [Named(f"{n}", f"group {g}", classes) for n, (g, classes) in enumerate(rows)]
)


@pytest.mark.parametrize("split", POLICIES, ids=str)
@settings(max_examples=40, deadline=None)
@given(items=LISTS, seed=st.integers(0, 3))
def test_splits_are_disjoint_and_complete(split: Split, items: list[Named], seed: int) -> None:
    parts = cut(items, split.model_copy(update={"seed": seed}))
    placed = [image_id for part in parts.values() for image_id in part]
    assert sorted(placed) == sorted(item.image_id for item in items)
    assert parts.keys() == set(SPLITS)


@pytest.mark.parametrize("split", POLICIES, ids=str)
@settings(max_examples=40, deadline=None)
@given(items=LISTS, random_order=st.randoms(use_true_random=False))
def test_cut_does_not_depend_on_the_order_of_the_file_system(
    split: Split, items: list[Named], random_order: random.Random
) -> None:
    other = items.copy()
    random_order.shuffle(other)
    assert cut(items, split) == cut(other, split)


@pytest.mark.parametrize("folds", [None, 2, 3])
@settings(max_examples=60, deadline=None)
@given(items=LISTS)
def test_grouped_cut_parts_no_group(folds: int | None, items: list[Named]) -> None:
    parts = cut(items, Split(policy="grouped", folds=folds))
    groups = [{i.group for i in items if i.image_id in part} for part in parts.values()]
    assert all(not one & other for one, other in combinations(groups, 2))


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(3, 9), min_size=1, max_size=5), seed=st.integers(0, 5))
def test_class_with_three_groups_is_in_every_split(counts: list[int], seed: int) -> None:
    items = [
        Named(f"{label}/{group}/{n}", f"{label}/{group}", (f"class {label}",))
        for label, groups in enumerate(counts)
        for group in range(groups)
        for n in range(1 + (group * 7 + label) % 4)
    ]
    parts = cut(items, Split(policy="grouped", seed=seed))
    for part in parts.values():
        assert len(classes_in(items, part)) == len(counts)


def test_groups_without_classes_come_close_to_the_shares() -> None:
    random_sizes = random.Random(0)
    items = [
        Named(f"{group}/{n}", f"{group}")
        for group in range(60)
        for n in range(random_sizes.choice([1, 2, 5, 40]))
    ]
    parts = cut(items, Split(policy="grouped"))
    for name, share in SHARES.items():
        assert len(parts[name]) == pytest.approx(share * len(items), abs=20)  # half a group


def test_another_seed_gives_other_groups() -> None:
    items = [Named(f"{n}", f"{n // 4}", (f"{n % 3}",)) for n in range(400)]
    first, second = (cut(items, Split(policy="grouped", seed=seed)) for seed in (0, 1))
    assert first["test"] != second["test"]


# --- UCF101's official names ------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_grouped_split_of_ucf101_never_shares_a_group(
    ucf101: list[ListedVideo], seed: int
) -> None:
    parts = cut(ucf101, Split(policy="grouped", seed=seed))
    groups = [{i.group for i in ucf101 if i.image_id in parts[name]} for name in SPLITS]
    assert all(not one & other for one, other in combinations(groups, 2))
    for name, share in SHARES.items():
        assert len(parts[name]) == pytest.approx(share * 13_320, abs=14)  # 0.1 % of all
        assert len(classes_in(ucf101, parts[name])) == 101


def test_random_split_of_ucf101_cuts_nearly_every_group(ucf101: list[ListedVideo]) -> None:
    parts = cut(ucf101, Split(policy="random"))
    train, val, _ = ({i.group for i in ucf101 if i.image_id in parts[n]} for n in SPLITS)
    assert len(train & val) > 1000


def test_folds_of_ucf101_are_as_balanced_as_scikit_learns(ucf101: list[ListedVideo]) -> None:
    """Compare how far the folds' class counts are from a fifth each, in squares."""
    labels = np.array([item.classes[0] for item in ucf101])
    groups = np.array([item.group for item in ucf101])
    known = np.unique(labels)
    fifth = np.array([(labels == name).sum() / 5 for name in known])

    def unevenness(members: Sequence[np.ndarray]) -> float:
        counts = [[(labels[part] == name).sum() for name in known] for part in members]
        return float(((np.array(counts) - fifth) ** 2).sum())

    theirs = [test for _, test in StratifiedGroupKFold(5).split(labels, labels, groups)]
    ours = []
    for fold in range(5):
        split = Split(policy="given", folds=5, fold=fold)
        val = validation_cuts(ucf101, split).of(0)["val"]
        ours.append(np.array([item.image_id in val for item in ucf101]).nonzero()[0])
    assert unevenness(ours) <= 1.01 * unevenness(theirs)


# --- stratified -------------------------------------------------------------------------------


def test_stratified_cut_has_the_class_counts_of_scikit_learn() -> None:
    """Counts are within one: both round to the whole, which class gets the rest is chance."""
    labels = ["a"] * 503 + ["b"] * 211 + ["c"] * 87 + ["d"] * 19
    items = [single(f"{n}", label) for n, label in enumerate(labels)]
    parts = cut(items, Split(policy="stratified", test=0.3))
    reference = StratifiedShuffleSplit(1, test_size=round(0.3 * len(items)), random_state=0)
    _, test = next(reference.split(labels, labels))
    expected, got = Counter(labels[i] for i in test), classes_in(items, parts["test"])
    assert len(parts["test"]) == len(test)
    assert all(abs(got[name] - expected[name]) <= 1 for name in "abcd")


def test_image_with_several_classes_stands_for_its_rarest() -> None:
    items = [single(f"car {n}", "car") for n in range(90)]
    items += [single(f"bus {n}", "bus", "car") for n in range(10)]
    parts = cut(items, Split(policy="stratified", test=0.2, val=0.25))
    buses = {name: classes_in(items, part)["bus"] for name, part in parts.items()}
    assert buses == {"test": 2, "val": 2, "train": 6}


# --- folds and validation from training -------------------------------------------------------


@pytest.mark.parametrize("policy", ["random", "stratified", "grouped"])
def test_each_image_that_is_not_test_is_validation_in_one_fold(policy: str) -> None:
    items = [Named(f"{n}", f"{n // 3}", (f"{n % 4}",)) for n in range(300)]
    cuts = [cut(items, Split.model_validate({"policy": policy, "folds": 5, "fold": f}))
            for f in range(5)]  # fmt: skip
    assert len({parts["test"] for parts in cuts}) == 1
    validated = Counter(image_id for parts in cuts for image_id in parts["val"])
    rest = {item.image_id for item in items} - cuts[0]["test"]
    assert validated == Counter(rest)
    assert all(abs(len(parts["val"]) - len(rest) / 5) <= 3 for parts in cuts)


def test_test_split_is_the_same_with_and_without_folds() -> None:
    items = [Named(f"{n}", f"{n // 3}", (f"{n % 4}",)) for n in range(300)]
    for policy in ("random", "stratified", "grouped"):
        once = Split.model_validate({"policy": policy})
        folded = Split.model_validate({"policy": policy, "folds": 4})
        assert cut(items, once)["test"] == cut(items, folded)["test"]


def test_validation_is_cut_from_training_by_groups_and_classes() -> None:
    items = [Named(f"{n}", f"{n // 5}", (f"{n // 100}",)) for n in range(500)]
    parts = validation_cuts(items, Split(val=0.2)).of(0)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 400,
        "val": 100,
        "test": 0,
    }
    assert classes_in(items, parts["val"]) == {f"{label}": 20 for label in range(5)}
    groups = [{i.group for i in items if i.image_id in part} for part in parts.values()]
    assert not groups[0] & groups[1]


# --- limits -----------------------------------------------------------------------------------


def test_growing_the_limit_keeps_earlier_images() -> None:
    chosen = [limited(ITEMS, "train", limit=Limit(train=n), seed=0) for n in (10, 100, 400)]
    assert [len(part) for part in chosen] == [10, 100, 400]
    assert chosen[0] < chosen[1] < chosen[2]


def test_limit_of_one_split_does_not_touch_another() -> None:
    everything = frozenset(item.image_id for item in ITEMS)
    assert limited(ITEMS, "val", limit=Limit(train=10), seed=0) == everything


def test_limit_above_the_number_of_images_keeps_all() -> None:
    assert len(limited(ITEMS, "val", limit=Limit(val=5000), seed=0)) == len(ITEMS)


def test_limit_per_class_takes_so_many_of_each() -> None:
    items = [single(f"{n}", "abc"[n % 3]) for n in range(300)]
    chosen = limited(items, "train", limit=Limit(train=7, per_class=True), seed=0)
    assert classes_in(items, chosen) == {"a": 7, "b": 7, "c": 7}


@settings(max_examples=60, deadline=None)
@given(items=LISTS, small=st.integers(1, 6), more=st.integers(0, 6))
def test_limits_per_class_are_nested_and_starve_no_class(
    items: list[Named], small: int, more: int
) -> None:
    few, many = (
        limited(items, "val", limit=Limit(val=n, per_class=True), seed=1)
        for n in (small, small + more)
    )
    assert few <= many
    there, chosen = classes_in(items, frozenset(i.image_id for i in items)), classes_in(items, few)
    assert all(chosen[name] >= min(small, there[name]) for name in there)


def test_images_without_a_class_are_limited_like_a_class() -> None:
    items = [single(f"{n}") for n in range(50)] + [single(f"a{n}", "a") for n in range(50)]
    chosen = limited(items, "train", limit=Limit(train=4, per_class=True), seed=0)
    assert Counter(image_id.startswith("a") for image_id in chosen) == {True: 4, False: 4}
