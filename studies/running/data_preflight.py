"""Before a trial starts: can the samples that the study uses be decoded, and are enough left?

The samples are those of the base settings. What a stage adds by varying `data` is examined by
its own trials, which leave out the same way.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from data_pipeline.catalog import class_names
from data_pipeline.datasets.dataset import Dataset
from data_pipeline.errors import InvalidDataError, MissingDataError
from data_pipeline.faults import Fault
from data_pipeline.hashing import hash_of
from data_pipeline.integrity.checking import check_splits, unusable
from data_pipeline.settings import DataSettings, Limit
from data_pipeline.splitting.splits import SPLITS, SplitName
from data_pipeline.video.looping import frame_counts, loops_by_counts
from studies.running.data_record import data_record, noun
from studies.running.progress import View
from studies.spec.schema import StudySpec
from studies.spec.split_policies import warnings_of_splits
from studies.spec.tried_data import tried_data

MOST_UNUSABLE = 0.2  # share of a split; above, a copy was cut short rather than a file damaged
NEEDED: tuple[SplitName, ...] = ("train", "val")
NAMED = 5  # files that a message names
INTERVAL_S = 5.0  # between words on how far it is
NO_DATA = "none"  # the dataset of models that need none
Splits = dict[SplitName, Dataset]
Lost = Mapping[SplitName, tuple[Fault, ...]]  # why samples are left out, one fault for each


def preflight(spec: StudySpec, page: Path, view: View) -> Mapping[str, str]:
    """Examine every sample that the study uses; what was examined before is remembered.

    Args:
        spec: The study.
        page: Where to write what was found, if something is left out.
        view: Told how far it is, and what is left out.

    Returns:
        Facts for the study's record: what was left out in words, a hash of what is used, how a
        split flatters scores and a clip exceeds videos, if one does; {} for a study without data.

    Raises:
        DataError: The dataset cannot be listed, or too little of a split can be used.
    """
    if spec.data.dataset == NO_DATA:
        return {}
    warnings = warnings_of_splits(spec)
    for warning in warnings:
        view.say(warning)
    by_class = class_splits(spec)
    splits = used_splits(spec, by_class)
    progress = _Progress(view, noun(spec.task))
    lost = unusable(splits, spec.data, spec.task, progress=progress)
    if any(lost.values()):
        findings = check_splits(splits, spec.data, spec.task)
        # Lazy: it loads Plotly, which takes a second and is seldom needed here.
        from reports.data_page import write_data_page

        write_data_page(data_record(findings, splits, spec.data), page)
        view.say(f"{_left_out(splits, lost, spec.task)}; see {page}")
    for name, dataset in splits.items():
        _require_enough(spec, name, count=len(dataset), lost=len(lost[name]), page=page)
    _require_every_class(spec, by_class, lost)
    loops = _loops(spec, splits)
    for warning in loops:
        view.say(warning)
    return {
        "data_left_out": _fact(splits, lost, spec.task),
        "data_used": _used(splits, lost),
        **({"split_warning": "; ".join(warnings)} if warnings else {}),
        **({"clip_warning": "; ".join(loops)} if loops else {}),
    }


def _loops(spec: StudySpec, splits: Splits) -> list[str]:
    """Warn of each clip that the study tries and that many of its videos are too short for."""
    counts = frame_counts(splits["train"].items)
    loops = (loops_by_counts(data, counts) for data in tried_data(spec))
    return list(dict.fromkeys(filter(None, loops)))


def _used(splits: Splits, lost: Lost) -> str:
    """Hash which samples are used: those that are left of every split."""
    gone = {fault.where for faults in lost.values() for fault in faults}
    return hash_of(
        f"{name} {image_id}"
        for name, dataset in splits.items()
        for image_id in dataset.image_ids
        if image_id not in gone
    )


def class_splits(spec: StudySpec) -> Mapping[str, Splits]:
    """Return the samples of each class's own model; {} with one model for all.

    Raises:
        DataError: The dataset cannot be listed.
    """
    if not spec.data.one_model_per_class:
        return {}
    together = spec.data.model_copy(update={"one_model_per_class": False})
    return {
        name: splits_of(together.model_copy(update={"classes": [name]}), spec.task)
        for name in spec.data.classes or class_names(spec.data)
    }


def used_splits(spec: StudySpec, by_class: Mapping[str, Splits]) -> Splits:
    """Return the samples of the base settings after cut and limit, before leaving any out.

    Args:
        spec: The study.
        by_class: The samples of each class's own model, which are put together; {}: one for all.

    Raises:
        DataError: The dataset cannot be listed.
    """
    if not by_class:
        return splits_of(spec.data, spec.task)
    together = spec.data.model_copy(update={"one_model_per_class": False})
    every = splits_of(together.model_copy(update={"limit": Limit()}), spec.task)
    items = {item.image_id: item for dataset in every.values() for item in dataset.items}
    wanted: dict[SplitName, set[str]] = {name: set() for name in every}
    for splits in by_class.values():
        for split, dataset in splits.items():
            wanted[split].update(dataset.image_ids)
    return {
        split: Dataset(
            every[split].class_names,
            tuple(items[i] for i in ids if i in items),
            every[split].faults,
        )
        for split, ids in wanted.items()
    }


def splits_of(settings: DataSettings, task: str) -> Splits:
    """Return the samples of each split after cut and limit, before leaving any out.

    Raises:
        DataError: The dataset cannot be listed.
    """
    # Lazy: it loads torch, which a study without data must not wait for.
    from data_pipeline.source import open_data

    source = open_data(settings, task, seed=0, examines=False)
    return {name: source.dataset(name) for name in SPLITS}


@dataclass(slots=True)
class _Progress:
    """Says now and then how far the check is; silent when everything is known."""

    view: View
    noun: str
    said_at: float | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self.said_at is None:
            self.view.say(f"checking that {total:,} {self.noun}s can be decoded")
        elif now - self.said_at < INTERVAL_S:
            return
        else:
            self.view.say(f"checked {done:,} of {total:,} {self.noun}s")
        self.said_at = now


def _left_out(splits: Splits, lost: Lost, task: str) -> str:
    """Say how many samples are left out, and name the first few."""
    faults = list(chain.from_iterable(lost.values()))
    named = ", ".join(f"{fault.where} ({_words(fault)})" for fault in faults[:NAMED])
    more = ", …" if len(faults) > NAMED else ""
    return (
        f"{len(faults):,} of {_total(splits):,} {noun(task)}s cannot be used and are left out: "
        f"{named}{more}"
    )


def _fact(splits: Splits, lost: Lost, task: str) -> str:
    """Say for the study's record how many samples are left out, split by split, and why."""
    if not any(lost.values()):
        return f"none of {_total(splits):,} {noun(task)}s"
    kinds = Counter(_words(fault) for fault in chain.from_iterable(lost.values()))
    reasons = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    counts = (
        f"{len(lost[name]):,} of {len(dataset):,} {name}"
        for name, dataset in splits.items()
        if len(dataset)
    )
    return f"{', '.join(counts)} {noun(task)}s ({reasons})"


