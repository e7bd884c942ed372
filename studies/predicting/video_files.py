"""Which videos files and patterns name, and where what is made of each goes."""

import difflib
import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ENDINGS = (
    *("avi", "mp4", "m4v", "mov", "mkv", "webm", "mpg", "mpeg", "ts", "ogv"),
    *("flv", "wmv", "asf", "3gp", "gif"),
)
VIDEO, RECORD = "video.mp4", "prediction.json"  # in the folder of each video


class NoVideoError(Exception):
    """What was named is no video, or cannot be predicted together."""


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video and the folder of what is made of it."""

    file: Path  # absolute
    folder: Path


def is_video(given: str) -> bool:
    """Tell by its ending whether an argument names videos."""
    return Path(given).suffix.lower().removeprefix(".") in ENDINGS


def find_videos(given: Sequence[str], folder: Path) -> list[VideoFile]:
    """Return every video once; what is made of it goes to `folder / its name`.

    Args:
        given: Files and patterns.
        folder: The output folder.

    Raises:
        NoVideoError: One names no video, two are called alike, or one would be overwritten.
    """
    found: dict[str, VideoFile] = {}
    for each in given:
        if not is_video(each):
            known = ", ".join(ENDINGS)
            raise NoVideoError(
                f"pictures and videos must be predicted apart, got {each} among videos "
                f"({known}); name it in a command of its own"
            )
        for file in _named(each):
            video = VideoFile(file.resolve(), folder / file.stem)
            other = found.setdefault(file.stem, video)
            if other.file != video.file:
                raise NoVideoError(
                    f"videos must have names of their own, but {other.file} and {video.file} are "
                    "both so called; predict them one after the other, to different folders"
                )
            if video.file == (video.folder / VIDEO).resolve():
                raise NoVideoError(
                    f"video {video.file} must not be overwritten by what is drawn over it; name "
                    "another folder by --output"
                )
    return list(found.values())


def _named(given: str) -> Iterator[Path]:
    """Yield the files that one argument names."""
    path = Path(given).expanduser()
    if path.is_file():
        yield path
    elif glob.has_magic(given):
        files = sorted(Path(each) for each in glob.iglob(str(path), recursive=True))  # noqa: PTH207  # a pattern may be absolute, which Path.glob refuses
        if not files:
            raise NoVideoError(f"pattern {given} must match a video, got none")
        yield from files
    else:
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, beside, n=1)
        meant = f"; did you mean '{path.parent / close[0]}'?" if close else ""
        raise NoVideoError(f"there is no video {given}{meant}")
