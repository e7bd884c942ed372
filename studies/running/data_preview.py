"""From a configuration's training data to the record that the page about its input draws."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch

from data_pipeline.datasets.dataset import Item, Listed, VideoItem
from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.loading.collating import collate
from data_pipeline.loading.loaders import Seen
from data_pipeline.samples import (
    COLOURS,
    IGNORE,
    Batch,
    ClassificationBatch,
    ClipBatch,
    ClipSample,
    DetectionBatch,
    InstanceBatch,
    SegmentationBatch,
)
from data_pipeline.settings import DataSettings
from data_pipeline.source import open_data
from data_pipeline.transforms.settings import AnyAugmentation
from data_pipeline.video.clips import shorter_side
from data_pipeline.video.flow_colours import flow_colours
from reports.notation import value_text
from reports.preview_record import (
    IGNORED,
    BatchFacts,
    PreviewObject,
    PreviewRecord,
    PreviewSample,
    View,
)

FRAMES = 6  # of a clip that are shown
VIDEO_SIDE = 160  # shorter side of a video's frames as they lie on disk, pixels
AXES = {4: "batch, channels, height, width", 5: "batch, channels, frames, height, width"}
TIMES = " \N{MULTIPLICATION SIGN} "


@dataclass(frozen=True, slots=True)
class PreviewOrder:
    """What to show of the data."""

    study: str
    configuration: str  # in words, which of the study's it is
    batch_size: int
    seed: int = 0  # the cell's
    samples: int = 6
    epochs: int = 4  # draws of each sample


def preview_record(data: DataSettings, task: str, order: PreviewOrder) -> PreviewRecord:
    """Load a few training samples as a trial would, and keep what becomes of them.

    Raises:
        DataError: The data is not there, or has no training image of the classes.
    """
    source = open_data(data, task, order.seed)
    loader = source.training(order.batch_size)
    items = {item.image_id: item for item in source.dataset("train").items}
    shown: list[PreviewSample] = []
    delivered: list[Batch] = []
    for index in _spread(loader.images, order.samples):
        seen = [loader.seen(epoch, index) for epoch in range(1, order.epochs + 1)]
        item = items[_sample_id(seen[0].prepared)]
        views = (_on_disk(item, data), *_views(seen))
        shown.append(PreviewSample(item.image_id, item.classes, views))
        delivered += [each.delivered for each in seen]
    return PreviewRecord(
        study=order.study,
        task=task,
        dataset=data.dataset,
        configuration=order.configuration,
        class_names=source.class_names,
        has_background=source.class_names[:1] == ("background",),
        settings=tuple(settings_in_words(data)),
        batch=_facts(delivered, order.batch_size),
        samples=tuple(shown),
        of_samples=loader.images,
    )


def settings_in_words(data: DataSettings) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of every setting that shapes the input."""
    yield "input size", f"{data.image_size} pixels"
    if isinstance(data, VideoFields):
        clip = data.clip
        yield "clip", f"{clip.frames} frames, one in every {clip.stride}, from a drawn start"
        if clip.flow is not None:
            yield "flow", value_text(clip.flow.model_dump(mode="json", exclude_none=True))
        yield "square", f"drawn, from frames of shorter side {shorter_side(data)} pixels"
    else:
        yield "resize", data.resize.replace("_", " ")
    for number, augmentation in enumerate(data.augment, start=1):
        yield f"augment {number}", augmentation_in_words(augmentation)
    if not data.augment:
        yield "augment", "none: every epoch has the same pictures"
    yield (
        "normalize",
        "none: bytes from 0 to 255"
        if data.normalize is None
        else value_text(data.normalize.model_dump(mode="json")),
    )


def augmentation_in_words(augmentation: AnyAugmentation) -> str:
    """Return what a random change does, and with which parameters."""
    about = type(augmentation).model_fields["name"].description or ""
    parameters = value_text(augmentation.model_dump(mode="json", exclude={"name"}))
    return f"{augmentation.name.replace('_', ' ')}: {about} {parameters}"


