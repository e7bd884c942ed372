"""Predict videos: each frame is read, looked at, drawn over and written before the next one.

    file ──► frame ──► layers (objects, distances, actions) ──► video.mp4
                          └──► objects.csv, tracks.txt, actions.csv, distances.csv

`prediction.json` is begun first and written last; a folder without it, or one that says so, is not
complete. Sound is left out: nothing of it is looked at.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.errors import DataError
from data_pipeline.video.mp4 import mp4_writer
from data_pipeline.video.streaming import FrameStream, StreamFacts, streamed
from models.tracking.appearance import Appearance, build_appearance
from models.tracking.settings import ColourAppearanceSettings
from models.tracking.tracker import build_tracker
from studies.predicting.ground_plane import ground_plane
from studies.predicting.networks import open_networks
from studies.predicting.objects import least_drawn_score
from studies.predicting.outputs import UnwritableOutputError, make_folder, writing
from studies.predicting.predicting import Progress, UnusableWishError
from studies.predicting.video_actions import NetworkActions
from studies.predicting.video_files import VIDEO, VideoFile, find_videos
from studies.predicting.video_layers import ActionLayer, Distances, Layer, ObjectLayer
from studies.predicting.video_objects import Detect, NetworkDetector, VideoObjects
from studies.predicting.video_record import VideoRecord, open_video_record
from studies.predicting.video_tables import VideoTables
from studies.predicting.video_wishes import (
    Cast,
    VideoWishes,
    check_video_wishes,
    people_labels,
    shown_labels,
)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is told and asked after every frame."""

    progress: Progress  # frames done, of how many (0: not known)
    is_stopped: Callable[[], bool] = lambda: False  # the video is then finished there


@dataclass(frozen=True, slots=True)
class PredictedVideo:
    """What came of a video."""

    file: Path
    record: VideoRecord | None  # None: it could not be read, or is left
    was_done: bool  # before
    note: str | None  # what is not as it should be, or why it could not be read
    seconds: float
    is_left: bool = False  # somebody stopped before it was begun


@dataclass(frozen=True, slots=True)
class Eyes:
    """The networks that look at videos, ready."""

    cast: Cast
    detect: Detect | None
    actions: NetworkActions | None
    appearance: Appearance | None  # for a tracker that compares it
    precisions: tuple[str, ...]  # of each run's network, in the cast's order


def predict_videos(
    cast: Cast,
    given: Sequence[str],
    folder: Path,
    *,
    wishes: VideoWishes,
    device: torch.device,
    hooks: Hooks,
) -> Iterator[PredictedVideo]:
    """Predict videos, one after the other; after a wish to stop, the others are left.

    Args:
        cast: Who looks at them.
        given: Files and patterns.
        folder: Where to; each video gets a folder in it.
        wishes: What is wanted.
        device: Where the networks run.
        hooks: Called after each frame.

    Raises:
        UnusableWishError: A wish does not fit the runs.
        NoVideoError: One is not there, or two cannot be done together.
        CalibrationError: The calibration is of another video.
        OtherPredictionsError: A folder holds other predictions.
        UnwritableOutputError: The folder cannot be written to.
        UnusableWeightsError: A network cannot be built.
        OutOfMemory: The device's memory does not hold a frame or a clip.
    """
    check_video_wishes(cast, wishes)
    videos = find_videos(given, folder)
    make_folder(folder)
    eyes = open_eyes(cast, wishes, device)
    for video in videos:
        if hooks.is_stopped():
            yield PredictedVideo(
                video.file, None, was_done=False, note="not begun", seconds=0.0, is_left=True
            )
        else:
            yield predict_video(video, eyes, wishes=wishes, hooks=hooks)


def predict_video(
    video: VideoFile,
    eyes: Eyes,
    *,
    wishes: VideoWishes,
    hooks: Hooks,
) -> PredictedVideo:
    """Predict one video, unless that is done; errors are those of `predict_videos`."""
    record = open_video_record(video, eyes.cast, wishes, precisions=eyes.precisions)
    if record.is_complete and not wishes.plain.overwrite:
        return PredictedVideo(video.file, record, was_done=True, note=record.note, seconds=0.0)
    started_at = time.monotonic()
    try:
        with streamed(video.file) as frames:
            make_folder(video.folder)
            layers = _layers(video.file, eyes, wishes, frames.facts)
            record.begin(_files(layers), is_replacing=wishes.plain.overwrite)
            found = _go_through(
                frames,
                layers,
                video.folder,
                names=_object_names(eyes),
                hooks=hooks,
            )
            record.add(frames.facts, frames.note, **found)
    except UnwritableOutputError as error:  # the other videos may go elsewhere
        seconds = time.monotonic() - started_at
        return PredictedVideo(video.file, None, was_done=False, note=str(error), seconds=seconds)
    except DataError as error:
        record.forget()  # what is there is of another video, or half of this one
        seconds = time.monotonic() - started_at
        return PredictedVideo(video.file, None, was_done=False, note=str(error), seconds=seconds)
    record.save()
    seconds = time.monotonic() - started_at
    return PredictedVideo(video.file, record, was_done=False, note=record.note, seconds=seconds)


