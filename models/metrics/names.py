"""What metrics are called; free of torch and numpy, so that a study file is checked quickly."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

BACKGROUND = "background"  # label 0 of datasets that have one
# Costly metrics -> what of `evaluation.also` asks for them.
ASKED_FOR: Mapping[str, str] = MappingProxyType(
    {"boundary_f1": "boundary_f1", "rand_error": "rand_error", "pixel_error": "rand_error"}
)
SEGMENTATION_METRICS = (
    "iou",
    "iou_image_mean",
    "iou_with_background",
    "dice",
    "pixel_accuracy",
    "class_accuracy",
    "loss",
    "log_loss",
    "mae",
    "mse",
    "auc",
    "average_precision",
    *ASKED_FOR,
)
# Those that depend on which pixels are found, and so on the threshold.
SEGMENTATION_AT_THRESHOLD = (
    "iou",
    "iou_image_mean",
    "dice",
    "pixel_accuracy",
    "class_accuracy",
    "boundary_f1",
)
LOWER_IS_BETTER = frozenset(
    {"loss", "log_loss", "mae", "mse", "rand_error", "pixel_error", "box_mse", "ece"}
)
BY_CLASS = ("iou", "boundary_f1")  # metrics that are there for each class too, `iou_<class>`
AP_NAMES = (  # average precision and recall by COCO's rule, in pycocotools' order
    "ap",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar1",
    "ar10",
    "ar100",
    "ar_small",
    "ar_medium",
    "ar_large",
)
# What of an object is compared -> pycocotools' name for it.
OBJECT_KINDS: Mapping[str, Literal["segm", "bbox"]] = MappingProxyType(
    {"mask": "segm", "box": "bbox"}
)
DETECTOR_MEASURES = ("region_accuracy", "box_mse", "overlapping_boxes")  # where a network has them
INSTANCE_METRICS = (
    *(f"{kind}_{name}" for kind in OBJECT_KINDS for name in AP_NAMES),
    "loss",
    *DETECTOR_MEASURES,
)
# The threshold is of the pixels of a mask.
INSTANCE_AT_THRESHOLD = tuple(f"mask_{name}" for name in AP_NAMES)
INSTANCE_BY_CLASS = tuple(f"{kind}_ap" for kind in OBJECT_KINDS)
# Mean average precision at IoU 0.5 -> the rule by which it is computed.
MAP_RULES: Mapping[str, Literal["voc07", "voc10", "thesis", "open_images"]] = MappingProxyType(
    {
        "voc07_map": "voc07",
        "voc10_map": "voc10",
        "thesis_map": "thesis",
        "open_images_map": "open_images",
    }
)
AT_THRESHOLD = ("precision", "recall", "f1")  # at IoU 0.5, of detections from evaluation.threshold
DETECTION_METRICS = (*AP_NAMES, *MAP_RULES, *AT_THRESHOLD, "loss", *DETECTOR_MEASURES)
DETECTION_BY_CLASS = ("ap", "ap50", "thesis_ap")
# Shares of videos, by the mean of the probabilities of all their clips, and of clips alone.
TOP = 5
TOP5_METRICS = ("top5", "clip_top5")  # where there are more than 5 classes, else all are right
ACTION_METRICS = ("top1", "clip_top1", *TOP5_METRICS, "class_recall", "loss", "log_loss")
ACTION_BY_CLASS = ("recall",)
CLASSIFICATION_METRICS = (
    "top1",
    "top5",
    "class_recall",
    "precision",
    "f1",
    "auc",
    "ece",
    "loss",
    "log_loss",
)
CLASSIFICATION_BY_CLASS = ("recall", "precision", "f1")


def class_slugs(
    class_names: Sequence[str],
    metrics: Sequence[str] = SEGMENTATION_METRICS,
    by_class: Sequence[str] = BY_CLASS,
) -> tuple[str, ...]:
    """Return names of [a-z0-9_]+ for metrics, in order; one that is taken gets its index.

    "traffic light" becomes "traffic_light". A slug that would make `iou_<slug>` the name of
    another metric counts as taken.

    Args:
        class_names: In label order, without the background.
        metrics: All of a task's.
        by_class: Those that are there for each class too.
    """
    taken = {
        metric.removeprefix(f"{own}_")
        for own in by_class
        for metric in metrics
        if metric.startswith(f"{own}_")
    }
    slugs: list[str] = []
    for index, name in enumerate(class_names):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        slug = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "class"
        while slug in taken:
            slug = f"{slug}_{index}"
        taken.add(slug)
        slugs.append(slug)
    return tuple(slugs)


def segmentation_metric_names(
    class_names: Sequence[str], also: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return every metric that may be computed for a dataset's classes.

    Args:
        class_names: In label order, with the background if there is one.
        also: What `evaluation.also` asks for.
    """
    names = [
        name
        for name in SEGMENTATION_METRICS
        if (name not in ASKED_FOR or ASKED_FOR[name] in also)
        and (name != "iou_with_background" or BACKGROUND in class_names)
    ]
    slugs = class_slugs([name for name in class_names if name != BACKGROUND])
    by_class = [f"{own}_{slug}" for own in BY_CLASS if own in names for slug in slugs]
    return (*names, *by_class)


