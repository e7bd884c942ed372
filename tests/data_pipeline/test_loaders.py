"""Batches: order, what is drawn, processes, and what is kept."""

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_pipeline.cache import plan
from data_pipeline.cache.sample_cache import SampleCache
from data_pipeline.datasets.dataset import Dataset, Item, pooled
from data_pipeline.datasets.label_maps import LabelledPicture, Legend
from data_pipeline.errors import InvalidDataError
from data_pipeline.faults import Fault
from data_pipeline.loading import decoding_processes, loaders
from data_pipeline.loading.decoding import ImageDecoder
from data_pipeline.loading.decoding_processes import own_cores
from data_pipeline.loading.loaders import Delivery, EpochLoader, Shuffle
from data_pipeline.loading.prepared import ImageSplit
from data_pipeline.samples import Batch, SegmentationBatch, SegmentationSample
from data_pipeline.transforms.settings import HorizontalFlip, Normalization, Rotate90, VerticalFlip

AUGMENT = (
    HorizontalFlip(name="horizontal_flip"),
    VerticalFlip(name="vertical_flip"),
    Rotate90(name="rotate_90"),
)
SIDE = 8


@dataclass
class Counted:
    """An item that counts how often it is read."""

    image_id: str
    reads: list[str] = field(default_factory=list)
    files: tuple[Path, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        return self.image_id

    def faults(self) -> tuple[Fault, ...]:
        return ()

    def read(self) -> SegmentationSample:
        self.reads.append(self.image_id)
        random = np.random.default_rng(int(self.image_id))
        image = random.integers(0, 256, (12, 10, 3)).astype(np.uint8)
        return SegmentationSample(self.image_id, image, image[..., 0] % 3)


def pictures(folder: Path, count: int) -> list[LabelledPicture]:
    """Write pictures with label images; what reads them is quick to load in a process."""
    folder.mkdir(exist_ok=True)
    legend = Legend(("road", "sky", "car"), {0: 0, 1: 1, 2: 2}, {0: "road", 1: "sky", 2: "car"})
    items = []
    for item in items_of(count):
        sample = item.read()
        image, labels = (folder / f"{item.image_id}{kind}.png" for kind in ("", "-labels"))
        cv2.imwrite(str(image), sample.image[..., ::-1])
        cv2.imwrite(str(labels), sample.mask)
        items.append(LabelledPicture(item.image_id, item.image_id, image, labels, legend))
    return items


def helped(
    items: Sequence[LabelledPicture], workers: int, kept_in: Path | None = None
) -> EpochLoader:
    """Return the loader that is `loader_of` for the same number of items, with processes."""
    decoder = decoder_of(items)
    cache = None
    if kept_in is not None:
        cache = SampleCache(kept_in / "samples" / "key", decoder, is_bounded=True)
    shuffle = Shuffle(seed=5, augment=AUGMENT)
    return EpochLoader(ImageSplit(decoder, cache), 3, shuffle=shuffle, delivery=Delivery(workers))


def decoder_of(items: Sequence[Item]) -> ImageDecoder:
    return ImageDecoder(tuple(items), "stretch", SIDE)


def items_of(count: int) -> list[Counted]:
    return [Counted(f"{n:03d}") for n in range(count)]


def split_of(count: int, folder: Path | None = None) -> ImageSplit:
    """Return a split, whose samples are kept if there is a folder for them."""
    decoder = decoder_of(items_of(count))
    if folder is None:
        return ImageSplit(decoder)
    return ImageSplit(decoder, SampleCache(folder / "samples" / "key", decoder, is_bounded=True))


def loader_of(
    count: int = 10, batch_size: int = 4, *, workers: int = 0, folder: Path | None = None
) -> EpochLoader:
    return EpochLoader(
        split_of(count, folder),
        batch_size,
        shuffle=Shuffle(seed=5, augment=AUGMENT),
        delivery=Delivery(workers),
    )


def segmentation(batch: Batch) -> SegmentationBatch:
    assert isinstance(batch, SegmentationBatch)
    return batch


def ids(batches: Iterator[Batch]) -> list[str]:
    return [image_id for batch in batches for image_id in segmentation(batch).image_ids]


def assert_equal(first: Sequence[Batch], second: Sequence[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for each in fields(one):
            ours, theirs = getattr(one, each.name), getattr(other, each.name)
            assert torch.equal(ours, theirs) if torch.is_tensor(ours) else ours == theirs


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
@pytest.mark.parametrize("is_kept", [False, True])
def test_epoch_may_start_at_any_batch(first: int, is_kept: bool, tmp_path: Path) -> None:
    whole = list(loader_of().epoch(2))
    resumed = loader_of(folder=tmp_path if is_kept else None)
    assert_equal(whole[first:], list(resumed.epoch(2, first_batch=first)))


def test_left_out_batches_are_not_decoded() -> None:
    items = items_of(10)
    loader = EpochLoader(ImageSplit(decoder_of(items)), 4, shuffle=Shuffle(0))
    list(loader.epoch(1, first_batch=2))
    assert sum(len(item.reads) for item in items) == 2


def test_augmentation_depends_on_the_image_and_not_on_its_batch() -> None:
    def by_id(batch_size: int) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        for batch in loader_of(12, batch_size).epoch(1):
            found.update(
                zip(segmentation(batch).image_ids, segmentation(batch).images, strict=True)
            )
        return found

    one, five = by_id(1), by_id(5)
    assert all(torch.equal(one[image_id], five[image_id]) for image_id in one)


def test_augmentation_differs_between_epochs() -> None:
    loader = loader_of(12, 12)
    first, second = (segmentation(next(loader.epoch(number))) for number in (1, 2))
    order = [second.image_ids.index(image_id) for image_id in first.image_ids]
    changed = (first.images != second.images[order]).flatten(1).any(dim=1)
    assert changed.sum() >= 4


def test_without_shuffle_the_order_is_that_of_the_ids_and_pixels_stay() -> None:
    split = split_of(10)
    loader = EpochLoader(split, 4, shuffle=None)
    batches = list(loader.epoch(1))
    assert ids(iter(batches)) == [f"{n:03d}" for n in range(10)]
    assert_equal(batches, list(loader.epoch(9)))
    raw = split.decode((0, 0))
    assert isinstance(raw, SegmentationSample)
    assert (segmentation(batches[0]).images[0].permute(1, 2, 0).numpy() == raw.image).all()


def test_kept_and_decoded_batches_are_equal(tmp_path: Path) -> None:
    for number in (1, 2):
        expected = list(loader_of(20, 3).epoch(number))
        assert_equal(expected, list(loader_of(20, 3, folder=tmp_path).epoch(number)))


def test_images_are_decoded_once_for_all_loaders(tmp_path: Path) -> None:
    items = items_of(6)
    for _ in range(2):
        decoder = decoder_of(items)
        cache = SampleCache(tmp_path / "samples" / "key", decoder, is_bounded=True)
        loader = EpochLoader(ImageSplit(decoder, cache), 4, shuffle=Shuffle(0))
        for number in (1, 2, 3):
            list(loader.epoch(number))
    assert [len(item.reads) for item in items] == [2, 1, 1, 1, 1, 1]  # the first tells the size


def test_changing_a_batch_does_not_change_the_next_epoch(tmp_path: Path) -> None:
    loader = EpochLoader(split_of(4, tmp_path), 4, shuffle=None)
    batch = segmentation(next(loader.epoch(1)))
    before = batch.images.clone()
    batch.images.zero_()
    assert torch.equal(segmentation(next(loader.epoch(2))).images, before)


def test_processes_give_the_same_batches_and_leave_the_random_stream_alone(
    tmp_path: Path,
) -> None:
    items = pictures(tmp_path, 10)
    state = torch.get_rng_state()
    for workers in (1, 2):
        alone, other = loader_of(10, 3), helped(items, workers)
        abandoned = other.epoch(1)
        next(abandoned)
        del abandoned
        for number, first in ((1, 0), (2, 1)):
            assert_equal(
                list(alone.epoch(number, first_batch=first)),
                list(other.epoch(number, first_batch=first)),
            )
        assert other._delivery.helpers.work_for(other._split)
    assert torch.equal(state, torch.get_rng_state())


def test_processes_decode_what_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sample_bytes = SIDE * SIDE * 4
    monkeypatch.setattr(plan, "SHARD_BYTES", 4 * sample_bytes)
    monkeypatch.setenv("VISIONSTUDY_CACHE_GB", str(2.7 * 4 * sample_bytes / 1e9))
    half = helped(pictures(tmp_path / "pictures", 14), 2, kept_in=tmp_path)
    assert_equal(list(loader_of(14, 3).epoch(1)), list(half.epoch(1)))
    assert 0 < half._split.are_kept().sum() < 14
    assert half._delivery.helpers.work_for(half._split)


def test_processes_are_not_started_for_what_is_kept(tmp_path: Path) -> None:
    loader = loader_of(10, 3, workers=2, folder=tmp_path)
    list(loader.epoch(1))
    assert not loader._delivery.helpers.work_for(loader._split)


def test_auto_starts_processes_only_for_many_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Noted:
        def __init__(self, split: ImageSplit, processes: int) -> None:
            self._split = split
            asked.append(processes)

        def decode(
            self, batches: Sequence[list[tuple[int, int]]]
        ) -> Iterator[list[SegmentationSample]]:
            for requests in batches:
                yield [self._split.decode(request) for request in requests]  # type: ignore[misc]

    monkeypatch.setattr(decoding_processes, "DecodingProcesses", Noted)
    few = EpochLoader(split_of(20), 4, shuffle=None, delivery=Delivery("auto"))
    list(few.epoch(1))
    assert asked == []
    monkeypatch.setattr(loaders, "FEW_SAMPLES", 20)
    many = EpochLoader(split_of(20), 4, shuffle=None, delivery=Delivery("auto"))
    list(many.epoch(1))
    list(many.epoch(2))
    assert asked == [own_cores()]


def test_auto_takes_no_more_processes_than_the_trial_has_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert decoding_processes.own_cores() == 1
    finally:
        torch.set_num_threads(before)


def test_killed_process_leaves_the_rest_of_the_epoch_to_the_trial(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loader = helped(pictures(tmp_path, 30), 2)
    batches = loader.epoch(1)
    got = [next(batches)]
    os.kill(next(pid for pid in workers_of(loader)), signal.SIGKILL)
    got += batches
    assert_equal(list(loader_of(30, 3).epoch(1)), got)
    assert "a process that decodes was lost" in caplog.text
    assert "the rest of the epoch is decoded by the trial itself" in caplog.text
    assert_equal(list(loader_of(30, 3).epoch(2)), list(loader.epoch(2)))  # by new ones


def test_processes_of_one_split_end_when_another_is_read(tmp_path: Path) -> None:
    delivery = Delivery(1)
    split = ImageSplit(decoder_of(pictures(tmp_path, 6)))
    other = ImageSplit(decoder_of(pictures(tmp_path, 6)))
    training = EpochLoader(split, 3, shuffle=Shuffle(5, AUGMENT), delivery=delivery)
    validation = EpochLoader(other, 3, shuffle=None, delivery=delivery)
    list(training.epoch(1))
    [first] = workers_of(training)
    list(validation.epoch(1))
    assert not Path(f"/proc/{first}").exists()
    under_way = training.epoch(2)
    got = [next(under_way)]
    list(validation.epoch(1))
    assert_equal(list(loader_of(6, 3).epoch(2)), [*got, *under_way])


def workers_of(loader: EpochLoader) -> list[int]:
    """Return the ids of the processes that decode for a loader."""
    processes = loader._delivery.helpers._processes
    assert processes is not None
    iterator = processes._loader._iterator
    assert iterator is not None
    return [worker.pid for worker in iterator._workers]  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_image_is_an_error_that_names_it(workers: int, tmp_path: Path) -> None:
    items = pictures(tmp_path, 4)
    items[3].image_file.write_bytes(b"no picture")
    loader = EpochLoader(
        ImageSplit(decoder_of(items)), 2, shuffle=None, delivery=Delivery(workers)
    )
    batches = loader.epoch(1)
    next(batches)
    with pytest.raises(InvalidDataError, match=r"^cannot decode image .*003\.png"):
        next(batches)


def test_damaged_shard_is_decoded_again_in_the_middle_of_an_epoch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    list(loader_of(folder=tmp_path).epoch(1))
    [shard] = tmp_path.rglob("*.shard")
    content = bytearray(shard.read_bytes())
    content[5 * SIDE * SIDE * 4] ^= 1
    shard.write_bytes(content)
    assert_equal(list(loader_of().epoch(1)), list(loader_of(folder=tmp_path).epoch(1)))
    assert "is not what was written; its samples are decoded again" in caplog.text


def test_normalised_batches_are_floats_of_the_same_pixels() -> None:
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    delivery = Delivery(normalize=Normalization(mean=mean, std=std))
    [batch] = EpochLoader(split_of(3), 3, shuffle=None, delivery=delivery).epoch(1)
    [raw] = EpochLoader(split_of(3), 3, shuffle=None).epoch(1)
    expected = (segmentation(raw).images / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(
        std
    ).view(3, 1, 1)
    assert torch.allclose(segmentation(batch).images, expected, atol=1e-5)


def test_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch size must be at least 1, got 0"):
        EpochLoader(split_of(2), 0, shuffle=None)


def test_items_are_ordered_by_id_and_listed_once() -> None:
    dataset = Dataset((), (Counted("2"), Counted("1")))
    assert dataset.image_ids == ("1", "2")
    assert dataset.keep(["2", "9"]).image_ids == ("2",)
    with pytest.raises(InvalidDataError, match=r"1 are listed again, the first is '1'"):
        pooled([dataset, None, Dataset((), (Counted("1"),))])
