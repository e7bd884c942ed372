"""Every cited number: those of the CSVs in this folder, and those of a study's own CSVs.

Add a baseline: one row, or one CSV with the same columns; its name is known at once.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from reports.baselines.citation_files import BaselineError, UnknownBaselineError, parse
from reports.baselines.citations import Baseline

FOLDER = Path(__file__).parent
OWN_FILE = ".csv"  # the end of a name that means a file of the study, not one of ours
# Tables of the thesis that are pictures of curves: no number of theirs can be cited.
FIGURES = {
    "thesis/table-5": "batch sizes of Faster R-CNN",
    "thesis/table-13": "the base conditions of SlowFast",
    "thesis/table-15": "SlowFast with AdamW",
    "thesis/table-16": "SlowFast on a random split",
}


def known_names() -> tuple[str, ...]:
    """Every name that a study may list under `baselines`, in the order of the files."""
    return tuple(_by_name())


def figure_fault(name: str) -> str | None:
    """Say that a table has no numbers, only curves; None of any other name."""
    if name not in FIGURES or name in known_names():
        return None
    return f"'{name}' is a picture of curves ({FIGURES[name]}) without numbers; leave it out"


def known_tasks() -> tuple[str, ...]:
    """Every task of which a number is known."""
    return tuple(sorted({b.protocol.task for b in every_baseline()}))


def load(names: Sequence[str], files: Mapping[str, str] | None = None) -> tuple[Baseline, ...]:
    """Read the numbers behind some names, in the order of `names`.

    Args:
        names: Known names, and names of the study's own files, which end in ".csv".
        files: The text of each such file.

    Raises:
        UnknownBaselineError: a name is in no CSV, or a file is not among `files`.
        BaselineError: a name is of a table without numbers.
        BaselineFileError: a file has a row that cannot be used.
    """
    found: list[Baseline] = []
    for name in dict.fromkeys(names):
        if name in (files or {}):
            found += parse((files or {})[name], name)
        elif name in _by_name():
            found += _by_name()[name]
        elif fault := figure_fault(name):
            raise BaselineError(fault)
        else:
            raise UnknownBaselineError(name, known_names())
    return tuple(found)


@cache
def every_baseline() -> tuple[Baseline, ...]:
    """Return every number of ours, file by file."""
    files = sorted(FOLDER.glob("*.csv"))
    return tuple(b for file in files for b in parse(file.read_text("utf-8"), file.name))


@cache
def _by_name() -> Mapping[str, tuple[Baseline, ...]]:
    named: dict[str, list[Baseline]] = {}
    for baseline in every_baseline():
        named.setdefault(baseline.name, []).append(baseline)
    return {name: tuple(numbers) for name, numbers in named.items()}
