"""Which splits of a dataset there are, by the file or folder that each one has."""

from collections.abc import Callable
from pathlib import Path

from data_pipeline.settings import DataSettings
from data_pipeline.splitting.splits import SPLITS, SplitName


def present_splits(
    place_of: Callable[[SplitName], Path], *, is_there: Callable[[Path], bool] = Path.is_file
) -> list[SplitName]:
    """Return the splits whose file exists; `Path.is_dir`: whose folder does."""
    return [split for split in SPLITS if is_there(place_of(split))]


def absent_split_problems(
    settings: DataSettings,
    place_of: Callable[[SplitName], Path],
    *,
    remedy: str,
    is_there: Callable[[Path], bool] = Path.is_file,
) -> list[str]:
    """Return a sentence if the splits that there are do not suffice.

    Validation may be cut from training, and there need be no test; training must be there. Where
    all pictures are pooled any one split will do.

    Args:
        settings: Say whether the given split is used.
        place_of: The file or folder of a split.
        remedy: Which settings to correct, as in "correct data.lists".
        is_there: `Path.is_dir` where a split has a folder.
    """
    present = present_splits(place_of, is_there=is_there)
    if "train" in present or (present and settings.split.policy != "given"):
        return []
    place = place_of("train")
    got = "is no file" if is_there is Path.is_file else "is no folder"
    return [f"{place} {got if place.exists() else 'does not exist'}; restore it or {remedy}"]
