"""Which splits of a dataset there are, by the file or folder that each one has."""

from collections.abc import Callable
from pathlib import Path

from data_pipeline.settings import DataSettings
from data_pipeline.splitting.splits import SPLITS, SplitName


def present_splits(place_of: Callable[[SplitName], Path]) -> list[SplitName]:
    """Return the splits whose file or folder exists."""
    return [split for split in SPLITS if place_of(split).exists()]


def absent_split_problems(
    settings: DataSettings, place_of: Callable[[SplitName], Path], *, remedy: str
) -> list[str]:
    """Return a sentence if the splits that there are do not suffice.

    Validation may be cut from training, and there need be no test; training must be there. Where
    all pictures are pooled any one split will do.

    Args:
        settings: Say whether the given split is used.
        place_of: The file or folder of a split.
        remedy: Which settings to correct, as in "correct data.lists".
    """
    present = present_splits(place_of)
    if "train" in present or (present and settings.split.policy != "given"):
        return []
    return [f"{place_of('train')} does not exist; restore it or {remedy}"]
