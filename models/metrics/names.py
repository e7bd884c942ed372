"""What metrics are called; free of torch and numpy, so that a study file is checked quickly."""

import re
import unicodedata
from collections.abc import Sequence

BACKGROUND = "background"  # label 0 of datasets that have one
SEGMENTATION_METRICS = (
    "iou",
    "iou_image_mean",
    "iou_with_background",
    "dice",
    "pixel_accuracy",
    "class_accuracy",
    "loss",
)


def class_slugs(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return names of [a-z0-9_]+ for metrics, in order; one that is taken gets its index.

    "traffic light" becomes "traffic_light". A slug that would make `iou_<slug>` the name of
    another metric counts as taken.
    """
    taken = {metric.removeprefix("iou_") for metric in SEGMENTATION_METRICS}
    slugs: list[str] = []
    for index, name in enumerate(class_names):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "class"
        while slug in taken:
            slug = f"{slug}_{index}"
        taken.add(slug)
        slugs.append(slug)
    return tuple(slugs)


def segmentation_metric_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return every metric that may be computed for a dataset's classes."""
    names = [
        name
        for name in SEGMENTATION_METRICS
        if name != "iou_with_background" or BACKGROUND in class_names
    ]
    scored = [name for name in class_names if name != BACKGROUND]
    return (*names, *(f"iou_{slug}" for slug in class_slugs(scored)))
