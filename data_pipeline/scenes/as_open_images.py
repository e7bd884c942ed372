"""Street scenes in the layout of Open Images: CSV rows of boxes as shares of the picture."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from data_pipeline.scenes.description import DescribedScene
from data_pipeline.splitting.splits import SplitName

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "person": "/m/01g317",
        "car": "/m/0k4j",
        "bus": "/m/01bjv",
        "traffic light": "/m/015qff",
        "stop sign": "/m/02pv19",
    }
)
HEADER = (
    *("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"),
    *("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"),
)
UNKNOWN = -1  # the official value of a flag that no one has looked at


def pictures_folder(split: SplitName) -> str:
    """Return where a split's pictures belong, relative to the root."""
    return "validation" if split == "val" else split


def write_annotations(root: Path, split: SplitName, scenes: Iterable[DescribedScene]) -> None:
    """Write <split>-annotations-bbox.csv, and the list of classes."""
    boxes = root / f"{pictures_folder(split)}-annotations-bbox.csv"
    with boxes.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(HEADER)
        for scene in scenes:
            writer.writerows(_rows(scene))
    with (root / "class-descriptions-boxable.csv").open("w", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(
            (label, name) for name, label in LABELS.items()
        )


def _rows(scene: DescribedScene) -> Iterable[tuple[str | int, ...]]:
    height, width = scene.size_hw
    for thing in scene.objects:
        x1, y1, x2, y2 = thing.box_xyxy
        shares = (x1 / width, x2 / width, y1 / height, y2 / height)
        yield (
            *(scene.image_id, "drawn", LABELS[thing.class_name], 1),
            *(f"{share:.6f}" for share in shares),
            *(UNKNOWN, UNKNOWN, int(thing.is_crowd), UNKNOWN, UNKNOWN),
        )
