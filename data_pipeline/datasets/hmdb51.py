"""HMDB51: 6,766 clips of 51 actions out of films and web videos; three official splits.

    root/testTrainMulti_7030_splits/wave_test_split1.txt     RATRACE_wave_f_nm_np1_fr_goo_37.avi 1
    root/videos/wave/RATRACE_wave_f_nm_np1_fr_goo_37.avi     (or root/hmdb51_org/…)

The number after a clip is 1 for training, 2 for testing and 0 for neither: per class and split
70, 30 and the rest. A name is the source video, the action, what is seen of the body, whether
the camera moves, how many people, from where, how well, and a running number; clips of one
source and action are one group, which the official lists never cut. There is no official
validation list. Kuehne et al. 2011.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.labels import chosen_classes, class_problems, task_labels
from data_pipeline.datasets.listed_videos import (
    LONGEST_LINE,
    ListedVideo,
    VideoList,
    present_videos,
)
from data_pipeline.datasets.settings.videos import HMDB51Data
from data_pipeline.datasets.text_lines import BadLines, numbered_lines
from data_pipeline.datasets.videos_on_disk import disk_problems, fingerprint_of, videos_folder
from data_pipeline.errors import DataError, MissingDataError
from data_pipeline.splitting.splits import SplitName

LISTS = "testTrainMulti_7030_splits"
FOLDERS = ("videos", "hmdb51_org")
MARKS: Mapping[str, str] = MappingProxyType({"train": "1", "test": "2"})
CLIP_LINE = re.compile(r"(?P<name>.+\.\w+)\s+(?P<mark>[012])")
FLAGS = re.compile(r"_[a-z]+_[a-z]+_np\d+_[a-z]+_[a-z]+_\d+\.\w+$")  # after source and action
CLIP_RULE = "'source_action_f_cm_np1_le_med_0.avi' and 0, 1 or 2"


def check(settings: HMDB51Data) -> list[str]:
    """Return a sentence for everything that is missing; opens no video."""
    if not settings.root.is_dir():
        return [
            f"data.root {settings.root} must be HMDB51's folder with {LISTS} and {FOLDERS[0]}, "
            "got no folder; correct data.root or download the dataset"
        ]
    try:
        problems = class_problems(settings, class_names(settings))
        names = [video.name for video in official_clips(settings)]
    except DataError as error:
        return [str(error)]
    return disk_problems(names, videos_folder(settings.root, FOLDERS)) + problems


def class_names(settings: HMDB51Data) -> tuple[str, ...]:
    """Return the classes that have a list, in the order of their names.

    Raises:
        MissingDataError: There is no list.
    """
    ending = f"_test_split{settings.split_list}.txt"
    folder = settings.root / LISTS
    names = sorted(file.name.removesuffix(ending) for file in folder.glob(f"*{ending}"))
    if not names:
        raise MissingDataError(
            f"{folder} must hold a list such as wave{ending} per class, got none; restore it or "
            "correct data.root"
        )
    return tuple(names)


def label_names(settings: HMDB51Data, task: str) -> tuple[str, ...]:
    """Return the chosen classes in label order."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: HMDB51Data) -> str:
    """Hash the lists, and the names and sizes of the listed videos on disk."""
    lists = [_list_file(settings, name) for name in class_names(settings)]
    names = [video.name for video in official_clips(settings)]
    return fingerprint_of(lists, names, videos_folder(settings.root, FOLDERS))


def build(settings: HMDB51Data, task: str, split: SplitName) -> Dataset | None:  # noqa: ARG001
    """List a split's videos that are on disk; None for validation, which has no official list.

    Raises:
        DataError: The lists cannot be read, or a chosen class is unknown.
    """
    if split == "val":
        return None
    return present_videos(
        _clips_of(settings, split),
        videos_folder(settings.root, FOLDERS),
        chosen=chosen_classes(settings, class_names(settings)),
        where=f"{split} lists of split {settings.split_list}",
    )


def official_clips(settings: HMDB51Data) -> tuple[ListedVideo, ...]:
    """Return every clip for training or testing, whether on disk or not.

    Raises:
        MissingDataError: There are no lists.
    """
    return tuple(video for split in MARKS for video in _clips_of(settings, split).videos)


def _list_file(settings: HMDB51Data, class_name: str) -> Path:
    return settings.root / LISTS / f"{class_name}_test_split{settings.split_list}.txt"


def _clips_of(settings: HMDB51Data, split: str) -> VideoList:
    listed = VideoList([], [])
    for class_name in class_names(settings):
        file = _list_file(settings, class_name)
        bad = BadLines(file.name, CLIP_RULE)
        for number, line in numbered_lines(file):
            match = CLIP_LINE.fullmatch(line) if len(line) <= LONGEST_LINE else None
            flags = FLAGS.search(match["name"]) if match else None
            if match is None or flags is None:
                bad.add(number, line)
            elif match["mark"] == MARKS[split]:
                group = f"{class_name}/{match['name'][: flags.start()]}"
                listed.videos.append(
                    ListedVideo(f"{class_name}/{match['name']}", class_name, group)
                )
        if split == "train":  # both splits are in one file, and its faults are reported once
            listed.add_bad_lines(bad)
    return listed
