"""What is wrong with the data on disk, as far as one image, video or line is concerned.

A fault leaves out the smallest thing that it spoils, a box or an image, or nothing (a note). The
rest is used. What spoils a whole dataset is a `DataError`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FaultKind = Literal[
    "absent",
    "undecodable",
    "truncated",
    "image_size",
    "mask_size",
    "mask_value",
    "zero_area_box",
    "outside_box",
    "unknown_label",
    "malformed",
    "other_format",
    "unsafe_path",
    "corrupt_frames",
    "damaged_jpeg",
    "empty_class",
    "no_annotation",
    "crowd",
    "grey_image",
    "metadata_encoding",
]
MEANINGS: Mapping[FaultKind, str] = MappingProxyType(
    {
        "absent": "listed, and not on disk",
        "undecodable": "no picture or video, or one that cannot be decoded",
        "truncated": "the file ends before its content does",
        "image_size": "not of the annotated size",
        "mask_size": "a label image of another size than its image",
        "mask_value": "a pixel value that is no class",
        "zero_area_box": "a box without area",
        "outside_box": "a box that leaves its image",
        "unknown_label": "a label that is no class of the dataset",
        "malformed": "a line or record that cannot be read",
        "other_format": "a picture of a kind that is not read",
        "unsafe_path": "a file name that leads out of the dataset's folder",
        "corrupt_frames": "a video with frames that cannot be decoded",
        "damaged_jpeg": "coded data that cannot be; what a decoder makes of it is used",
        "empty_class": "a class without any object",
        "no_annotation": "an image without any annotation",
        "crowd": "a region of many objects; no training target",
        "grey_image": "one channel where the others have three; used as grey RGB",
        "metadata_encoding": "metadata that is not UTF-8; ignored",
    }
)
# unused: the image is sound, and has nothing to learn from.
Loss = Literal["sample", "box", "unused", "nothing"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong at one place."""

    kind: FaultKind
    where: str  # image or video id, or file:line
    message: str  # what must hold, what is there
    leaves_out: Loss  # what is not used because of it
    count: int = 1  # how many times at this place, such as boxes of an image


def bounded(faults: Iterable[Fault], most: int = 1000) -> tuple[Fault, ...]:
    """Keep the first faults of each kind, and count the rest in one; so memory is bounded."""
    kept: list[Fault] = []
    seen: Counter[tuple[FaultKind, Loss]] = Counter()
    further: Counter[tuple[FaultKind, Loss]] = Counter()
    for fault in faults:
        key = (fault.kind, fault.leaves_out)
        seen[key] += 1
        if seen[key] <= most:
            kept.append(fault)
        else:
            further[key] += fault.count
    rest = (
        Fault(kind, "further places", MEANINGS[kind], leaves_out, count)
        for (kind, leaves_out), count in further.items()
    )
    return (*kept, *rest)