def _total(splits: Splits) -> int:
    return sum(len(dataset) for dataset in splits.values())


def _words(fault: Fault) -> str:
    return fault.kind.replace("_", " ")


def _require_every_class(spec: StudySpec, by_class: Mapping[str, Splits], lost: Lost) -> None:
    """Refuse classes whose own model would have nothing to learn, or to be compared by."""
    gone = {name: {fault.where for fault in faults} for name, faults in lost.items()}
    empty = [
        f"'{label}' in split '{split}'"
        for label, splits in by_class.items()
        for split in NEEDED
        if not any(
            label in item.classes and item.image_id not in gone[split]
            for item in splits[split].items
        )
    ]
    if empty:
        raise MissingDataError(
            f"every class with a model of its own needs {noun(spec.task)}s of dataset "
            f"'{spec.data.dataset}' to train and to validate on, but there is none with "
            f"{' nor '.join(empty)}; remove it from data.classes, or choose another data.split"
        )


def _require_enough(
    spec: StudySpec, split: SplitName, *, count: int, lost: int, page: Path
) -> None:
    usable, word = count - lost, f"{noun(spec.task)}s"
    if not count and split in NEEDED:
        raise MissingDataError(
            f"split '{split}' of dataset '{spec.data.dataset}' must hold {word} of the classes, "
            "got none; choose other data.classes or another data.split"
        )
    if lost > MOST_UNUSABLE * count:
        raise InvalidDataError(
            f"at least {1 - MOST_UNUSABLE:.0%} of split '{split}' of dataset "
            f"'{spec.data.dataset}' must be usable, got {usable:,} of {count:,} {word}; "
            f"restore the others, which {page} names"
        )
