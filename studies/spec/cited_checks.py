"""The cited numbers that a study names: ours by name, its own as CSV files beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reports.baselines import BaselineError, BaselineFileError, known_names, known_tasks
from reports.baselines.citation_files import parse
from reports.baselines.registry import OWN_FILE, figure_fault
from studies.spec.draft import Draft
from studies.spec.problems import Finding, did_you_mean


def cited_findings(draft: Draft, folder: Path) -> Iterator[Finding]:
    """Check that every name is known and every file can be read.

    Args:
        draft: The study as far as it could be read.
        folder: Of the study file, which paths are relative to.
    """
    names: Sequence[str] = draft.values.get("baselines") or ()
    taken = set(known_names()) if names else set()
    for index, name in enumerate(names):
        try:
            if name.endswith(OWN_FILE):
                taken |= _own_names(name, folder, taken)
            elif name not in known_names():
                yield Finding(("baselines", index), _unknown(name))
        except BaselineError as error:
            yield Finding(("baselines", index), str(error))


def cited_texts(names: Sequence[str], folder: Path) -> Mapping[str, str]:
    """Return the text of every file of cited numbers that a study names.

    Raises:
        BaselineError: a file cannot be read.
    """
    return {name: _text(name, folder) for name in names if name.endswith(OWN_FILE)}


def _own_names(name: str, folder: Path, taken: set[str]) -> set[str]:
    try:
        found = {each.name for each in parse(_text(name, folder), name, tasks=known_tasks())}
    except BaselineFileError as error:
        first, more = error.faults[0], len(error.faults) - 1
        others = f" (and {more} more: visionstudy baselines add {name})" if more else ""
        raise BaselineError(f"{first}{others}") from error
    if clash := sorted(found & taken):
        raise BaselineError(
            f"a file of cited numbers must bring names of its own, got '{clash[0]}', which is "
            f"known already; rename it in {name}"
        )
    return found


def _text(name: str, folder: Path) -> str:
    file = folder / Path(name).expanduser()
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise BaselineError(
            f"a file of cited numbers must be readable beside the study file, got {file}: "
            f"{reason}; correct the path or the file"
        ) from error


def _unknown(name: str) -> str:
    if fault := figure_fault(name):
        return fault
    known = known_names()
    count = (
        f"{len(known)} names: visionstudy baselines list; a file of your own ends in {OWN_FILE}"
    )
    return f"unknown baseline '{name}'{did_you_mean(name, known)} ({count})"
