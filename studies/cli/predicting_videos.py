"""`visionstudy predict` on videos: its options, and what it says."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from studies.cli.reading import fail

if TYPE_CHECKING:
    import torch

    from studies.predicting.choosing import ChosenRun
    from studies.predicting.video_wishes import Cast, VideoWishes
    from studies.predicting.videos import PredictedVideo
    from studies.predicting.wishes import Wishes

UNREAD, INTERRUPTED = 1, 130  # exit statuses: a video could not be read; Ctrl-C


class TrackMethod(StrEnum):
    """How objects are followed."""

    SORT = "sort"
    DEEPSORT = "deepsort"


Actions: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--actions", metavar="RUN", help="On videos: a study of actions that looks at them too."
    ),
]
Every: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--every",
        min=1,
        help="On videos: find objects in every so many frames and hold them in between; 16, or 1 "
        "when they are tracked.",
    ),
]
Track: TypeAlias = Annotated[
    TrackMethod | None,
    typer.Option("--track", help="On videos: follow objects from frame to frame."),
]
Appearance: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--appearance",
        metavar="WEIGHTS",
        help="With --track deepsort: weights of its appearance network; without them it compares "
        "histograms of colour.",
    ),
]
ActionStride: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--action-stride",
        min=1,
        help="On videos: frames from one window of actions to the next; half a window when not "
        "given.",
    ),
]
Distances: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--distances",
        metavar="CALIBRATION",
        help="On videos: measure the distances between people on the ground, which a YAML file "
        "says where it is (docs/video.md). Tracks them by SORT when --track names nothing.",
    ),
]


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """The options that videos alone have."""

    every: int | None
    track: TrackMethod | None
    appearance: Path | None
    action_stride: int | None
    distances: Path | None


def predict_named_videos(
    runs: "tuple[ChosenRun, ChosenRun | None]",
    given: Sequence[str],
    folder: Path,
    *,
    wishes: "tuple[Wishes, VideoOptions]",
    device: "torch.device",
    as_json: bool,
) -> bool:
    """Predict videos where such are named, and end the verb where that did not go well.

    Returns:
        Whether videos were named; else nothing is done.

    Raises:
        typer.Exit: Something is wrong, and said.
    """
    # Lazy: they load torch and rich, which `visionstudy --help` must not wait for.
    from studies.predicting.predicting import UnusableWishError
    from studies.predicting.video_files import is_video
    from studies.predicting.video_wishes import ACTIONS, cast_of

    run, actions = runs
    plain, options = wishes
    if not any(is_video(each) for each in given):
        _refuse_on_pictures(run.task == ACTIONS, actions is not None, options)
        return False
    try:
        cast = cast_of(run, actions)
    except UnusableWishError as error:
        raise fail(str(error)) from error
    wanted = _wishes(plain, options)
    _say(_who(cast), quiet=as_json)
    done = _predicted(cast, given, folder, wishes=wanted, device=device, quiet=as_json)
    _say(_lines(done), quiet=as_json)
    if as_json:
        typer.echo(_json(done, cast, folder, device=str(device)))
    _exit(done)
    return True


def _say(lines: Iterable[str], *, quiet: bool) -> None:
    for line in () if quiet else lines:
        typer.echo(line)


def _exit(done: "Sequence[PredictedVideo]") -> None:
    """End the verb where something was left undone.

    Raises:
        typer.Exit: It was.
    """
    if any(map(_was_stopped, done)):
        raise typer.Exit(INTERRUPTED)
    if any(video.record is None for video in done):
        raise typer.Exit(UNREAD)


def _refuse_on_pictures(is_of_actions: bool, has_actions: bool, options: VideoOptions) -> None:
    """Refuse what pictures cannot have.

    Raises:
        typer.Exit: There is such a wish.
    """
    if is_of_actions:
        raise fail("a study of actions looks at videos, not at pictures; name a video")
    named = {
        f"--{each.name.replace('_', '-')}": getattr(options, each.name) for each in fields(options)
    }
    for name, value in {"--actions": has_actions or None, **named}.items():
        if value is not None:
            raise fail(f"{name} has no effect on pictures; leave it out, or name a video")


def _wishes(plain: "Wishes", options: VideoOptions) -> "VideoWishes":
    """Return the wishes, with the calibration read.

    Raises:
        typer.Exit: It cannot be used.
    """
    # Lazy: as above.
    from models.tracking.settings import (
        DeepSortSettings,
        NetworkAppearanceSettings,
        SortSettings,
    )
    from studies.predicting.ground_plane import CalibrationError, read_calibration
    from studies.predicting.video_wishes import VideoWishes

    # The detector's least score holds already; DeepSORT's own would hide what was asked for.
    trackers = {None: None, "sort": SortSettings(), "deepsort": DeepSortSettings(least_score=None)}
    weights, file = options.appearance, options.distances
    try:
        calibration = None if file is None else read_calibration(file)
    except CalibrationError as error:
        raise fail(str(error)) from error
    return VideoWishes(
        plain,
        every=options.every,
        tracker=trackers[options.track],
        appearance=None if weights is None else NetworkAppearanceSettings(weights=weights),
        action_stride=options.action_stride,
        calibration=calibration,
    )


def _predicted(
    cast: "Cast",
    given: Sequence[str],
    folder: Path,
    *,
    wishes: "VideoWishes",
    device: "torch.device",
    quiet: bool,
) -> "list[PredictedVideo]":
    # Lazy: as above.
    from rich.console import Console

    from models.predicting import UnusableWeightsError
    from models.session import OutOfMemory
    from studies.cli.predicting_output import shown_progress
    from studies.predicting.earlier_record import OtherPredictionsError
    from studies.predicting.ground_plane import CalibrationError
    from studies.predicting.interruption import stop_wishes
    from studies.predicting.outputs import UnwritableOutputError
    from studies.predicting.predicting import UnusableWishError
    from studies.predicting.video_files import NoVideoError
    from studies.predicting.videos import Hooks, predict_videos

    console = Console(stderr=True)
    try:
        with (
            stop_wishes() as is_stopped,
            shown_progress(console, quiet=quiet, noun="frames") as progress,
        ):
            hooks = Hooks(progress, is_stopped)
            found = predict_videos(cast, given, folder, wishes=wishes, device=device, hooks=hooks)
            return list(found)
    except OutOfMemory as error:
        raise fail(f"{error}; name --device cpu") from error
    except (
        CalibrationError,
        NoVideoError,
        OtherPredictionsError,
        UnusableWeightsError,
        UnusableWishError,
        UnwritableOutputError,
    ) as error:
        raise fail(str(error)) from error


def _who(cast: "Cast") -> Iterator[str]:
    # Lazy: as above.
    from studies.cli.predicting_output import run_lines

    for run in cast.runs:
        yield from run_lines(run)


def _was_stopped(video: "PredictedVideo") -> bool:
    return video.is_left or (video.record is not None and video.record.was_stopped)


def _lines(videos: "Sequence[PredictedVideo]") -> Iterator[str]:
    """Say what came of each video, and how many are left."""
    yield from (_line(video) for video in videos if not video.is_left)
    left = sum(video.is_left for video in videos)
    if left:
        yield f"stopped; {left:,} of {len(videos):,} videos left: the same command goes on"


def _line(video: "PredictedVideo") -> str:
    """Say what came of a video."""
    # Lazy: as above.
    from studies.running.views import duration

    if video.record is None:
        return f"skipped {video.file}: {video.note}"
    folder, frames = video.record.video.folder, video.record.frames
    note = f" ({video.note})" if video.note else ""
    if video.was_done:
        return f"{video.file.name}: {frames:,} frames done before{note}, see {folder}"
    rate = frames / max(video.seconds, 1e-9)
    took = f"in {duration(video.seconds)}, {rate:.1f} frames/s"
    return f"{video.file.name}: {frames:,} frames {took}{note}; wrote {folder}"


def _json(videos: "Sequence[PredictedVideo]", cast: "Cast", folder: Path, *, device: str) -> str:
    """Write the end as JSON; the fields are those `visionstudy predict --help` names."""
    content = {
        "folder": str(folder),
        "studies": [run.study for run in cast.runs],
        "device": device,
        "videos": [_entry(video) for video in videos],
    }
    return json.dumps(content, indent=2)


def _entry(video: "PredictedVideo") -> dict[str, Any]:
    record = video.record
    return {
        "source": str(video.file),
        "frames": 0 if record is None else record.frames,
        "was_done": video.was_done,
        "was_stopped": _was_stopped(video),
        "note": video.note,
        "seconds": video.seconds,
        "found": None if record is None else record.content["found"],
    }
