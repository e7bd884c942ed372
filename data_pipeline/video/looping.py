"""Clips that are longer than the videos they are cut from; torch-free.

Such a video starts anew within the clip. That is right for a few short ones; where it is most of
them, `data.clip` was hardly meant so, and with a stride near a video's length even motion stands
still or runs backwards.
"""

from collections.abc import Iterable, Sequence

from data_pipeline.datasets.dataset import Listed, is_video
from data_pipeline.datasets.settings.generated import StreetActionsData
from data_pipeline.datasets.settings.videos import Clip, VideoFields
from data_pipeline.errors import DataError
from data_pipeline.settings import DataSettings

MANY = 0.1  # share of the videos
MOST_LOOKED_AT = 200  # videos; each is opened, which for a whole dataset would take minutes


def frame_counts(items: Sequence[Listed]) -> tuple[int, ...]:
    """Return how many frames videos have, of some spread evenly over all that can be read."""
    step = max(1, -(-len(items) // MOST_LOOKED_AT))
    return tuple(_counted(items[::step]))


def _counted(items: Iterable[Listed]) -> Iterable[int]:
    for item in items:
        try:
            if is_video(item):
                yield item.frame_count()
        except DataError:  # the check of the data names it
            continue


def loops_by_settings(settings: DataSettings) -> str | None:
    """Warn of clips longer than videos whose length the settings state; None: nothing to say."""
    if not isinstance(settings, StreetActionsData) or settings.clip.span <= settings.video_frames:
        return None
    return _sentence(settings.clip, f"each video has ({settings.video_frames})")


def loops_by_counts(settings: DataSettings, counts: Sequence[int]) -> str | None:
    """Warn of clips longer than many videos; None: nothing to say.

    Args:
        settings: Of the data.
        counts: Frames of videos.
    """
    if not isinstance(settings, VideoFields):
        return None
    short = sum(count < settings.clip.span for count in counts)
    if short <= MANY * len(counts):
        return None
    few = f"{short:,} of the {len(counts):,} videos looked at have (the shortest {min(counts)})"
    return _sentence(settings.clip, few)


def _sentence(clip: Clip, than: str) -> str:
    return (
        f"data.clip.frames {clip.frames} and stride {clip.stride} span {clip.span} frames, more "
        f"than {than}: such a clip starts its video anew, and its motion jumps back; choose fewer "
        "frames or a smaller stride"
    )
