"""Random changes and normalising of whole batches, wherever their tensors are.

    (seed of a picture) ──changes.drawn──► Change ──► picture or clip, label map, masks, boxes

Each picture has a generator of its own, seeded by the caller: what happens to it depends neither
on its batch nor on who decoded it, and the generators of the training are not touched. Pictures
keep their size, so that batches stay stacked; only a quarter turn of a detection picture
exchanges its sides. What comes in from outside is grey in pictures (`resizing.GREY`), IGNORE in
label maps and in no mask or box.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from random import Random

import torch
from torch import Tensor
from torchvision import tv_tensors  # type: ignore[import-untyped]

from data_pipeline.loading.resizing import GREY
from data_pipeline.samples import (
    COLOURS,
    IGNORE,
    STILL,
    Batch,
    ClassificationBatch,
    ClipBatch,
    DetectionBatch,
    InstanceBatch,
    SegmentationBatch,
)
from data_pipeline.transforms.changes import Change, Size, drawn
from data_pipeline.transforms.moved_flow import turned_flow
from data_pipeline.transforms.moved_objects import Objects, moved_objects
from data_pipeline.transforms.settings import AnyAugmentation, Normalization


def augmented_batch(
    batch: Batch, augment: Sequence[AnyAugmentation], seeds: Sequence[int]
) -> Batch:
    """Return a batch after each random change, in order; the batch given is left as it is.

    Args:
        batch: uint8 pictures or clips.
        augment: What may happen.
        seeds: One per picture or clip.
    """
    if len(seeds) != len(batch):
        raise ValueError(f"augmenting needs a seed for each of {len(batch)}, got {len(seeds)}")
    randoms = [Random(seed) for seed in seeds]
    for augmentation in augment:
        batch = _changed(batch, augmentation, randoms)
    return batch


def normalized_batch(batch: Batch, normalize: Normalization | None) -> Batch:
    """Return a batch of float32 pictures or clips, (pixel / 255 - mean) / std; None: unchanged."""
    if normalize is None:
        return batch
    match batch:
        case DetectionBatch():
            return replace(batch, images=tuple(normalized(i, normalize) for i in batch.images))
        case ClipBatch():
            return replace(batch, clips=normalized(batch.clips, normalize))
        case SegmentationBatch() | ClassificationBatch():
            return replace(batch, images=normalized(batch.images, normalize))


def normalized(pixels: Tensor, normalize: Normalization) -> Tensor:
    """Normalise (3, h, w), (b, 3, h, w) or (b, 3, t, h, w), whatever the order in memory.

    Flow, channels 4 and 5 of a clip, keeps its values from 0 to 255.
    """
    shape = (3, 1, 1, 1) if pixels.ndim == 5 else (3, 1, 1)
    mean = torch.tensor(normalize.mean, device=pixels.device).reshape(shape)
    std = torch.tensor(normalize.std, device=pixels.device).reshape(shape)
    floats = pixels.to(torch.float32, memory_format=torch.contiguous_format)
    colours = floats[:, :COLOURS] if pixels.ndim == 5 else floats
    colours.mul_(1 / (255 * std)).sub_(mean / std)
    return floats


def _changed(batch: Batch, augmentation: AnyAugmentation, randoms: Sequence[Random]) -> Batch:
    if isinstance(batch, DetectionBatch):
        return _changed_detection(batch, augmentation, randoms)
    pixels = batch.clips if isinstance(batch, ClipBatch) else batch.images
    size_hw, device = _size(pixels), pixels.device
    changes = [drawn(augmentation, random, size_hw, device) for random in randoms]
    match batch:
        case ClipBatch():
            return replace(batch, clips=_replaced(batch.clips, changes, _moved_clip))
        case ClassificationBatch():
            return replace(batch, images=_replaced(batch.images, changes, _moved_image))
        case SegmentationBatch():
            return replace(
                batch,
                images=_replaced(batch.images, changes, _moved_image),
                masks=_replaced(batch.masks, changes, _moved_labels),
            )


def _replaced(
    stacked: Tensor, changes: Sequence[Change | None], moved: Callable[[Tensor, Change], Tensor]
) -> Tensor:
    """Return a copy in which what has a change has moved; the order in memory stays."""
    copy: Tensor | None = None
    for index, change in enumerate(changes):
        if change is None:
            continue
        copy = stacked.clone() if copy is None else copy
        after = moved(stacked[index], change)
        if after.shape != copy.shape[1:]:
            height, width = _size(stacked)
            raise ValueError(
                "rotate_90 needs square pictures, to stack them in a batch, "
                f"got {height} x {width} pixels; choose another data.resize"
            )
        copy[index] = after
    return stacked if copy is None else copy


def _changed_detection(
    batch: DetectionBatch, augmentation: AnyAugmentation, randoms: Sequence[Random]
) -> DetectionBatch:
    images = list(batch.images)
    columns = {name: list(getattr(batch, name)) for name in _columns(batch)}
    for index, (image, random) in enumerate(zip(batch.images, randoms, strict=True)):
        change = drawn(augmentation, random, _size(image), image.device)
        if change is None:
            continue
        images[index] = _moved_image(image, change)
        objects = Objects(**{name: column[index] for name, column in columns.items()})
        moved = moved_objects(objects, change, _size(image))
        for name, column in columns.items():
            column[index] = getattr(moved, name)
    return replace(
        batch, images=tuple(images), **{name: tuple(column) for name, column in columns.items()}
    )


def _columns(batch: DetectionBatch) -> list[str]:
    """Return the fields of a batch that hold a row per object."""
    names = [each.name for each in fields(Objects)]
    return (
        names if isinstance(batch, InstanceBatch) else [name for name in names if name != "masks"]
    )


def _moved_image(image: Tensor, change: Change) -> Tensor:
    """Change a (3, h, w) picture."""
    if change.mirrors is not None:
        return image.flip(change.mirrors)
    return change.moved(tv_tensors.Image(image), GREY)


def _moved_clip(clip: Tensor, change: Change) -> Tensor:
    """Change a (3, t, h, w) clip, every frame alike; of 5 channels, two are flow."""
    if clip.shape[0] == COLOURS:
        return _moved_frames(clip, change, GREY)
    flow = clip[COLOURS:]
    if change.vectors is not None:
        flow = turned_flow(_moved_frames(flow, change, STILL), change.vectors)
    return torch.cat([_moved_frames(clip[:COLOURS], change, GREY), flow])


def _moved_frames(clip: Tensor, change: Change, fill: int) -> Tensor:
    """Change (channels, t, h, w); the number fills what comes in from outside."""
    if change.mirrors is not None:
        return clip.flip(change.mirrors)
    video = tv_tensors.Video(clip.transpose(0, 1))  # torchvision has time first
    return change.moved(video, fill).transpose(0, 1)


def _moved_labels(labels: Tensor, change: Change) -> Tensor:
    """Change a (h, w) label map."""
    if change.reach == "colours":
        return labels
    if change.mirrors is not None:
        return labels.flip(change.mirrors)
    return change.moved(tv_tensors.Mask(labels), IGNORE)


def _size(pixels: Tensor) -> Size:
    return pixels.shape[-2], pixels.shape[-1]
