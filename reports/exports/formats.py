"""What a report can be written as."""

from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path


class Format(StrEnum):
    """A format; the value is the file's ending."""

    HTML = "html"
    MARKDOWN = "md"
    LATEX = "tex"
    PDF = "pdf"


def format_of(file: Path) -> Format:
    """Return the format that a file's name asks for; HTML where it has no ending.

    Raises:
        ValueError: Reports are not written in that format.
    """
    ending = file.suffix.lower().removeprefix(".")
    if not ending or ending == "htm":
        return Format.HTML
    if ending not in list(Format):
        close = get_close_matches(ending, list(Format), 1)
        hint = f"did you mean .{close[0]}? " if close else ""
        names = ", ".join(f".{each}" for each in Format)
        raise ValueError(
            f"a report's name must end with one of {names}, got {file.name!r}; {hint}"
            "or say --format"
        )
    return Format(ending)
