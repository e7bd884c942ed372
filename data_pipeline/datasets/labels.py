"""From the classes a study chooses to label indices."""

from collections.abc import Sequence

from data_pipeline.errors import DataError, UnknownClassError, unknown_name
from data_pipeline.samples import IGNORE
from data_pipeline.settings import DataSettings

BACKGROUND = "background"


def chosen_classes(settings: DataSettings, known: Sequence[str]) -> tuple[str, ...]:
    """Return the classes to label, in label order: the study's, or all there are.

    Raises:
        UnknownClassError: One is not in the dataset, or is named twice.
    """
    problems = class_problems(settings, known)
    if problems:
        raise UnknownClassError("; ".join(problems))
    return tuple(settings.classes) or tuple(known)


def class_problems(settings: DataSettings, known: Sequence[str]) -> list[str]:
    """Return a sentence for every class that cannot be labelled."""
    names = settings.classes
    problems = [
        unknown_name(f"class of dataset '{settings.dataset}'", name, known)
        for name in names
        if name not in known
    ]
    problems += [
        f"class '{name}' must be named once in data.classes, got {names.count(name)} times"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    return problems


def task_labels(settings: DataSettings, task: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return what each label index means: the chosen classes, in a label map after background.

    Raises:
        DataError: A class is unknown or named twice, or a label map cannot hold so many.
    """
    chosen = chosen_classes(settings, known)
    if task != "semantic_segmentation":
        return chosen
    if len(chosen) >= IGNORE:
        raise DataError(
            f"a label map holds at most {IGNORE - 1} classes, got {len(chosen)}; "
            "name fewer in data.classes"
        )
    return (BACKGROUND, *chosen)