def _spread(count: int, wanted: int) -> list[int]:
    """Return places over the whole split, in even steps; the same every time."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(wanted, count))})


def _on_disk(item: Listed, data: DataSettings) -> View:
    if not isinstance(data, VideoFields):
        return _view("on disk", collate([cast("Item", item).read()]), is_exact=False)
    video = cast("VideoItem", item)
    count = video.frame_count()
    places = np.array(_spread(count, FRAMES), dtype=np.int64)
    clip = ClipSample(video.image_id, video.frames(places, VIDEO_SIDE), video.label)
    return _view("whole video", collate([clip]), is_exact=False, of_frames=count)


def _views(seen: Sequence[Seen]) -> Iterable[View]:
    yield _view("input size", seen[0].prepared)
    for epoch, each in enumerate(seen, start=1):
        yield _view(f"epoch {epoch}", each.augmented)


def _view(
    title: str, batch: Batch, *, is_exact: bool = True, of_frames: int | None = None
) -> View:
    """Show the one sample of a batch."""
    match batch:
        case SegmentationBatch():
            labels = batch.masks[0].numpy().astype(np.int16)
            labels[labels == IGNORE] = IGNORED
            return View(title, (_pixels(batch.images[0]),), labels=labels, is_exact=is_exact)
        case DetectionBatch():
            frames = (_pixels(batch.images[0]),)
            return View(title, frames, objects=tuple(_objects(batch)), is_exact=is_exact)
        case ClassificationBatch():
            return View(title, (_pixels(batch.images[0]),), is_exact=is_exact)
        case ClipBatch():
            count = batch.clips.shape[2]
            places = _spread(count, FRAMES)
            note = f"{len(places)} of {of_frames or count} frames"
            shown = [_pixels(batch.clips[0, :COLOURS, place]) for place in places]
            flow = batch.clips[0, COLOURS:]
            if len(flow):
                note += ", then the motion of each: the hue says where to"
                shown += [flow_colours(_pixels(flow[:, place])) for place in places]
            return View(title, tuple(shown), note=note, is_exact=is_exact)


def _objects(batch: DetectionBatch) -> Iterator[PreviewObject]:
    for row, box in enumerate(batch.boxes_xyxy[0].tolist()):
        notes = [("crowd", batch.is_crowd), ("difficult", batch.is_difficult)]
        yield PreviewObject(
            box_xyxy=(box[0], box[1], box[2], box[3]),
            label=int(batch.labels[0][row]),
            note=", ".join(word for word, flags in notes if flags[0][row]),
            mask=batch.masks[0][row].numpy() if isinstance(batch, InstanceBatch) else None,
        )


def _pixels(picture: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Turn (channels, h, w) into (h, w, channels)."""
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy())


def _sample_id(batch: Batch) -> str:
    return (batch.video_ids if isinstance(batch, ClipBatch) else batch.image_ids)[0]


def _facts(delivered: Sequence[Batch], batch_size: int) -> BatchFacts:
    tensors = [tensor for batch in delivered for tensor in _tensors(batch)]
    first = tensors[0]
    if isinstance(delivered[0], DetectionBatch):
        lengths = [sorted({tensor.shape[axis] for tensor in tensors}) for axis in range(3)]
        sides = TIMES.join(_ends(each) for each in lengths)
        shape = f"{batch_size}{TIMES}({sides})"
        meaning = "a list of pictures: channels, height, width"
    else:
        shape = TIMES.join(str(length) for length in (batch_size, *first.shape[1:]))
        meaning = AXES[first.ndim]
    return BatchFacts(
        shape=shape,
        meaning=meaning,
        dtype=str(first.dtype).removeprefix("torch."),
        low=min(float(tensor.min()) for tensor in tensors),
        high=max(float(tensor.max()) for tensor in tensors),
    )


def _ends(lengths: Sequence[int]) -> str:
    """Write one length, or the least and the largest."""
    low, high = lengths[0], lengths[-1]
    return str(low) if low == high else f"({low} to {high})"


def _tensors(batch: Batch) -> Sequence[torch.Tensor]:
    if isinstance(batch, ClipBatch):
        return (batch.clips,)
    return batch.images if isinstance(batch, DetectionBatch) else (batch.images,)
