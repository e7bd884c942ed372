"""Which cell a person means: by its id, or the beginning of it."""

from collections.abc import Collection, Mapping

from studies.spec.problems import did_you_mean

FEWEST_DIGITS = 4  # of an id that is cut off
SHOWN = 6  # ids in a message


class UnknownCellError(LookupError):
    """No cell, or more than one, is called so."""


def find_cell(wanted: str, cells: Mapping[str, Collection[str]]) -> tuple[str, str]:
    """Return the study and the id of the cell that is meant.

    Args:
        wanted: "ID", "STUDY/ID", or either with the first digits of the id.
        cells: Study -> the ids of its cells.

    Raises:
        UnknownCellError: There is none, or several; the message names them.
    """
    study, _, prefix = wanted.rpartition("/")
    if study and study not in cells:
        hint = did_you_mean(study, cells)
        raise UnknownCellError(f"unknown study '{study}'{hint}; known: {_listed(cells)}")
    places = {study: cells[study]} if study else cells
    exact = [(name, prefix) for name, ids in places.items() if prefix in ids]
    begins = [
        (name, each)
        for name, ids in places.items()
        for each in ids
        if len(prefix) >= FEWEST_DIGITS and each.startswith(prefix)
    ]
    found = exact or begins
    if len(found) == 1:
        return found[0]
    if found:
        names = [f"{name}/{each}" for name, each in found]
        raise UnknownCellError(f"'{wanted}' may be {_listed(names)}; write more of it")
    known = [each for ids in places.values() for each in ids]
    raise UnknownCellError(
        f"unknown cell '{wanted}'{did_you_mean(prefix, known)}; `visionstudy status STUDY` lists "
        f"them, and the first {FEWEST_DIGITS} digits are enough where they are unique"
    )


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:SHOWN])
    return f"{shown}, …" if len(names) > SHOWN else shown or "none yet"
