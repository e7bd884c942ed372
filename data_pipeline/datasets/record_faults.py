"""What is wrong with a picture's annotation, as far as a study uses it."""

import math
from collections.abc import Collection, Iterator

from data_pipeline.datasets.outlines import outline_problem
from data_pipeline.datasets.records import ImageRecord, ObjectRecord, clipped, has_area, in_pixels
from data_pipeline.faults import Fault, FaultKind, Loss

OUTSIDE_PIXELS = 1.0  # a box may leave its picture by this much: annotators count from 0 or 1

Finding = tuple[FaultKind, Loss, str]  # the text says what is there


def record_faults(
    record: ImageRecord,
    task: str,
    *,
    chosen: Collection[str],
    known: Collection[str],
    size_hw: tuple[int, int] | None,
) -> tuple[Fault, ...]:
    """List the faults of a picture's objects, one for each kind and what it leaves out.

    Args:
        record: As annotated.
        task: Boxes are of no use to semantic segmentation, nor outlines to detection.
        chosen: Classes the study uses; objects of the dataset's other classes are not looked at.
        known: Every class of the dataset.
        size_hw: Of the picture, pixels; None: not known, then nothing is outside of it.
    """
    if not record.objects:
        message = "an image should have an object, got no annotation at all"
        return (Fault("no_annotation", record.image_id, message, "nothing"),)
    found: dict[tuple[FaultKind, Loss], list[str]] = {}
    for thing in (in_pixels(record, size_hw) if size_hw else record).objects:
        if thing.class_name not in known:
            text = f"class '{thing.class_name}' is none of the {len(known)} of the dataset"
            found.setdefault(("unknown_label", "box"), []).append(text)
        elif thing.class_name in chosen:
            for kind, loss, text in _findings(thing, task, size_hw):
                found.setdefault((kind, loss), []).append(f"{text} ({thing.class_name})")
    return tuple(
        Fault(kind, record.image_id, _message(texts), loss, len(texts))
        for (kind, loss), texts in found.items()
    )


def _message(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{texts[0]}; and {len(texts) - 1} more such"


def _findings(
    thing: ObjectRecord, task: str, size_hw: tuple[int, int] | None
) -> Iterator[Finding]:
    if thing.is_crowd:
        yield "crowd", "nothing", "a region of many objects is no training target"
    if task != "semantic_segmentation":
        yield from _box_findings(thing, size_hw)
    if task == "object_detection":
        return
    if thing.outline is None:
        yield "malformed", "box", "an object must have an outline, got none"
    elif size_hw is not None and (problem := outline_problem(thing.outline, size_hw)):
        yield "malformed", "box", problem


def _box_findings(thing: ObjectRecord, size_hw: tuple[int, int] | None) -> Iterator[Finding]:
    box = thing.box_xyxy
    shown = f"({', '.join(f'{value:g}' for value in box)})"
    if not all(map(math.isfinite, box)):
        yield "malformed", "box", f"a box must have finite corners, got {shown}"
    elif not has_area(box):
        yield "zero_area_box", "box", f"box {shown} must have x1 < x2 and y1 < y2"
    elif size_hw is not None and (
        clipped(box, size_hw) is None or _pixels_outside(box, size_hw) > OUTSIDE_PIXELS
    ):
        loss: Loss = "nothing" if clipped(box, size_hw) else "box"
        yield "outside_box", loss, f"box {shown} must lie in its picture of {size_hw} (h, w)"


def _pixels_outside(box: tuple[float, float, float, float], size_hw: tuple[int, int]) -> float:
    height, width = size_hw
    return max(-box[0], -box[1], box[2] - width, box[3] - height)
