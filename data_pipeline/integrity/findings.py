"""What a check of a dataset found: facts about files, faults by split, what is left out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from data_pipeline.faults import Fault, FaultKind
from data_pipeline.splitting.splits import SplitName


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What decoding an image or video showed."""

    size_hw: tuple[int, int] | None  # of the picture or a frame, pixels; None: not decoded
    is_grey: bool = False  # one channel on disk; False where the format does not say
    frames: int | None = None  # that can be decoded; None: a picture
    faults: tuple[Fault, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether there is a sample in it."""
        return all(fault.leaves_out != "sample" for fault in self.faults)


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How often a class occurs in a split."""

    name: str
    images: int  # or videos
    objects: int | None  # None: the task knows no single objects


@dataclass(frozen=True, slots=True)
class SplitFindings:
    """What was found in one split."""

    name: SplitName
    image_ids: tuple[str, ...]  # every sample that was checked, in order
    left_out: tuple[str, ...]  # samples that cannot be used, in order
    faults: tuple[Fault, ...]  # of the listing, of annotations and of files
    classes: tuple[ClassCount, ...]  # in label order
    sizes_hw: tuple[tuple[int, int], ...]  # of every decoded picture or video, pixels
    frames: tuple[int, ...]  # of every decoded video
    boxes_wh: tuple[tuple[float, float], ...]  # of every usable box, pixels on disk

    @property
    def usable(self) -> int:
        """How many samples are left."""
        return len(self.image_ids) - len(self.left_out)


@dataclass(frozen=True, slots=True)
class DataFindings:
    """What was found in a dataset, as one task reads it."""

    dataset: str
    task: str
    splits: tuple[SplitFindings, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that is wrong, split by split."""
        return tuple(fault for split in self.splits for fault in split.faults)

    @property
    def counts(self) -> Mapping[FaultKind, int]:
        """How often each kind of fault occurs, the kinds in order of appearance."""
        counts: Counter[FaultKind] = Counter()
        for fault in self.faults:
            counts[fault.kind] += fault.count
        return counts

    @property
    def left_out(self) -> tuple[str, ...]:
        """Samples that cannot be used, split by split."""
        return tuple(image_id for split in self.splits for image_id in split.left_out)

    @property
    def is_sound(self) -> bool:
        """Whether everything that can be used is: nothing but notes was found."""
        return all(fault.leaves_out in ("unused", "nothing") for fault in self.faults)
