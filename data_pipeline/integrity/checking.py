"""Is the data what it says it is? Every file decoded, every annotation looked at, once.

`check_dataset` looks at a dataset as it lies on disk, `check_splits` at some of its samples;
`sound` leaves out what cannot be used, and `unusable` says what that is. What decoding showed is
kept in the workspace, so that each file is decoded once for all of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from data_pipeline.catalog import DATASETS, resolve
from data_pipeline.datasets.dataset import Dataset, Listed
from data_pipeline.faults import Fault
from data_pipeline.integrity.examined import Progress, examined
from data_pipeline.integrity.findings import ClassCount, DataFindings, FileFacts, SplitFindings
from data_pipeline.integrity.tallies import tally
from data_pipeline.settings import DataSettings
from data_pipeline.splitting.splits import SPLITS, SplitName

Splits = Mapping[SplitName, Dataset]


def given_splits(settings: DataSettings, task: str) -> dict[SplitName, Dataset]:
    """Return every split that the dataset has on disk, before any limit or cut of ours.

    Raises:
        DataError: The dataset cannot be listed.
    """
    build = resolve(DATASETS[settings.dataset].builder)
    found = {name: build(settings, task, name) for name in SPLITS}
    return {name: dataset for name, dataset in found.items() if dataset is not None}


def check_dataset(
    settings: DataSettings, task: str, *, progress: Progress | None = None
) -> DataFindings:
    """Check every split that the dataset has on disk.

    Raises:
        DataError: The dataset cannot be listed.
    """
    return check_splits(given_splits(settings, task), settings, task, progress=progress)


def check_splits(
    splits: Splits, settings: DataSettings, task: str, *, progress: Progress | None = None
) -> DataFindings:
    """Check some samples of a dataset.

    Args:
        splits: What to check; ids are unique over all of them.
        settings: Of the dataset they are from.
        task: That they are read for.
        progress: Told how many files were decoded, of how many; not called when all are known.
    """
    items = [item for dataset in splits.values() for item in dataset.items]
    facts = examined(items, settings, task, progress=progress)
    grey = _odd_grey_ids(facts)
    listing = _without_repetition(splits)
    return DataFindings(
        settings.dataset,
        task,
        tuple(
            _split_findings(name, dataset, settings, facts=facts, grey=grey)
            for name, dataset in listing.items()
        ),
    )


def sound(
    dataset: Dataset,
    settings: DataSettings,
    task: str,
    *,
    progress: Progress | None = None,
    fingerprint: str | None = None,
) -> Dataset:
    """Return the dataset without the samples that cannot be decoded or read.

    The same files give the same dataset, in every process that shares the workspace. Progress
    and fingerprint are those of `examined`.
    """
    facts = examined(dataset.items, settings, task, progress=progress, fingerprint=fingerprint)
    usable = [image_id for image_id, each in facts.items() if each.is_usable]
    return dataset if len(usable) == len(dataset) else dataset.keep(usable)


def unusable(
    splits: Splits, settings: DataSettings, task: str, *, progress: Progress | None = None
) -> dict[SplitName, tuple[Fault, ...]]:
    """Return why samples are left out by `sound`: one fault for each, in order.

    Annotations are not looked at, so that what is known costs next to nothing.
    """
    items = [item for dataset in splits.values() for item in dataset.items]
    facts = examined(items, settings, task, progress=progress)
    return {
        name: tuple(
            next(fault for fault in facts[image_id].faults if fault.leaves_out == "sample")
            for image_id in dataset.image_ids
            if not facts[image_id].is_usable
        )
        for name, dataset in splits.items()
    }


def _without_repetition(splits: Splits) -> Splits:
    """Leave each fault of the listing with one split: splits cut from one list share them."""
    seen: set[Fault] = set()
    cleaned = {}
    for name, dataset in splits.items():
        cleaned[name] = replace(dataset, faults=tuple(f for f in dataset.faults if f not in seen))
        seen.update(dataset.faults)
    return cleaned


def _split_findings(
    name: SplitName,
    dataset: Dataset,
    settings: DataSettings,
    *,
    facts: Mapping[str, FileFacts],
    grey: frozenset[str],
) -> SplitFindings:
    faults = list(dataset.faults)
    for item in dataset.items:
        faults += item.faults()
        faults += facts[item.image_id].faults
        if item.image_id in grey:
            faults.append(_grey_image(item))
    counted = tally(dataset, facts)
    if name == "train":
        faults += _empty_classes(counted.classes, settings)
    ids = dataset.image_ids
    return SplitFindings(
        name=name,
        image_ids=ids,
        left_out=tuple(image_id for image_id in ids if not facts[image_id].is_usable),
        faults=tuple(faults),
        classes=counted.classes,
        sizes_hw=tuple(size for image_id in ids if (size := facts[image_id].size_hw)),
        frames=tuple(count for image_id in ids if (count := facts[image_id].frames)),
        boxes_wh=counted.boxes_wh,
    )


def _odd_grey_ids(facts: Mapping[str, FileFacts]) -> frozenset[str]:
    """Return the grey pictures among coloured ones; all grey is how some datasets are."""
    grey = frozenset(image_id for image_id, each in facts.items() if each.is_grey)
    is_mixed = any(each.size_hw and not each.is_grey for each in facts.values())
    return grey if is_mixed else frozenset()


def _grey_image(item: Listed) -> Fault:
    message = f"picture {item.files[0]} has one channel where others have three; used as grey RGB"
    return Fault("grey_image", item.image_id, message, "nothing")


def _empty_classes(classes: Iterable[ClassCount], settings: DataSettings) -> list[Fault]:
    """Miss only classes that were named: a dataset may know many more than a sample holds."""
    empty = [each.name for each in classes if not each.images and each.name in settings.classes]
    if not empty:
        return []
    message = (
        f"each chosen class must occur in training, got none of {', '.join(empty)}; "
        "choose others, or a larger sample of the dataset"
    )
    return [Fault("empty_class", "train", message, "nothing", count=len(empty))]
