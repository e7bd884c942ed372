"""Batches on their way to the device."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from data_pipeline.loading.delivery import ahead, delivered, mapped
from data_pipeline.samples import DetectionBatch, SegmentationBatch


def batch(number: int) -> SegmentationBatch:
    images = torch.full((2, 4, 4, 3), number, dtype=torch.uint8).permute(0, 3, 1, 2)
    return SegmentationBatch(("a", "b"), images, images[:, 0])


def detections() -> DetectionBatch:
    boxes = (torch.ones(2, 4), torch.zeros(0, 4))
    images = (torch.ones(3, 4, 4), torch.ones(3, 2, 2))
    none = (torch.zeros(2), torch.zeros(0))
    sizes = ((4, 4), (2, 2))
    return DetectionBatch(("a", "b"), images, sizes, boxes, none, none, none, none)


def loading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "loading ahead"]


def test_every_tensor_of_a_batch_is_changed_and_nothing_else() -> None:
    doubled = mapped(detections(), lambda tensor: tensor * 2)
    assert [image.max() for image in doubled.images] == [2, 2]
    assert doubled.boxes_xyxy[0].sum() == 16
    assert doubled.image_ids == ("a", "b")
    assert doubled.stored_hw == ((4, 4), (2, 2))


def test_on_a_cpu_batches_come_as_they_are_without_a_thread() -> None:
    batches = [batch(1), batch(2)]
    arrived = delivered(iter(batches), torch.device("cpu"))
    first = next(arrived)
    assert first is batches[0]
    assert loading_threads() == []


def test_other_devices_get_copies_in_order() -> None:
    arrived = list(delivered(iter([batch(1), batch(2)]), torch.device("meta")))
    assert [each.images.device.type for each in arrived] == ["meta", "meta"]
    assert all(each.image_ids == ("a", "b") for each in arrived)


def test_items_taken_ahead_come_in_order_and_no_more_than_asked_for() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    items = ahead(numbers(), 2)
    assert next(items) == 0
    until = time.monotonic() + 5
    while len(taken) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)
    assert taken == [0, 1, 2, 3]  # one used, two waiting, one in the thread's hand
    assert list(items) == list(range(1, 20))
    assert loading_threads() == []


def test_abandoned_thread_ends_and_closes_what_it_read() -> None:
    closed: list[bool] = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    items = ahead(endless(), 2)
    next(items)
    items.close()  # type: ignore[attr-defined]  # it is a generator
    assert closed == [True]
    assert loading_threads() == []


def test_error_in_the_thread_is_raised_where_the_item_was_wanted() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    items = ahead(broken(), 2)
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more"):
        next(items)
    assert loading_threads() == []


@pytest.mark.gpu
def test_on_a_gpu_batches_are_copied_ahead_unchanged() -> None:
    device = torch.device("cuda", 0)
    arrived = list(delivered((batch(number) for number in range(5)), device))
    for number, each in enumerate(arrived):
        assert each.images.device == device
        assert each.images.stride() == batch(number).images.stride()
        assert (each.images == number).all()
        assert (each.masks == number).all()
