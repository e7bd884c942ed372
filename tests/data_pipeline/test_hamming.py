"""Close hashes: what the lookup finds is what comparing all with all finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data_pipeline.leakage import hamming
from data_pipeline.leakage.hamming import MOST_BITS, close_pairs


def all_with_all(
    first: NDArray[np.uint64], second: NDArray[np.uint64], most_bits: int
) -> list[list[int]]:
    bits = np.bitwise_count(first[:, None] ^ second[None])
    pairs: list[list[int]] = np.argwhere(bits <= most_bits).tolist()
    return pairs


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), most_bits=st.integers(0, MOST_BITS))
def test_every_close_pair_is_found(seed: int, most_bits: int) -> None:
    random = np.random.default_rng(seed)
    first = np.unique(random.integers(0, 2**64, 200, dtype=np.uint64))
    changed = first[:80].copy()
    for number, value in enumerate(changed):
        for bit in random.choice(64, random.integers(0, 11), replace=False):
            value ^= np.uint64(1) << np.uint64(bit)
        changed[number] = value
    second = np.unique(np.concatenate([changed, random.integers(0, 2**64, 50, dtype=np.uint64)]))
    pairs, bits = close_pairs(first, second, most_bits)
    assert pairs.tolist() == all_with_all(first, second, most_bits)
    differing = np.bitwise_count(first[pairs[:, 0]] ^ second[pairs[:, 1]])
    assert bits.tolist() == differing.tolist()


def test_crowded_bucket_is_compared_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamming, "AT_ONCE", 100)
    first = np.arange(60, dtype=np.uint64) << np.uint64(48)  # three quarters are the same
    second = first ^ np.uint64(1)
    pairs, _ = close_pairs(first, second, 2)
    assert pairs.tolist() == all_with_all(first, second, 2)


def test_nothing_is_close_to_nothing() -> None:
    none = np.empty(0, dtype=np.uint64)
    pairs, bits = close_pairs(none, np.ones(1, dtype=np.uint64), 3)
    assert (pairs.shape, bits.shape) == ((0, 2), (0,))


def test_more_bits_than_the_lookup_can_find_are_refused() -> None:
    none = np.empty(0, dtype=np.uint64)
    with pytest.raises(ValueError, match="most_bits must be from 0 to 7, got 8"):
        close_pairs(none, none, 8)
