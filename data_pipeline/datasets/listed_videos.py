"""Videos that official lists name: as they are listed, and those of them that can be read.

A part of a dataset will do: what is listed and not on disk is counted and left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.text_lines import BadLines
from data_pipeline.datasets.videos_on_disk import videos_on_disk
from data_pipeline.faults import Fault
from data_pipeline.paths import name_problem
from data_pipeline.video.reading import frame_count, read_frames

LONGEST_LINE = 512  # characters; a file's name has at most 255


@dataclass(frozen=True, slots=True)
class ListedVideo:
    """A video as a list names it, whether it is on disk or not."""

    name: str  # "Biking/v_Biking_g05_c02.avi"
    class_name: str
    group: str  # of the clips of one source video: same people, same place

    @property
    def image_id(self) -> str:
        """The name without its ending."""
        return self.name.rpartition(".")[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """Its one class."""
        return (self.class_name,)

    @property
    def files(self) -> tuple[Path, ...]:
        """None: nobody has looked for it yet."""
        return ()

    def faults(self) -> tuple[Fault, ...]:
        """Return none: all that a list says of a clip is its place."""
        return ()


@dataclass(frozen=True, slots=True)
class VideoClip:
    """A listed video that is on disk."""

    image_id: str
    file: Path
    class_name: str
    label: int  # index in the chosen classes
    group: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Its one class."""
        return (self.class_name,)

    @property
    def files(self) -> tuple[Path, ...]:
        """The video."""
        return (self.file,)

    def faults(self) -> tuple[Fault, ...]:
        """Return none: all that a list says of a clip is its place."""
        return ()

    def frame_count(self) -> int:
        """Return how many frames there are.

        Raises:
            DataError: The video is missing or damaged; the message names it.
        """
        return frame_count(self.file)

    def frames(self, indices: NDArray[np.int64], shorter_side: int) -> NDArray[np.uint8]:
        """Decode these frames, (t,) in any order, and no more than that takes.

        Returns:
            (t, h, w, 3) RGB, the shorter side scaled to `shorter_side` pixels.

        Raises:
            DataError: The video is missing, damaged or shorter; the message names it.
        """
        return read_frames(self.file, indices, shorter_side)


@dataclass(slots=True)
class VideoList:
    """What lists name, and what is wrong with their lines."""

    videos: list[ListedVideo]
    faults: list[Fault]

    def add_bad_lines(self, lines: BadLines) -> None:
        """Report lines of a list that name no video."""
        self.faults += [replace(fault, leaves_out="sample") for fault in lines.faults()]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the videos as listed."""
        return tuple(video.name for video in self.videos)


def present_videos(
    listed: VideoList, folder: Path, *, chosen: Sequence[str], where: str
) -> Dataset:
    """Return the listed videos of the chosen classes that are on disk.

    Args:
        listed: By one or several lists.
        folder: Of the folders per class.
        chosen: Classes in label order.
        where: The lists, as the user knows them.
    """
    wanted = [video for video in listed.videos if video.class_name in chosen]
    faults = list(listed.faults)
    on_disk = videos_on_disk(folder, {video.name.partition("/")[0] for video in wanted})
    items, absent = [], []
    for video in wanted:
        problem, found = name_problem(video.name), on_disk.get(video.name.casefold())
        if problem is not None:
            message = f"file name {video.name!r} in {where} {problem}; correct the list"
            faults.append(Fault("unsafe_path", where, message, "sample"))
        elif found is None:
            absent.append(video.name)
        else:
            label = chosen.index(video.class_name)
            file = folder / found.name
            items.append(VideoClip(video.image_id, file, video.class_name, label, video.group))
    if absent:
        message = (
            f"{len(absent)} of {len(wanted)} listed videos are not in {folder}, the first is "
            f"{absent[0]}; they are left out"
        )
        faults.append(Fault("absent", where, message, "sample", len(absent)))
    return Dataset(tuple(chosen), tuple(items), tuple(faults))
