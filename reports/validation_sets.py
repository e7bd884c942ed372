"""Whether the configurations of a stage were validated on the same samples.

Where they were not, a difference between them is one of the samples as well, and no seed more
would tell the two apart. Computed from the settings of cells.
"""

from collections.abc import Iterable
from functools import cache

from reports.measurements import cells_of
from reports.notation import join_words, setting_name
from trackers.folds import fold_of
from trackers.records import ConfigurationRecord, JsonValue, StudyRecord

SETTINGS = ("data.split", "data.split_list", "data.limit.val", "data.limit.per_class")


def differing_settings(
    study: StudyRecord, configurations: Iterable[ConfigurationRecord]
) -> tuple[str, ...]:
    """Return the settings by which configurations have other validation samples; () is none.

    Classes with models of their own are not compared with each other.
    """
    found: dict[tuple[str, int | None, str], list[JsonValue]] = {}
    for configuration in configurations:
        for cell in cells_of(study, configuration):
            for path in filter(_decides, cell.settings):
                # Of a cross-validated study, folds are compared each with itself.
                values = found.setdefault((cell.group, fold_of(study, cell), path), [])
                if cell.settings[path] not in values:
                    values.append(cell.settings[path])
    return tuple(dict.fromkeys(path for (_, _, path), values in found.items() if len(values) > 1))


def validation_sentence(study: StudyRecord, settings: Iterable[str]) -> str:
    """Say what a reader must not make of the differences; "" where nothing differs."""
    names = [setting_name(path) for path in settings]
    if not names:
        return ""
    split = "test" if study.select_on == "test" else "validation"
    return (
        f"The {split} sets of these configurations differ (by {join_words(names)}): a difference "
        "between their scores is one of the samples as well, and no seed more would tell which."
    )


@cache
def _decides(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}.") for each in SETTINGS)
