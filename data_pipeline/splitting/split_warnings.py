"""What a study's choice of split will do to its scores; torch-free."""

from data_pipeline.datasets.settings.pictures import CamVidData, IsbiData
from data_pipeline.datasets.settings.videos import VideoFields
from data_pipeline.settings import DataSettings

CUTS_GROUPS = ("random", "stratified")
REMEDY = "choose data.split.policy: grouped, or given"


def split_warnings(settings: DataSettings) -> list[str]:
    """Return a sentence for each way in which the split flatters the study; [] is sound.

    The figures are the thesis's: SlowFast on UCF101, top-1 accuracy on validation by clips cut
    at random (its Table 16) and by groups (its Table 14, AdamW).
    """
    policy, parts = settings.split.policy, _parts(settings)
    if policy not in CUTS_GROUPS or parts is None:
        return []
    if settings.split.folds is not None:  # they are of whole groups; the test share is not
        return [
            f"data.split.policy '{policy}' is leaky for the test split: it puts {parts}, into "
            "testing and into training or validation, so that test scores come out too high; "
            f"validation, by data.split.folds, keeps groups whole; {REMEDY}"
        ]
    if isinstance(settings, VideoFields):
        return [
            f"data.split.policy '{policy}' is leaky: it puts {parts}, into training and "
            "validation, so that scores come out far too high: on UCF101 the thesis's SlowFast "
            f"scored 0.85 top-1 split at random, and 0.54 with groups kept whole; {REMEDY}"
        ]
    return [
        f"data.split.policy '{policy}' is leaky: it puts {parts}, into training and validation, "
        f"so that scores come out too high; {REMEDY}"
    ]


def _parts(settings: DataSettings) -> str | None:
    """Say what groups are made of; None where every sample is one of its own."""
    if isinstance(settings, VideoFields):
        return "clips of one group, near-duplicates cut from one video"
    if isinstance(settings, CamVidData):
        return "frames of one drive, seconds apart"
    if isinstance(settings, IsbiData):
        return "neighbouring slices of one stack, nanometres apart"
    return None
