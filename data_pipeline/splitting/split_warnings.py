"""What a study's choice of split will do to its scores; torch-free."""

from data_pipeline.datasets.settings.pictures import CamVidData
from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.settings import DataSettings

CUTS_GROUPS = ("random", "stratified")
REMEDY = "choose data.split.policy: grouped, or given"


def split_warnings(settings: DataSettings) -> list[str]:
    """Return a sentence for each way in which the split flatters the study; [] is sound.

    The figures are the thesis's: SlowFast on UCF101, top-1 accuracy on validation by clips cut
    at random (its Table 16) and by groups (its Table 14, AdamW).
    """
    policy = settings.split.policy
    if policy not in CUTS_GROUPS:
        return []
    if isinstance(settings, VideoFields):
        return [
            f"data.split.policy '{policy}' is leaky: it puts clips of one group, near-duplicates "
            "cut from one video, into training and validation, so that scores come out far too "
            "high: on UCF101 the thesis's SlowFast scored 0.85 top-1 split at random, and 0.54 "
            f"with groups kept whole; {REMEDY}"
        ]
    if isinstance(settings, CamVidData):
        return [
            f"data.split.policy '{policy}' is leaky: it puts frames of one drive, seconds apart, "
            f"into training and validation, so that scores come out too high; {REMEDY}"
        ]
    return []
