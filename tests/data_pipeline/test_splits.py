"""Seeded splits: shares, stability, limits."""

import random

import pytest

from data_pipeline.settings import Limit, Split
from data_pipeline.splits import SPLITS, cut, limited, shuffled

IDS = [f"image-{number}" for number in range(1000)]


def test_default_cut_is_64_16_20() -> None:
    parts = cut(IDS, Split())
    assert {name: len(parts[name]) for name in SPLITS} == {"train": 640, "val": 160, "test": 200}


def test_cut_follows_the_configured_shares() -> None:
    parts = cut(IDS, Split(test=0.1, val=0.5))
    assert {name: len(parts[name]) for name in SPLITS} == {"train": 450, "val": 450, "test": 100}


def test_splits_are_disjoint_and_complete() -> None:
    parts = cut(IDS, Split())
    assert sorted(i for part in parts.values() for i in part) == sorted(IDS)


def test_cut_does_not_depend_on_the_order_of_the_file_system() -> None:
    other = IDS.copy()
    random.Random(3).shuffle(other)
    assert cut(IDS, Split()) == cut(other, Split())


def test_another_seed_gives_other_splits() -> None:
    first, second = cut(IDS, Split(seed=0)), cut(IDS, Split(seed=1))
    shared = len(set(first["test"]) & set(second["test"]))
    assert 15 <= shared <= 65  # 40 expected of two independent draws of 200 from 1000


def test_order_is_the_documented_hash_and_thus_the_same_on_every_machine() -> None:
    assert shuffled(["a", "b", "c", "d", "e"], 0, "split") == ["b", "e", "c", "a", "d"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_sets_are_cut_without_losing_an_image(count: int) -> None:
    assert sum(len(part) for part in cut(IDS[:count], Split()).values()) == count


def test_growing_the_limit_keeps_earlier_images() -> None:
    chosen = [limited(IDS, "train", limit=Limit(train=n), seed=0) for n in (10, 100, 400)]
    assert [len(part) for part in chosen] == [10, 100, 400]
    assert chosen[0] < chosen[1] < chosen[2]


def test_limit_of_one_split_does_not_touch_another() -> None:
    assert limited(IDS, "val", limit=Limit(train=10), seed=0) == frozenset(IDS)


def test_limit_above_the_number_of_images_keeps_all() -> None:
    assert limited(IDS, "val", limit=Limit(val=5000), seed=0) == frozenset(IDS)
