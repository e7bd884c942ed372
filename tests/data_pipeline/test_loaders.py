"""Batches: order, augmentation, processes and memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from data_pipeline.cache import SampleCache
from data_pipeline.datasets.dataset import Dataset, pooled
from data_pipeline.errors import InvalidDataError
from data_pipeline.loaders import EpochLoader, PreparedSplit, Shuffle
from data_pipeline.samples import Batch, SegmentationBatch, SegmentationSample


@dataclass
class Counted:
    """An item that counts how often it is read."""

    image_id: str
    reads: list[str] = field(default_factory=list)

    def read(self) -> SegmentationSample:
        self.reads.append(self.image_id)
        random = np.random.default_rng(int(self.image_id))
        image = random.integers(0, 256, (12, 10, 3)).astype(np.uint8)
        return SegmentationSample(self.image_id, image, image[..., 0] % 3)


def split_of(count: int) -> PreparedSplit:
    return PreparedSplit(Dataset((), tuple(Counted(f"{n:03d}") for n in range(count))), 8)


def loader_of(count: int = 10, batch_size: int = 4, *, workers: int = 0) -> EpochLoader:
    shuffle = Shuffle(seed=5, augment=("horizontal_flip", "vertical_flip", "rotate_90"))
    return EpochLoader(split_of(count), batch_size, shuffle=shuffle, workers=workers)


def ids(batches: Iterator[Batch]) -> list[str]:
    found: list[str] = []
    for batch in batches:
        assert isinstance(batch, SegmentationBatch)
        found += batch.image_ids
    return found


def assert_equal(first: Sequence[Batch], second: Sequence[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert isinstance(one, SegmentationBatch)
        assert isinstance(other, SegmentationBatch)
        assert one.image_ids == other.image_ids
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.masks, other.masks)


def test_epoch_has_every_image_once_and_a_smaller_last_batch() -> None:
    loader = loader_of(10, 4)
    batches = list(loader.epoch(1))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert sorted(ids(iter(batches))) == [f"{n:03d}" for n in range(10)]
    assert (len(loader), loader.images) == (3, 10)


def test_epochs_and_seeds_differ_in_order() -> None:
    loader = loader_of(30)
    other = EpochLoader(split_of(30), 4, shuffle=Shuffle(seed=6))
    orders = [ids(loader.epoch(1)), ids(loader.epoch(2)), ids(other.epoch(1))]
    assert len({tuple(order) for order in orders}) == 3


def test_epoch_does_not_depend_on_what_was_loaded_before() -> None:
    fresh, used = loader_of(), loader_of()
    for number in (3, 1):
        list(used.epoch(number))
    assert_equal(list(fresh.epoch(2)), list(used.epoch(2)))


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_epoch_may_start_at_any_batch(first: int) -> None:
    whole = list(loader_of().epoch(2))
    assert_equal(whole[first:], list(loader_of().epoch(2, first_batch=first)))


def test_left_out_batches_are_not_decoded() -> None:
    loader = loader_of(10, 4)
    list(loader.epoch(1, first_batch=2))
    assert len(loader._split.cache) == 2


def test_augmentation_depends_on_the_image_and_not_on_its_batch() -> None:
    def by_id(batch_size: int) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        for batch in loader_of(12, batch_size).epoch(1):
            assert isinstance(batch, SegmentationBatch)
            found.update(zip(batch.image_ids, batch.images, strict=True))
        return found

    one, five = by_id(1), by_id(5)
    assert all(torch.equal(one[image_id], five[image_id]) for image_id in one)


def test_augmentation_differs_between_epochs() -> None:
    loader = loader_of(12, 12)
    first, second = next(loader.epoch(1)), next(loader.epoch(2))
    assert isinstance(first, SegmentationBatch)
    assert isinstance(second, SegmentationBatch)
    order = [second.image_ids.index(image_id) for image_id in first.image_ids]
    changed = (first.images != second.images[order]).flatten(1).any(dim=1)
    assert changed.sum() >= 4


def test_without_shuffle_the_order_is_that_of_the_ids_and_pixels_stay() -> None:
    split = split_of(10)
    loader = EpochLoader(split, 4, shuffle=None)
    batches = list(loader.epoch(1))
    assert ids(iter(batches)) == [f"{n:03d}" for n in range(10)]
    assert_equal(batches, list(loader.epoch(9)))
    first, raw = batches[0], split.decode(0)
    assert isinstance(first, SegmentationBatch)
    assert isinstance(raw, SegmentationSample)
    assert (first.images[0].permute(1, 2, 0).numpy() == raw.image).all()


def test_images_are_decoded_once_while_they_fit() -> None:
    items = tuple(Counted(f"{n:03d}") for n in range(6))
    split = PreparedSplit(Dataset((), items), 8)
    loader = EpochLoader(split, 4, shuffle=Shuffle(0))
    for number in (1, 2, 3):
        list(loader.epoch(number))
    assert [len(item.reads) for item in items] == [1] * 6
    split.cache = SampleCache(limit_bytes=0)
    list(loader.epoch(4))
    assert [len(item.reads) for item in items] == [2] * 6


def test_changing_a_batch_does_not_change_the_next_epoch() -> None:
    loader = EpochLoader(split_of(4), 4, shuffle=None)
    batch = next(loader.epoch(1))
    assert isinstance(batch, SegmentationBatch)
    before = batch.images.clone()
    batch.images.zero_()
    again = next(loader.epoch(2))
    assert isinstance(again, SegmentationBatch)
    assert torch.equal(again.images, before)


def test_processes_give_the_same_batches_and_leave_the_random_stream_alone() -> None:
    alone, helped = loader_of(10, 3), loader_of(10, 3, workers=2)
    state = torch.get_rng_state()
    abandoned = helped.epoch(1)
    next(abandoned)
    del abandoned
    assert_equal(list(alone.epoch(1)), list(helped.epoch(1)))
    assert len(helped._split.cache) == 10  # what processes decoded is kept
    assert_equal(list(alone.epoch(2)), list(helped.epoch(2)))
    assert torch.equal(state, torch.get_rng_state())
    assert helped._reader is None  # they are not needed any more


def test_processes_serve_a_split_that_does_not_fit_in_memory() -> None:
    alone, helped = loader_of(7, 3), loader_of(7, 3, workers=2)
    helped._split.cache = SampleCache(limit_bytes=600)  # two samples
    for number, first in ((1, 0), (2, 1)):
        assert_equal(
            list(alone.epoch(number, first_batch=first)),
            list(helped.epoch(number, first_batch=first)),
        )
    assert helped._reader is not None


def test_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch size must be at least 1, got 0"):
        EpochLoader(split_of(2), 0, shuffle=None)


def test_items_are_ordered_by_id_and_listed_once() -> None:
    dataset = Dataset((), (Counted("2"), Counted("1")))
    assert dataset.image_ids == ("1", "2")
    assert dataset.keep(["2", "9"]).image_ids == ("2",)
    with pytest.raises(InvalidDataError, match=r"1 are listed again, the first is '1'"):
        pooled([dataset, None, Dataset((), (Counted("1"),))])