def open_eyes(cast: Cast, wishes: VideoWishes, device: torch.device) -> Eyes:
    """Build the networks.

    Raises:
        UnusableWeightsError: One cannot be built.
    """
    detect, actions = None, None
    precisions: list[str] = []
    if cast.objects is not None:
        networks = open_networks(cast.objects, device)
        least = least_drawn_score(cast.objects, wishes.plain)
        detect = NetworkDetector(networks, least, shown_labels(cast.objects, wishes))
        precisions += networks.precisions
    if cast.actions is not None:
        networks = open_networks(cast.actions, device)
        settings = cast.actions.members[0].settings.data
        if not isinstance(settings, VideoFields):
            raise UnusableWishError(
                f"study '{cast.actions.study}' must be of videos, got dataset "
                f"'{settings.dataset}'; name another"
            )
        actions = NetworkActions(networks.applied[0], settings)
        precisions += networks.precisions
    appearance = _appearance(wishes, device)
    return Eyes(cast, detect, actions, appearance, precisions=tuple(precisions))


def _appearance(wishes: VideoWishes, device: torch.device) -> Appearance | None:
    """Return what describes boxes, for a tracker that compares it.

    Raises:
        UnusableWishError: Its weights cannot be used.
    """
    tracker = wishes.used_tracker
    if tracker is None or tracker.name != "deepsort":
        return None
    try:
        return build_appearance(wishes.appearance or ColourAppearanceSettings(), str(device))
    except ValueError as error:
        raise UnusableWishError(f"--appearance: {error}") from error


def _layers(file: Path, eyes: Eyes, wishes: VideoWishes, facts: StreamFacts) -> list[Layer]:
    """Return what is drawn over a video, the lowest first."""
    layers: list[Layer] = []
    if eyes.detect is not None and eyes.cast.objects is not None:
        layers.append(_object_layer(eyes, eyes.detect, wishes, facts))
    if eyes.actions is not None and eyes.cast.actions is not None:
        stride = wishes.action_stride or max(1, eyes.actions.span // 2)
        names = eyes.cast.actions.class_names
        layers.append(ActionLayer(eyes.actions, names, file, stride=stride))
    return layers


def _object_layer(
    eyes: Eyes, detect: Detect, wishes: VideoWishes, facts: StreamFacts
) -> ObjectLayer:
    settings, distances = wishes.used_tracker, None
    if wishes.calibration is not None and eyes.cast.objects is not None:
        height, width = facts.size_hw
        ground = ground_plane(wishes.calibration, (width, height))
        people = people_labels(eyes.cast.objects, wishes)
        distances = Distances(wishes.calibration, ground, people)
    objects = VideoObjects(
        detect,
        every=wishes.used_every,
        tracker=None if settings is None else build_tracker(settings),
        appearance=eyes.appearance,
    )
    return ObjectLayer(objects, _object_names(eyes), distances=distances)


def _go_through(
    frames: FrameStream,
    layers: Sequence[Layer],
    folder: Path,
    *,
    names: Sequence[str],
    hooks: Hooks,
) -> dict[str, Any]:
    """Draw over every frame until the end or a wish to stop; return what the record says."""
    facts = frames.facts
    written = [table for layer in layers for table in layer.tables]
    done, time_s, was_stopped = 0, 0.0, False
    with ExitStack() as closing:
        closing.enter_context(writing(folder))
        tables = closing.enter_context(VideoTables(folder, written, names))
        video = closing.enter_context(
            mp4_writer(folder / VIDEO, facts.size_hw, rate=facts.rate, tick=facts.time_base)
        )
        for frame in frames:
            pixels = frame.pixels()
            for layer in layers:
                layer.draw(frame, pixels, tables)
            video.add(pixels, frame.ticks)
            done, time_s = frame.number + 1, frame.time_s
            hooks.progress(done, facts.announced)
            if was_stopped := hooks.is_stopped():
                break
        found = {key: value for layer in layers for key, value in layer.end(tables).items()}
    return {
        "frames": done,
        "last_frame_s": time_s,
        "was_stopped": was_stopped,
        "files": _files(layers),
        "found": found,
    }


def _files(layers: Sequence[Layer]) -> dict[str, str]:
    """Return what is in each file -> its name."""
    tables = [table for layer in layers for table in layer.tables]
    return {Path(name).stem: name for name in (VIDEO, *tables)}


def _object_names(eyes: Eyes) -> Sequence[str]:
    return () if eyes.cast.objects is None else eyes.cast.objects.class_names
