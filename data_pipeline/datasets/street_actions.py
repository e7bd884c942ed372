"""Short videos of street users that are drawn, written in the layout of UCF101 and read as it is.

    cache/street_actions-<hash>/ucfTrainTestlist/{classInd,trainlist01,testlist01}.txt
    cache/street_actions-<hash>/UCF-101/CarStopping/v_CarStopping_g01_c01.avi     cache/…/complete

Videos of a group show the same street and actor, so a split that cuts groups is as misleading
here as on UCF101. The first groups of each action are for testing, 7 of 25 as there. The folder
is drawn under another name and renamed when whole, as street scenes are.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from data_pipeline.cache import cache_folder
from data_pipeline.datasets import ucf101
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.datasets.drawn_folder import drawn_folder
from data_pipeline.datasets.labels import class_problems, task_labels
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.datasets.settings.videos import UCF101Data
from data_pipeline.hashing import hash_of
from data_pipeline.scenes.actions import EVERYDAY, MOTION_ONLY, VERSION, film
from data_pipeline.scenes.moments import FilmShape
from data_pipeline.splitting.splits import SplitName
from data_pipeline.video.writing import KEYFRAME_EVERY, QUANTISER, write_video

SETS: Mapping[str, tuple[str, ...]] = {
    "everyday": tuple(EVERYDAY),
    "motion_only": tuple(MOTION_ONLY),
}
TEST_SHARE = 7 / 25  # of the groups, as in UCF101's lists


def check(settings: StreetActionsData) -> list[str]:
    """Return a sentence for every class that is not drawn; the videos are drawn at first use."""
    return class_problems(settings, class_names(settings))


def class_names(settings: StreetActionsData) -> tuple[str, ...]:
    """Return the actions that are drawn."""
    return SETS[settings.actions]


def label_names(settings: StreetActionsData, task: str) -> tuple[str, ...]:
    """Return the chosen classes in label order."""
    return task_labels(settings, task, class_names(settings))


def fingerprint(settings: StreetActionsData) -> str:
    """Hash what decides the pixels, drawn or not yet."""
    return hash_of(
        f"{name} {value}"
        for name, value in (
            ("version", VERSION),
            ("actions", " ".join(class_names(settings))),
            ("seed", settings.video_seed),
            ("groups", settings.groups),
            ("videos", settings.videos_per_group),
            ("frames", settings.video_frames),
            ("rate", settings.video_rate),
            ("width", settings.video_width),
            ("height", settings.video_height),
            ("quantiser", QUANTISER),
            ("keyframe every", KEYFRAME_EVERY),
        )
    )


def build(settings: StreetActionsData, task: str, split: SplitName) -> Dataset | None:
    """List a split's videos, drawing them all if no one has yet; None for validation."""
    root = drawn_videos(settings)
    return ucf101.build(UCF101Data(root=root, classes=settings.classes), task, split)


def drawn_videos(settings: StreetActionsData) -> Path:
    """Return the folder of the videos; the first call draws them, some ten per second.

    Raises:
        InvalidDataError: A folder of this name exists and is not whole.
    """
    parent = settings.drawn_in or cache_folder()
    folder = parent / f"street_actions-{fingerprint(settings)[:16]}"
    return drawn_folder(folder, lambda empty: write_videos(empty, settings))


def write_videos(root: Path, settings: StreetActionsData) -> None:
    """Draw all videos into a folder; the same settings, the same bytes."""
    lists = root / ucf101.LISTS
    lists.mkdir(parents=True)
    names = class_names(settings)
    numbered = [f"{number} {name}" for number, name in enumerate(names, start=1)]
    (lists / "classInd.txt").write_text("\n".join(numbered) + "\n")
    train, test = [], []
    for number, action in enumerate(names, start=1):
        for group, clip in _numbers(settings):
            name = f"{action}/v_{action}_g{group:02d}_c{clip:02d}.avi"
            _write_one(root / ucf101.FOLDERS[0] / name, settings, action, group=group, clip=clip)
            if group <= max(1, round(settings.groups * TEST_SHARE)):
                test.append(name)
            else:
                train.append(f"{name} {number}")
    for split, lines in (("train", train), ("test", test)):
        (lists / f"{split}list01.txt").write_text("\n".join(lines) + "\n")


def _numbers(settings: StreetActionsData) -> Iterator[tuple[int, int]]:
    """Yield group and clip of each video of an action, from 1."""
    for group in range(1, settings.groups + 1):
        for clip in range(1, settings.videos_per_group + 1):
            yield group, clip


def _write_one(
    file: Path, settings: StreetActionsData, action: str, *, group: int, clip: int
) -> None:
    shape = FilmShape(
        width=settings.video_width,
        height=settings.video_height,
        frames=settings.video_frames,
        rate=settings.video_rate,
    )
    frames = film(action, seed=settings.video_seed, group=group, clip=clip, shape=shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_video(file, frames, size_hw=(shape.height, shape.width), rate=shape.rate)
