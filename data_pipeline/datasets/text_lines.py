"""Text files of annotations line by line, and what is wrong with some of their lines.

A file may be of another machine, damaged or no text at all: bytes that are not UTF-8 spoil their
own line, and so does a length that no annotation has, so that memory is bounded.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from data_pipeline.errors import MissingDataError
from data_pipeline.faults import Fault

MAX_LINE = 4 * 1024**2  # characters; a polygon of 100,000 points has as many
SHOWN = 60  # characters of a line that a message shows


def numbered_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Read a file's lines with their numbers from 1, stripped, without the blank ones.

    A line of more than `MAX_LINE` characters is not kept: a sentence that says so stands in,
    which is no line of any format.

    Raises:
        MissingDataError: It cannot be opened.
    """
    try:
        stream = file.open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise MissingDataError(f"cannot read {file}: {error.strerror}; restore it") from error
    with stream:
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                _skip_rest(line, stream)
                line = f"a line of more than {MAX_LINE} characters"
            if stripped := line.strip():
                yield number, stripped


def _skip_rest(line: str, stream: TextIO) -> None:
    while line and not line.endswith("\n"):
        line = stream.readline(MAX_LINE)


def fields_of(line: str) -> list[str]:
    """Cut a line at its commas, but for quoted ones; a quote left open ends with its line."""
    if '"' not in line:
        return [part.strip() for part in line.split(",")]
    return [part.strip() for part in next(csv.reader([line], skipinitialspace=True))]


@dataclass(slots=True)
class BadLines:
    """Lines of a file that could not be read, counted: a damaged file may have millions."""

    where: str  # the file, as the user knows it
    rule: str  # what a line must be
    count: int = 0
    _first: str = field(default="", init=False)

    def add(self, number: int, line: str) -> None:
        """Count a line that breaks the rule."""
        self.count += 1
        if not self._first:
            self._first = f"{self.where}:{number} must be {self.rule}, got {line[:SHOWN]!r}"

    def faults(self) -> tuple[Fault, ...]:
        """Return one fault for all lines, naming the first; none if there are no such lines."""
        if not self.count:
            return ()
        others = f", and {self.count - 1} lines more" if self.count > 1 else ""
        message = f"{self._first}{others}; correct or delete it"
        return (Fault("malformed", self.where, message, "box", self.count),)
