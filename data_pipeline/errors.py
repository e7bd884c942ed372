"""What can be wrong with a study's data.

DataError
├── MissingDataError      a folder, file or split is not there
├── InvalidDataError      a file is there and cannot be what it should be
├── UnknownClassError     a class the dataset does not have
└── UnsupportedTaskError  a task the dataset has no labels for
"""

import difflib
from collections.abc import Sequence

from data_pipeline.faults import FaultKind


class DataError(Exception):
    """The data on disk cannot serve the study."""


class MissingDataError(DataError):
    """A folder, file or split is not there."""


class InvalidDataError(DataError):
    """A file is there and cannot be what it should be.

    Args:
        message: What must hold, what is there, what to do.
        kind: The fault that a check reports where reading a sample raises this.
    """

    def __init__(self, message: str, kind: FaultKind = "undecodable") -> None:
        self.kind = kind
        super().__init__(message)


class UnknownClassError(DataError):
    """A class the dataset does not have."""


class UnsupportedTaskError(DataError):
    """A task the dataset has no labels for."""


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """Return one sentence that says what is unknown, what was meant and what there is."""
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean '{close[0]}'?" if close else ""
    shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return f"unknown {kind} '{name}'{meant} ({len(known)} there are: {shown})"
