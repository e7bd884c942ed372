"""The official CSV files of Open Images, read and written a row at a time.

The list of training boxes has 14.6 million rows (2.2 GB); no more than one of them is held.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from data_pipeline.download.sampling import Split
from data_pipeline.errors import InvalidDataError

IMAGE_ID, LABEL, GROUP = "ImageID", "LabelName", "IsGroupOf"


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file with a header."""

    file: Path
    header: tuple[str, ...]

    def column(self, name: str) -> int:
        """Return where a column stands.

        Raises:
            InvalidDataError: There is none of that name.
        """
        if name not in self.header:
            raise InvalidDataError(
                f"{self.file} must have a column {name}, got {', '.join(self.header)}; remove "
                "the file to fetch it again"
            )
        return self.header.index(name)

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows that are as long as the header.

        Raises:
            InvalidDataError: The file is no CSV.
        """
        with self.file.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            try:
                next(reader, None)
                yield from (row for row in reader if len(row) == len(self.header))
            except (csv.Error, UnicodeDecodeError) as error:
                raise _no_csv(self.file, error) from error


def open_table(file: Path) -> Table:
    """Read a file's header.

    Raises:
        InvalidDataError: It has none.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            header = next(csv.reader(stream), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise _no_csv(file, error) from error
    return Table(file, tuple(header))


def write_parts(
    table: Table, parts: Mapping[Split, Path], part_of: Callable[[Sequence[str]], Split | None]
) -> None:
    """Write rows to the files of their parts, each with the header; None: to none.

    A file appears when all of it is written.
    """
    unfinished = {part: file.with_name(file.name + ".new") for part, file in parts.items()}
    with ExitStack() as stack:
        writers = {}
        for part, file in unfinished.items():
            stream = stack.enter_context(file.open("w", encoding="utf-8", newline=""))
            writers[part] = csv.writer(stream, lineterminator="\n")
            writers[part].writerow(table.header)
        for row in table.rows():
            chosen = part_of(row)
            if chosen is not None:
                writers[chosen].writerow(row)
    for part, file in unfinished.items():
        file.replace(parts[part])


def _no_csv(file: Path, error: Exception) -> InvalidDataError:
    return InvalidDataError(
        f"{file} must be a CSV file in UTF-8: {error}; remove it to fetch it again"
    )
