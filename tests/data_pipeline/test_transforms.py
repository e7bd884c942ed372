"""Batches: who draws what, what stays as it is, and normalising."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torchvision.transforms.v2 import functional  # type: ignore[import-untyped]

from data_pipeline.samples import (
    Batch,
    ClassificationBatch,
    ClipBatch,
    DetectionBatch,
    SegmentationBatch,
)
from data_pipeline.transforms.batches import augmented_batch, normalized_batch
from data_pipeline.transforms.settings import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    NAMES,
    AnyAugmentation,
    Augmentation,
    Normalization,
)

LIST: TypeAdapter[list[AnyAugmentation]] = TypeAdapter(list[Augmentation])
ALL = LIST.validate_python(list(NAMES))
IMAGENET = Normalization(mean=IMAGENET_MEAN, std=IMAGENET_STD)
SIDE = 20


def pixels(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def segmentation(count: int = 4) -> SegmentationBatch:
    masks = pixels(count, SIDE, SIDE, seed=1) % 5
    return SegmentationBatch(tuple("abcdefgh"[:count]), pixels(count, 3, SIDE, SIDE), masks)


def detection(count: int = 4) -> DetectionBatch:
    """Pictures of different sizes."""
    sides = range(SIDE, SIDE + count)
    return DetectionBatch(
        image_ids=tuple("abcdefgh"[:count]),
        images=tuple(pixels(3, SIDE, side, seed=side) for side in sides),
        stored_hw=tuple((SIDE, side) for side in sides),
        boxes_xyxy=tuple(torch.tensor([[2.0, 3.0, 12.0, 9.0]]) for _ in sides),
        labels=tuple(torch.tensor([1]) for _ in sides),
        areas=tuple(torch.tensor([60.0]) for _ in sides),
        is_crowd=tuple(torch.tensor([False]) for _ in sides),
        is_difficult=tuple(torch.tensor([False]) for _ in sides),
    )


def classification(count: int = 4) -> ClassificationBatch:
    return ClassificationBatch(
        tuple("abcdefgh"[:count]), pixels(count, 3, SIDE, SIDE), torch.arange(count)
    )


def clips(count: int = 4) -> ClipBatch:
    return ClipBatch(
        tuple("abcdefgh"[:count]), pixels(count, 3, 5, SIDE, SIDE), torch.arange(count)
    )


KINDS: list[Callable[[], Batch]] = [segmentation, detection, classification, clips]


def rows(batch: Batch, index: int) -> list[Any]:
    """Return everything of one sample."""
    return [getattr(batch, name)[index] for name in batch.__dataclass_fields__]


def only(batch: Batch, indices: list[int]) -> Batch:
    """Return a batch of some samples, in the order given."""
    chosen: dict[str, Any] = {}
    for name in batch.__dataclass_fields__:
        values = getattr(batch, name)
        chosen[name] = (
            values[indices]
            if isinstance(values, torch.Tensor)
            else tuple(values[index] for index in indices)
        )
    return type(batch)(**chosen)


def is_same(first: list[Any], second: list[Any]) -> bool:
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("make", KINDS)
def test_a_sample_changes_by_its_seed_and_not_by_its_batch(make: Callable[[], Batch]) -> None:
    seeds = [3, 2**63 + 1, 11, 3]
    together = augmented_batch(make(), ALL, seeds)
    mixed = augmented_batch(only(make(), [2, 0]), ALL, [seeds[2], seeds[0]])
    assert is_same(rows(together, 2), rows(mixed, 0))
    assert is_same(rows(together, 0), rows(mixed, 1))


def test_other_seeds_give_other_changes() -> None:
    same = SegmentationBatch(
        ("a", "a"),
        *(
            each[:1].repeat_interleave(2, 0)
            for each in (segmentation().images, segmentation().masks)
        ),
    )
    # The same low 32 bits: a generator that keeps no more of a seed would repeat itself.
    moved = augmented_batch(same, ALL, [5, 5 + 2**32])
    assert isinstance(moved, SegmentationBatch)
    assert not torch.equal(moved.images[0], moved.images[1])


def test_the_generators_of_the_training_are_not_touched() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]  # noqa: NPY002
    for make in KINDS:
        augmented_batch(make(), ALL, [1, 2, 3, 4])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # type: ignore[index]  # noqa: NPY002
    assert random.getstate() == before[2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", KINDS)
def test_the_batch_given_stays_as_it_is(make: Callable[[], Batch], name: str) -> None:
    batch = make()
    augmented_batch(batch, LIST.validate_python([{"name": name, "p": 1}]), [1, 2, 3, 4])
    assert all(is_same(rows(batch, index), rows(make(), index)) for index in range(4))


@pytest.mark.parametrize("make", KINDS)
def test_types_and_sizes_stay(make: Callable[[], Batch]) -> None:
    before = make()
    after = augmented_batch(before, [a for a in ALL if a.name != "rotate_90"], [1, 2, 3, 4])
    for index in range(4):
        for old, new in zip(rows(before, index), rows(after, index), strict=True):
            if isinstance(old, torch.Tensor):
                assert old.dtype == new.dtype
                assert type(new) is torch.Tensor
                assert old.shape[1:] == new.shape[1:]


@pytest.mark.parametrize("name", NAMES)
def test_the_order_in_memory_changes_no_pixel(name: str) -> None:
    batch = segmentation()
    channels_last = batch.images.to(memory_format=torch.channels_last)
    always = LIST.validate_python([{"name": name, "p": 1}])
    plain = augmented_batch(batch, always, [1, 2, 3, 4])
    other = augmented_batch(
        SegmentationBatch(batch.image_ids, channels_last, batch.masks), always, [1, 2, 3, 4]
    )
    assert isinstance(plain, SegmentationBatch)
    assert isinstance(other, SegmentationBatch)
    assert torch.equal(plain.images, other.images)
    assert other.images.stride() == channels_last.stride()


@pytest.mark.parametrize(
    ("name", "outcomes"), [("horizontal_flip", 2), ("vertical_flip", 2), ("rotate_90", 4)]
)
def test_every_outcome_is_equally_often(name: str, outcomes: int) -> None:
    count = 400
    masks = torch.arange(4, dtype=torch.uint8).reshape(1, 2, 2).repeat(count, 1, 1)
    batch = SegmentationBatch(("a",) * count, masks[:, None].repeat(1, 3, 1, 1), masks)
    moved = augmented_batch(batch, LIST.validate_python([name]), range(count))
    assert isinstance(moved, SegmentationBatch)
    assert torch.equal(moved.images[:, 0], moved.masks)
    times = Counter(mask.numpy().tobytes() for mask in moved.masks).values()
    assert len(times) == outcomes
    assert max(times) - min(times) < 80  # 4 standard deviations of 400 coins


def test_changes_follow_each_other_in_the_order_of_the_list() -> None:
    turn_and_flip = LIST.validate_python(
        [{"name": "rotate_90", "p": 1}, {"name": "horizontal_flip", "p": 1}]
    )
    both = augmented_batch(segmentation(1), turn_and_flip, [0])
    turned = augmented_batch(segmentation(1), turn_and_flip[:1], [0])
    assert isinstance(both, SegmentationBatch)
    assert isinstance(turned, SegmentationBatch)
    assert torch.equal(both.images, turned.images.flip(-1))


def test_a_change_of_probability_zero_never_happens() -> None:
    never = LIST.validate_python([{"name": name, "p": 0} for name in NAMES])
    moved = augmented_batch(segmentation(), never, [1, 2, 3, 4])
    assert isinstance(moved, SegmentationBatch)
    assert torch.equal(moved.images, segmentation().images)
    assert torch.equal(moved.masks, segmentation().masks)


def test_a_stacked_picture_that_is_not_square_cannot_take_a_quarter_turn() -> None:
    batch = ClassificationBatch(("a",), pixels(1, 3, 10, 20), torch.tensor([0]))
    turns = LIST.validate_python([{"name": "rotate_90", "p": 1}])
    with pytest.raises(ValueError, match=r"needs square pictures.*got 10 x 20 pixels"):
        augmented_batch(batch, turns, [1])  # the first turn of this seed is a quarter


def test_a_seed_for_each_picture_is_needed() -> None:
    with pytest.raises(ValueError, match="a seed for each of 4, got 2"):
        augmented_batch(segmentation(), [], [1, 2])


@pytest.mark.parametrize("make", [segmentation, classification])
def test_normalising_agrees_with_torchvision(make: Callable[[], Any]) -> None:
    batch = make()
    floats = functional.to_dtype(batch.images, torch.float32, scale=True)
    expected = functional.normalize(floats, list(IMAGENET_MEAN), list(IMAGENET_STD))
    normalized = normalized_batch(batch, IMAGENET)
    assert isinstance(normalized, SegmentationBatch | ClassificationBatch)
    assert torch.allclose(normalized.images, expected, atol=1e-5)


def test_clips_and_detection_pictures_are_normalised_alike() -> None:
    moving = normalized_batch(clips(), IMAGENET)
    assert isinstance(moving, ClipBatch)
    still = normalized_batch(
        ClassificationBatch(("a",) * 4, clips().clips[:, :, 2], torch.arange(4)), IMAGENET
    )
    assert isinstance(still, ClassificationBatch)
    assert torch.equal(moving.clips[:, :, 2], still.images)
    listed = normalized_batch(detection(), IMAGENET)
    assert isinstance(listed, DetectionBatch)
    alone = ClassificationBatch(("a",), detection().images[3][None], torch.tensor([0]))
    expected = normalized_batch(alone, IMAGENET)
    assert isinstance(expected, ClassificationBatch)
    assert torch.equal(listed.images[3], expected.images[0])


def test_normalised_pixels_lie_in_order_whatever_was_given() -> None:
    batch = classification()
    last = ClassificationBatch(
        batch.image_ids, batch.images.to(memory_format=torch.channels_last), batch.labels
    )
    plain, other = normalized_batch(batch, IMAGENET), normalized_batch(last, IMAGENET)
    assert isinstance(plain, ClassificationBatch)
    assert isinstance(other, ClassificationBatch)
    assert other.images.is_contiguous()
    assert torch.equal(plain.images, other.images)
    assert plain.images.dtype == torch.float32


def test_without_normalising_the_batch_is_the_same() -> None:
    batch = segmentation()
    assert normalized_batch(batch, None) is batch


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_changes_pictures_as_a_cpu_does(name: str) -> None:
    always = LIST.validate_python([{"name": name, "p": 1}])
    batch = segmentation()
    on_gpu = SegmentationBatch(batch.image_ids, batch.images.cuda(), batch.masks.cuda())
    here = augmented_batch(batch, always, [1, 2, 3, 4])
    there = augmented_batch(on_gpu, always, [1, 2, 3, 4])
    assert isinstance(here, SegmentationBatch)
    assert isinstance(there, SegmentationBatch)
    assert there.images.is_cuda
    differences = (here.images.int() - there.images.cpu().int()).abs()
    assert (differences > 2).float().mean() < 0.01  # rounding of places between two pixels
    assert (here.masks != there.masks.cpu()).float().mean() < 0.01
