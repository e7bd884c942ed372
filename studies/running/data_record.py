"""From the findings of a check to the record that the page about a dataset draws."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, zip_longest
from types import MappingProxyType

import numpy as np

from data_pipeline.datasets.dataset import Dataset, Item, Listed, is_video
from data_pipeline.errors import DataError, InvalidDataError
from data_pipeline.faults import MEANINGS, Fault
from data_pipeline.images import read_image
from data_pipeline.integrity.drawing import as_data_uri, drawn
from data_pipeline.integrity.findings import ClassCount, DataFindings, SplitFindings
from data_pipeline.leakage.leaks import Leak, Leakage, LeakKind
from data_pipeline.samples import ClassificationSample, ClipSample, Sample
from data_pipeline.settings import DataSettings
from data_pipeline.splitting.splits import SplitName
from reports.data_record import (
    ClassRow,
    DataRecord,
    FaultRow,
    LeakRow,
    Picture,
    Place,
    SplitRow,
)

PICTURES = 24  # of the grid
FAULTY_PICTURES = 16  # of these, at most
NAMED_CLASSES = 4  # in a caption
SIDE = 360  # longer side of a picture of the grid, pixels
DRAWN_WITHOUT_LABELS = ("image_size", "mask_size", "mask_value")  # the picture itself decodes
LOSSES = ("sample", "box", "unused", "nothing")  # worst first
DRAWN_LEAKS = 20  # pairs with pictures; the others in words
LEAK_WORDS: Mapping[LeakKind, str] = MappingProxyType(
    {
        "group": "belong to one group",
        "identical": "are the same",
        "near": "look the same",
        "mirrored": "look the same, one mirrored",
    }
)
Splits = Mapping[SplitName, Dataset]


def data_record(
    findings: DataFindings,
    splits: Splits,
    settings: DataSettings,
    *,
    leakage: Leakage | None = None,
    warnings: Sequence[str] = (),
) -> DataRecord:
    """Put findings into words and pictures.

    Args:
        findings: What a check of `splits` found.
        splits: The samples that were checked.
        settings: Of the dataset they are from.
        leakage: What is in two splits; None: not looked for.
        warnings: What may mislead although no file is at fault.
    """
    return DataRecord(
        dataset=findings.dataset,
        task=findings.task,
        folder=str(getattr(settings, "root", "")),
        noun=noun(findings.task),
        splits=tuple(SplitRow(s.name, len(s.image_ids), s.left_out) for s in findings.splits),
        faults=fault_rows(findings),
        classes=class_rows(findings.splits),
        sizes_hw={split.name: split.sizes_hw for split in findings.splits},
        frames={split.name: split.frames for split in findings.splits},
        boxes_wh={split.name: split.boxes_wh for split in findings.splits},
        pictures=tuple(_grid(findings, splits)),
        leaks=None if leakage is None else tuple(_leak_rows(leakage.leaks, splits)),
        warnings=tuple(warnings),
    )


def noun(task: str) -> str:
    """Return what a sample of the task is called."""
    return "video" if task == "action_recognition" else "image"


def fault_rows(findings: DataFindings) -> tuple[FaultRow, ...]:
    """Gather faults of a kind; what leaves out most comes first, then what is most frequent."""
    rows: dict[tuple[str, str], list[tuple[str, Fault]]] = {}
    for split in findings.splits:
        for fault in split.faults:
            rows.setdefault((fault.kind, fault.leaves_out), []).append((split.name, fault))
    gathered = [_fault_row(places) for places in rows.values()]
    return tuple(sorted(gathered, key=lambda row: (LOSSES.index(row.loss), -row.count)))


def leak_message(leak: Leak) -> str:
    """Say which two samples should not be in different splits, and why."""
    words = LEAK_WORDS[leak.kind]
    if leak.group is not None:
        words += f", {leak.group}"
    return f"{leak.first_split} {leak.first_id} and {leak.second_split} {leak.second_id} {words}"


def _fault_row(found: Sequence[tuple[str, Fault]]) -> FaultRow:
    first = found[0][1]
    return FaultRow(
        kind=first.kind,
        meaning=MEANINGS[first.kind],
        count=sum(fault.count for _, fault in found),
        loss=first.leaves_out,
        places=tuple(Place(split, fault.where, fault.message) for split, fault in found),
    )


def class_rows(splits: Sequence[SplitFindings]) -> tuple[ClassRow, ...]:
    """Put the counts of a class in all splits together, in label order."""
    by_name: dict[str, dict[str, ClassCount]] = {}
    for split in splits:
        for each in split.classes:
            by_name.setdefault(each.name, {})[split.name] = each
    return tuple(
        ClassRow(
            name,
            images={split: each.images for split, each in counts.items()},
            objects={s: c.objects for s, c in counts.items() if c.objects is not None},
        )
        for name, counts in by_name.items()
    )


def _grid(findings: DataFindings, splits: Splits) -> Iterable[Picture]:
    """Draw samples with faults first, the worst before the others, then some without."""
    notes = _notes(findings)
    items = [(name, item) for name, dataset in splits.items() for item in dataset.items]
    faulty = [(name, item) for name, item in items if (name, item.image_id) in notes]
    faulty.sort(key=lambda pair: notes[pair[0], pair[1].image_id][0])
    shown = faulty[:FAULTY_PICTURES]
    sound = _spread(splits, notes)
    for name, item in chain(shown, islice(sound, PICTURES - len(shown))):
        note = notes.get((name, item.image_id), (0, ""))[1]
        caption = f"{name} · {item.image_id}"
        yield picture(item, splits[name].class_names, caption=caption, note=note)


def _notes(findings: DataFindings) -> dict[tuple[str, str], tuple[int, str]]:
    """Return (split, image id) -> how bad it is (0 worst) and in words what."""
    found: dict[tuple[str, str], set[tuple[int, str]]] = {}
    for split in findings.splits:
        for fault in split.faults:
            entry = (LOSSES.index(fault.leaves_out), fault.kind.replace("_", " "))
            found.setdefault((split.name, fault.where), set()).add(entry)
    return {
        place: (min(entries)[0], ", ".join(words for _, words in sorted(entries)))
        for place, entries in found.items()
    }


def _spread(
    splits: Splits, notes: Mapping[tuple[str, str], object]
) -> Iterable[tuple[SplitName, Listed]]:
    """Go through the splits in turns, through each in even steps; the same every time."""
    columns = []
    for name, dataset in splits.items():
        without = [item for item in dataset.items if (name, item.image_id) not in notes]
        count = min(PICTURES, len(without))
        places = np.linspace(0, len(without) - 1, count).astype(int)
        columns.append([(name, without[place]) for place in places])
    return (pair for row in zip_longest(*columns) for pair in row if pair is not None)


def picture(item: Listed, class_names: Sequence[str], *, caption: str, note: str = "") -> Picture:
    """Draw one sample; one that cannot be read is drawn as far as its picture can."""
    try:
        source = as_data_uri(drawn(_sample(item), class_names, side=SIDE))
    except DataError:
        source = None
    more = ", …" if len(item.classes) > NAMED_CLASSES else ""
    labels = ", ".join(item.classes[:NAMED_CLASSES]) + more
    return Picture(f"{caption} · {labels}" if labels else caption, note, source)


def _sample(item: Listed) -> Sample:
    if is_video(item):
        middle = np.array([item.frame_count() // 2], dtype=np.int64)
        return ClipSample(item.image_id, item.frames(middle, SIDE), item.label)
    readable: Item = item  # type: ignore[assignment]  # it is a picture, if no video
    try:
        return readable.read()
    except InvalidDataError as error:
        if error.kind not in DRAWN_WITHOUT_LABELS:
            raise
        return ClassificationSample(item.image_id, read_image(item.files[0]), 0)


def _leak_rows(leaks: Sequence[Leak], splits: Splits) -> Iterable[LeakRow]:
    """Draw the first pairs side by side."""
    for number, leak in enumerate(leaks):
        places = ((leak.first_split, leak.first_id), (leak.second_split, leak.second_id))
        pictures = (
            picture(
                _item(splits[name], image_id),
                splits[name].class_names,
                caption=f"{name} · {image_id}",
            )
            for name, image_id in places
        )
        yield LeakRow(leak_message(leak), tuple(pictures) if number < DRAWN_LEAKS else ())


def _item(dataset: Dataset, image_id: str) -> Listed:
    return next(item for item in dataset.items if item.image_id == image_id)
