"""Ranks share gradients, decisions and failures."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed, nn

from models.process_group import ProcessGroup, RankError, as_last_words
from models.ranks import ALONE, LeftAlone, part_of
from models.session import Diverged, OutOfMemory
from models.shares import Shares

forking = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
OnRanks = Callable[..., list[Any]]


class Seat:
    """A rank that is asked for nothing but its place."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count


@given(images=st.integers(1, 40), count=st.integers(1, 9), is_even=st.booleans())
def test_ranks_weigh_each_image_of_a_batch_once(images: int, count: int, is_even: bool) -> None:
    weights = [0.0] * images
    for rank in range(count):
        shares = Shares(Seat(rank, count), is_even=is_even)  # type: ignore[arg-type]
        own = range(images)[shares.part(images)]
        assert len(own) > 0
        for image in own:
            weights[image] += 1 / shares.copies(images)

    assert weights == pytest.approx([1.0] * images)


@given(items=st.integers(0, 40), count=st.integers(1, 9))
def test_parts_follow_each_other_and_differ_by_one_at_most(items: int, count: int) -> None:
    parts = [range(items)[part_of(items, Seat(rank, count))] for rank in range(count)]  # type: ignore[arg-type]

    assert [each for part in parts for each in part] == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_one_rank_has_all_of_a_batch() -> None:
    assert Shares(ALONE).part(5) == slice(0, 5)


@forking
def test_gradients_are_added_up_and_what_no_rank_reached_stays_without(on_ranks: OnRanks) -> None:
    def work(ranks: ProcessGroup) -> list[Any]:
        weights = [nn.Parameter(torch.zeros(3)) for _ in range(3)]
        weights[0].grad = torch.full((3,), 1.0 + ranks.rank)
        if ranks.rank:
            weights[1].grad = torch.full((3,), 5.0)
        ranks.add_gradients(weights)
        return [None if each.grad is None else each.grad.tolist() for each in weights]

    assert on_ranks(work, 3) == [[[6.0] * 3, [10.0] * 3, None]] * 3


@forking
def test_what_one_raises_all_raise(on_ranks: OnRanks) -> None:
    class Own(Exception):  # noqa: N818  # local: no other process can be sent it
        """An error."""

    def work(ranks: ProcessGroup) -> list[str]:
        said = []
        for error in (Diverged("val/loss must be finite"), Own("oh")):
            try:
                with ranks.together():
                    if ranks.rank == 1:
                        raise error
            except (Diverged, RankError, Own) as caught:
                said.append(f"{type(caught).__name__}: {caught}")
        return said

    first, second = on_ranks(work)

    assert first == ["Diverged: val/loss must be finite", "RankError: Own: oh"]
    assert second == ["Diverged: val/loss must be finite", "Own: oh"]


@forking
def test_one_that_others_wait_for_inside_leaves_with_its_error(on_ranks: OnRanks) -> None:
    def work(ranks: ProcessGroup) -> Any:
        try:
            with ranks.together(meets_inside=True):
                if ranks.rank == 1:
                    raise OutOfMemory("a micro-batch did not fit into memory")
                distributed.all_reduce(torch.zeros(1))  # as normalisation over a batch does
        except RuntimeError as error:
            return as_last_words(error)

    first, second = on_ranks(work)

    assert type(first) is LeftAlone
    assert type(second) is OutOfMemory


def test_error_of_a_rank_of_its_own_is_its_last_word() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2) @ torch.zeros(3)

    assert as_last_words(caught.value) is caught.value


@forking
def test_first_rank_decides_and_collects(on_ranks: OnRanks) -> None:
    def work(ranks: ProcessGroup) -> tuple[Any, ...]:
        decided = ranks.decided(ranks.rank == 0), ranks.decided(ranks.rank == 1)
        return *decided, ranks.told({"rank": ranks.rank}), ranks.gathered(ranks.rank * 10)

    first, second = on_ranks(work)

    assert first == (True, False, {"rank": 0}, [0, 10])
    assert second == (True, False, {"rank": 0}, [])
