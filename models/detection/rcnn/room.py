"""Whether this machine's memory holds what SVMs and box regressors are fitted to.

That is known once the classes are: better said before hours of fine-tuning than after them.
"""

import logging
from pathlib import Path

import psutil

from models.detection.rcnn.network import CHANNELS
from models.detection.rcnn.settings import RCNNSettings

logger = logging.getLogger(__name__)

FLOAT_BYTES = 4
FITTED_BYTES = 16  # of a value that one SVM is being fitted to: scaled, put together, as float64
MOST_SHARE = 0.5  # of the memory; above, there is hardly room for anything beside it
GIB = 2**30
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")  # "max" where there is none


def require_room(settings: RCNNSettings, *, classes: int, images: int) -> None:
    """Warn where fitting may need most of the memory, and refuse where it may need more.

    Args:
        settings: Of the network.
        classes: To find.
        images: To train on.

    Raises:
        ValueError: Examples of all classes may be more than this machine's memory.
    """
    need, there = fitting_bytes(settings, classes=classes, images=images), memory_bytes()
    if need <= MOST_SHARE * there:
        return
    said = (
        f"{classes} classes, hard_negatives {settings.hard_negatives} and "
        f"box_pairs {settings.box_pairs if settings.box_regression else 0} come to "
        f"{need / GIB:.1f} GiB of features, of {there / GIB:.1f} GiB"
    )
    if need > there:
        raise ValueError(
            f"what R-CNN's SVMs and box regressors are fitted to must fit the memory, but {said}; "
            "lower model.hard_negatives or model.box_pairs, or choose fewer classes"
        )
    logger.warning(
        "R-CNN's SVMs and box regressors may take most of the memory: %s; lower "
        "model.hard_negatives or model.box_pairs where it runs out",
        said,
        extra={"topic": "R-CNN's SVMs and box regressors may take most of the memory"},
    )


def fitting_bytes(settings: RCNNSettings, *, classes: int, images: int) -> int:
    """Return the most that regions kept of all classes take; true boxes come on top."""
    regions = images * settings.proposals
    pool5 = CHANNELS * settings.pool5_side**2
    background = min(settings.hard_negatives, regions) * settings.head_width
    pairs = min(settings.box_pairs, regions) * pool5 if settings.box_regression else 0
    # Those of the first pass are there once, and a copy of one class's while it is fitted.
    once = background * (FLOAT_BYTES + FITTED_BYTES)
    return classes * (background + pairs) * FLOAT_BYTES + once


def memory_bytes() -> int:
    """Return the memory of this machine, or what a container may take of it."""
    there = int(psutil.virtual_memory().total)
    try:
        return min(there, int(CONTAINER_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no container, or one without a limit
        return there
