"""Check the data of a study, or a dataset by its name: faults, and what is in two splits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.catalog import DATASETS, check_data, prepare_data
from data_pipeline.errors import MissingDataError, UnsupportedTaskError, unknown_name
from data_pipeline.integrity.checking import Splits, check_splits, given_splits
from data_pipeline.integrity.examined import Progress
from data_pipeline.integrity.findings import DataFindings
from data_pipeline.leakage.leaks import Leakage, find_leaks
from data_pipeline.settings import DataSettings, Limit
from data_pipeline.splitting.split_warnings import split_warnings
from studies.running.data_preflight import splits_of
from studies.spec.dataset_settings import dataset_settings
from studies.spec.schema import StudySpec

USUAL_TASK = "object_detection"  # of a dataset that has labels for several


Steps = Callable[[str], Progress]  # name of a step -> what is told how far it is


def _in_silence(step: str) -> Progress:  # noqa: ARG001
    return lambda *_: None


@dataclass(frozen=True, slots=True)
class Subject:
    """What to check."""

    settings: DataSettings
    task: str
    is_cut: bool  # as a study cuts it; else as it lies on disk


def study_subject(spec: StudySpec) -> Subject:
    """Return the data of a study, before any limit; with one model per class, of all classes."""
    whole = spec.data.model_copy(update={"one_model_per_class": False, "limit": Limit()})
    return Subject(whole, spec.task, is_cut=True)


def dataset_subject(
    name: str, root: Path | None, *, task: str | None, changes: Sequence[str]
) -> Subject:
    """Return a dataset as a command line names it.

    Args:
        name: As `visionstudy data list` prints it.
        root: Its folder; None where it needs none.
        task: What it is read for; None: object detection, or the only task it has labels for.
        changes: `setting=value` each.

    Raises:
        ValueError: A name or value is wrong.
        UnsupportedTaskError: The dataset has no labels for the task.
    """
    settings = dataset_settings(name, root, changes)
    tasks = sorted(DATASETS[name].tasks)
    chosen = task or (USUAL_TASK if USUAL_TASK in tasks else tasks[0])
    if chosen not in tasks:
        raise UnsupportedTaskError(unknown_name(f"task of dataset '{name}'", chosen, tasks))
    return Subject(settings, chosen, is_cut=settings.split.policy != "given")


@dataclass(frozen=True, slots=True)
class CheckedData:
    """What was checked, and what was found."""

    subject: Subject
    splits: Splits
    findings: DataFindings
    leakage: Leakage | None  # None: not looked for

    @property
    def warnings(self) -> list[str]:
        """Say how the choice of split will flatter the scores."""
        return split_warnings(self.subject.settings)

    @property
    def is_sound(self) -> bool:
        """Whether everything is used and nothing is in two splits.

        A dataset's own split that cuts a group, as CamVid's does, is shown and left to its makers.
        """
        leaks = self.leakage.leaks if self.leakage is not None else ()
        is_own_split = self.subject.settings.split.policy == "given"
        return self.findings.is_sound and all(is_own_split and k.kind == "group" for k in leaks)


def check_subject(
    subject: Subject, *, with_leaks: bool, steps: Steps = _in_silence
) -> CheckedData:
    """Decode everything, and compare the splits.

    Args:
        subject: What to check.
        with_leaks: Whether to compare the splits, which decodes everything once more.
        steps: Told the name of each step; what it returns is told how far the step is.

    Raises:
        DataError: The dataset is not there, or cannot be listed.
    """
    problems = check_data(subject.settings)
    if problems:
        raise MissingDataError("\n".join(problems))
    prepare_data(subject.settings)
    listed = splits_of if subject.is_cut else given_splits
    splits = listed(subject.settings, subject.task)
    findings = check_splits(splits, subject.settings, subject.task, progress=steps("decoding"))
    leakage = find_leaks(splits, progress=steps("comparing splits")) if with_leaks else None
    return CheckedData(subject, splits, findings, leakage)