def instance_slugs(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes' names in metrics of objects, in label order."""
    return class_slugs(class_names, INSTANCE_METRICS, INSTANCE_BY_CLASS)


def instance_metric_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return every metric of objects with masks that may be computed for a dataset's classes."""
    slugs = instance_slugs(class_names)
    return (*INSTANCE_METRICS, *(f"{own}_{slug}" for own in INSTANCE_BY_CLASS for slug in slugs))


def detection_slugs(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes' names in metrics of boxes, in label order."""
    return class_slugs(class_names, DETECTION_METRICS, DETECTION_BY_CLASS)


def detection_metric_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return every metric of boxes that may be computed for a dataset's classes."""
    slugs = detection_slugs(class_names)
    return (*DETECTION_METRICS, *(f"{own}_{slug}" for own in DETECTION_BY_CLASS for slug in slugs))


def action_slugs(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes' names in metrics of actions, in label order."""
    return class_slugs(class_names, ACTION_METRICS, ACTION_BY_CLASS)


def action_metric_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return every metric of actions that may be computed for a dataset's classes."""
    has_top5 = len(class_names) > TOP
    names = [name for name in ACTION_METRICS if has_top5 or name not in TOP5_METRICS]
    slugs = action_slugs(class_names)
    return (*names, *(f"{own}_{slug}" for own in ACTION_BY_CLASS for slug in slugs))


def classification_slugs(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes' names in metrics of images, in label order."""
    return class_slugs(class_names, CLASSIFICATION_METRICS, CLASSIFICATION_BY_CLASS)


def classification_metric_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Return every metric of images that may be computed for a dataset's classes."""
    has_top5 = len(class_names) > TOP
    names = [name for name in CLASSIFICATION_METRICS if has_top5 or name not in TOP5_METRICS]
    slugs = classification_slugs(class_names)
    return (*names, *(f"{own}_{slug}" for own in CLASSIFICATION_BY_CLASS for slug in slugs))


_SLUGS: Mapping[str, Callable[[Sequence[str]], tuple[str, ...]]] = MappingProxyType(
    {
        "action_recognition": action_slugs,
        "image_classification": classification_slugs,
        "instance_segmentation": instance_slugs,
        "object_detection": detection_slugs,
        "semantic_segmentation": class_slugs,
    }
)


def task_slugs(task: str, class_names: Sequence[str]) -> dict[str, str]:
    """Return class -> its name in the metrics of a task, in label order without the background."""
    names = [name for name in class_names if name != BACKGROUND]
    return dict(zip(names, _SLUGS[task](names), strict=True))
