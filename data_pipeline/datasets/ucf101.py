"""UCF101: 13,320 clips of 101 actions, cut from 2,525 videos; three official splits.

    root/ucfTrainTestlist/classInd.txt        1 ApplyEyeMakeup
    root/ucfTrainTestlist/trainlist01.txt     ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1
    root/ucfTrainTestlist/testlist01.txt      ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi
    root/UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi          (or root/videos/…)

Clips of one group (g01 to g25 of a class) show the same people at the same place: a split that
cuts groups apart is scored on what it was trained on. The official lists cut none; there is no
official validation list. Soomro et al. 2012.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import chosen_classes, class_problems, task_labels
from data_pipeline.datasets.listed_videos import (
    LONGEST_LINE,
    ListedVideo,
    VideoList,
    present_videos,
)
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.datasets.text_lines import BadLines, numbered_lines
from data_pipeline.datasets.videos_on_disk import disk_problems, fingerprint_of, videos_folder
from data_pipeline.errors import DataError, InvalidDataError
from data_pipeline.splitting.splits import SplitName

LISTS = "ucfTrainTestlist"
FOLDERS = ("UCF-101", "videos")
CLASS_LINE = re.compile(r"(\d{1,6})\s+(\S.*)")
CLIP_LINE = re.compile(r"(?P<name>.+\.\w+)(?:\s+(?P<number>\d{1,6}))?")
GROUP = re.compile(r"(?P<group>[^/]+_g\d+)_c\d+\.\w+$")
CLIP_RULE = "'Class/v_Class_g01_c01.avi' of a known class and, for training, the class's number"


def check(settings: UCF101Data) -> list[str]:
    """Return a sentence for everything that is missing; opens no video."""
    if not settings.root.is_dir():
        return [
            f"data.root {settings.root} must be UCF101's folder with {LISTS} and {FOLDERS[0]}, "
            "got no folder; correct data.root or download the dataset"
        ]
    try:
        listed = official_clips(settings)
        problems = class_problems(settings, class_names(settings))
    except DataError as error:
        return [str(error)]
    names = [video.name for video in listed]
    return disk_problems(names, videos_folder(settings.root, FOLDERS)) + problems


def class_names(settings: UCF101Data) -> tuple[str, ...]:
    """Return the classes in the order of their numbers.

    Raises:
        MissingDataError: There is no list of them.
        InvalidDataError: A line of it is not the next number and a new name.
    """
    file = settings.root / LISTS / "classInd.txt"
    names: list[str] = []
    for number, line in numbered_lines(file):
        match = CLASS_LINE.fullmatch(line)
        if match is None or int(match[1]) != len(names) + 1 or match[2] in names:
            raise InvalidDataError(
                f"{file}:{number} must be '{len(names) + 1}' and a new class, got "
                f"{line[:60]!r}; restore the official list"
            )
        names.append(match[2])
    if not names:
        raise InvalidDataError(f"list {file} must name the classes, got no line; restore it")
    return tuple(names)


def label_names(settings: UCF101Data, task: str) -> tuple[str, ...]:
    """Return the chosen classes in label order."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: UCF101Data) -> str:
    """Hash the lists, and the names and sizes of the listed videos on disk."""
    lists = [settings.root / LISTS / "classInd.txt"]
    lists += [_list_file(settings, split) for split in ("train", "test")]
    names = [video.name for video in official_clips(settings)]
    return fingerprint_of(lists, names, videos_folder(settings.root, FOLDERS))


def build(settings: UCF101Data, task: str, split: SplitName) -> Dataset | None:  # noqa: ARG001
    """List a split's videos that are on disk; None for validation, which has no official list.

    Raises:
        DataError: The lists cannot be read, or a chosen class is unknown.
    """
    if split == "val":
        return None
    known = class_names(settings)
    file = _list_file(settings, split)
    return present_videos(
        _clips_in(file, known),
        videos_folder(settings.root, FOLDERS),
        chosen=chosen_classes(settings, known),
        where=file.name,
    )


def official_clips(settings: UCF101Data) -> tuple[ListedVideo, ...]:
    """Return every clip of the training and the test list, whether on disk or not.

    Raises:
        MissingDataError: A list is not there.
        InvalidDataError: The list of classes is damaged.
    """
    known = class_names(settings)
    lists = [_list_file(settings, split) for split in ("train", "test")]
    return tuple(video for file in lists for video in _clips_in(file, known).videos)


def _list_file(settings: UCF101Data, split: str) -> Path:
    return settings.root / LISTS / f"{split}list{settings.split_list:02d}.txt"


def _clips_in(file: Path, known: Sequence[str]) -> VideoList:
    numbers = {name.casefold(): number for number, name in enumerate(known, start=1)}
    listed, bad = VideoList([], []), BadLines(file.name, CLIP_RULE)
    for number, line in numbered_lines(file):
        match = CLIP_LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
        group = GROUP.search(match["name"]) if match else None
        label = numbers.get(line.partition("/")[0].casefold())
        if match is None or group is None or label is None or match["number"] not in _said(label):
            bad.add(number, line)
        else:
            listed.videos.append(ListedVideo(match["name"], known[label - 1], group["group"]))
    listed.add_bad_lines(bad)
    return listed


def _said(label: int) -> tuple[str | None, str]:
    """Return how a list may give a class's number: test lists do not."""
    return None, str(label)
